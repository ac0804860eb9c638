"""What lint says of rules is so: held against trying every file of a small site."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.caching.combining import combined
from apps.caching.headers import compile_headers
from apps.caching.lint import LintedRule, Remark, grouped, lint
from apps.caching.matching import Subject, matches
from apps.caching.rules import Bypass, BypassKind, Combination, Example, Match, Policy, Rule
from tests.caching.matches import matches_of

HOUR = Policy(browser_ttl_seconds=3_600)
DAY = Policy(browser_ttl_seconds=86_400)
FILES = [
    Subject(path, media_type, size, frozenset(tags))
    for (path, media_type), size, tags in product(
        [
            ("a.css", "text/css"),
            ("css/a.css", "text/css"),
            ("css/deep/a.css", "text/css"),
            ("css/a.3f2a9c41.css", "text/css"),
            ("css/read.me", "text/plain"),
            ("read.me", "image/png"),
            ("index.html", "text/html"),
        ],
        [10, 5_000],
        [(), ("sale",), ("hero", "sale")],
    )
]


def rule(
    slug: str,
    match: Match,
    policy: Policy = HOUR,
    *,
    bypass: tuple[Bypass, ...] = (),
    examples: tuple[Example, ...] = (),
) -> LintedRule:
    return LintedRule(Rule(slug, 1, match, policy, bypass), slug.title(), examples)


def said(*rules: LintedRule, combination: Combination = Combination.FIRST) -> list[tuple[str, str, str]]:
    return [(each.kind, each.slug, each.other) for each in lint(rules, combination)]


CSS, SHEETS = Match(extensions=("css",)), Match(folders=("css",))
ALL, SALE = Match(), Match(tags=("sale",))


@pytest.mark.parametrize(
    ("first", "second", "remarks"),
    [
        (rule("all", ALL), rule("css", CSS, DAY), [("shadowed", "css", "all")]),
        (rule("sale", SALE), rule("css", CSS, DAY), []),
        (rule("css", CSS), rule("sale", SALE, DAY), [("overlap", "sale", "css")]),
        (rule("sale", SALE), rule("hero", Match(tags=("hero",)), DAY), [("overlap", "hero", "sale")]),
        (
            rule("either", Match(tags=("hero", "sale"))),
            rule("sale", SALE, DAY),
            [("shadowed", "sale", "either")],
        ),
        (rule("css", CSS), rule("again", CSS, DAY), [("duplicate", "again", "css")]),
        (rule("css", CSS), rule("all", ALL, DAY), []),
        (rule("css", CSS), rule("all", ALL), [("repeated", "css", "all")]),
        (rule("css", CSS), rule("sheets", SHEETS, DAY), [("overlap", "sheets", "css")]),
        (rule("css", CSS), rule("sheets", SHEETS), []),
        (rule("css", CSS), rule("pages", Match(media_types=("text/html",)), DAY), []),
        (
            rule("me", Match(extensions=("me",))),
            rule("png", Match(media_types=("image/png",)), DAY),
            [("overlap", "png", "me")],
        ),
        (
            rule("me", Match(extensions=("png", "me"))),
            rule("text", Match(media_types=("text/plain",)), DAY),
            [("overlap", "text", "me")],
        ),
        (
            rule("small", Match(max_size_bytes=10)),
            rule("large", Match(min_size_bytes=11), DAY),
            [],
        ),
        (
            rule("small", Match(max_size_bytes=10)),
            rule("ten", Match(min_size_bytes=10, max_size_bytes=20), DAY),
            [("overlap", "ten", "small")],
        ),
        (
            rule("small", Match(max_size_bytes=10)),
            rule("medium", Match(min_size_bytes=15, max_size_bytes=20), DAY),
            [],
        ),
        (
            rule("small", Match(max_size_bytes=10)),
            rule("smaller", Match(max_size_bytes=10, extensions=("css",)), DAY),
            [("shadowed", "smaller", "small")],
        ),
        (rule("small", Match(max_size_bytes=10)), rule("larger", Match(max_size_bytes=11), DAY), []),
        (rule("small", Match(max_size_bytes=10)), rule("all", ALL, DAY), []),
        (
            rule("medium", Match(min_size_bytes=15, max_size_bytes=20)),
            rule("small", Match(max_size_bytes=10), DAY),
            [],
        ),
        (
            rule("some", Match(expressions=("a.*",))),
            rule("css", CSS, DAY),
            [("overlap", "css", "some")],
        ),
        (
            rule("some", Match(expressions=("a.*", "b.*"))),
            rule("fewer", Match(expressions=("b.*",), extensions=("css",)), DAY),
            [("shadowed", "fewer", "some")],
        ),
        (
            rule("text", Match(media_types=("image/png", "text/*"))),
            rule("css", Match(media_types=("text/css",)), DAY),
            [("shadowed", "css", "text")],
        ),
        (
            rule("text", Match(media_types=("text/*",))),
            rule("png", Match(media_types=("image/png",)), DAY),
            [],
        ),
        (
            rule("some", Match(media_types=("image/png", "text/css"))),
            rule("text", Match(media_types=("text/*",)), DAY),
            [("overlap", "text", "some")],
        ),
        (
            rule("text", Match(media_types=("text/*",))),
            rule("some", Match(media_types=("image/png", "text/css")), DAY),
            [("overlap", "some", "text")],
        ),
        (
            rule("xml", Match(media_types=("application/xml",))),
            rule("dtd", Match(media_types=("application/xml-dtd",)), DAY),
            [],
        ),
        (rule("text", Match(media_types=("text/*",))), rule("all", ALL, DAY), []),
        (rule("all", ALL), rule("css", CSS, Policy()), [("shadowed", "css", "all")]),
        (
            rule("some", Match(is_fingerprinted=True)),
            rule("others", Match(is_fingerprinted=False), Policy()),
            [("without_effect", "others", "")],
        ),
        (
            rule("all", ALL, examples=(Example("/a.css", is_cached=True, rule="all"),)),
            rule("none", Match(paths=("none",)), DAY),
            [("shadowed", "none", "all")],
        ),
    ],
)
def test_of_two_rules_it_says(
    first: LintedRule, second: LintedRule, remarks: list[tuple[str, str, str]]
) -> None:
    assert said(first, second) == remarks


def test_an_overlap_that_an_example_shows_is_meant() -> None:
    example = Example("/css/a.css", is_cached=True, rule="css")
    assert said(rule("css", CSS), rule("sheets", SHEETS, DAY, examples=(example,))) == []
    assert said(rule("css", CSS, examples=(example,)), rule("sheets", SHEETS, DAY)) == []
    for url in ("/css/a.png", "/a.css", "/a.png"):  # of a file that is no matter of both
        of_one = replace(example, url=url)
        assert said(rule("css", CSS), rule("sheets", SHEETS, DAY, examples=(of_one,))) == [
            ("overlap", "sheets", "css")
        ]


def test_a_bypass_condition_is_an_effect() -> None:
    bypass = (Bypass(BypassKind.QUERY, "draft", "Editors look at it."),)
    assert said(rule("css", CSS, Policy(), bypass=bypass)) == []
    assert said(rule("css", CSS, Policy())) == [("without_effect", "css", "")]


def test_a_rule_is_remarked_once_however_many_others_say_the_same() -> None:
    assert said(rule("css", CSS), rule("all", ALL), rule("again", ALL)) == [
        ("duplicate", "again", "all"),
        ("repeated", "css", "all"),
    ]


def test_merged_rules_hide_nothing_and_can_still_be_the_same() -> None:
    merge = Combination.MERGE
    assert said(rule("all", ALL), rule("css", CSS, DAY), combination=merge) == []
    assert said(rule("css", CSS), rule("again", CSS, DAY), combination=merge) == [
        ("duplicate", "again", "css")
    ]


def test_examples_that_cannot_both_hold_are_shown() -> None:
    def expecting(slug: str, decides: str, seconds: int | None = None) -> LintedRule:
        example = Example("/css/a.css", is_cached=True, rule=decides, browser_ttl_seconds=seconds)
        match, policy = (CSS, HOUR) if slug == "css" else (SHEETS, DAY)
        return rule(slug, match, policy, examples=(example,))

    circle = (expecting("css", "sheets"), expecting("sheets", "css"))
    assert said(*circle) == [("circular", "sheets", "css")]
    assert said(expecting("css", "css"), expecting("sheets", "sheets")) == [
        ("contradiction", "sheets", "css")
    ]
    assert said(expecting("css", "css", 60), expecting("sheets", "css", 90)) == [
        ("contradiction", "sheets", "css")
    ]
    assert said(expecting("css", "sheets", 60), expecting("sheets", "sheets", 90)) == [
        ("contradiction", "sheets", "css")
    ]
    assert said(expecting("css", "css", 60), expecting("sheets", "css")) == []


def test_a_rule_that_decides_about_an_example_of_another_one_is_told_so() -> None:
    css = rule("css", CSS)
    for expected in ("all", ""):
        everything = rule("all", ALL, DAY, examples=(Example("/css/a.css", is_cached=True, rule=expected),))
        [remark] = lint((css, everything), Combination.FIRST)
        assert (remark.kind, remark.slug, remark.other) == ("takes_example", "css", "all")
        assert remark.words.startswith("It decides about /css/a.css, where an example of “All” expects that ")
        assert "change that example, narrow what this rule matches, or move it" in remark.next_step
    meant = rule("all", ALL, DAY, examples=(Example("/css/a.css", is_cached=True, rule="css"),))
    assert said(css, meant) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "/css/b.css"},
        {"request_headers": (("Cookie", "a=1"),)},
        {"size_bytes": 1},
        {"tags": ("sale",)},
    ],
)
def test_examples_of_two_requests_or_of_one_rule_contradict_nobody(fields: dict[str, Any]) -> None:
    example = Example("/css/a.css", is_cached=True, rule="css", browser_ttl_seconds=60)
    other = replace(example, browser_ttl_seconds=90)
    sheets = rule("sheets", SHEETS, DAY, examples=(replace(other, **fields),))
    assert said(rule("css", CSS, examples=(example,)), sheets) == []
    assert said(rule("css", CSS, examples=(example, other))) == []


def test_a_remark_names_the_other_rule_and_what_to_do() -> None:
    [remark] = lint((rule("all", ALL), rule("css", CSS, DAY)), Combination.FIRST)
    assert remark == Remark(
        "shadowed",
        "css",
        "It never decides: “All” comes before it and takes every file that it is about.",
        "Move it before “All”, narrow that one, or disable it.",
        "all",
        "All",
    )


def test_a_rule_for_the_same_files_is_told_apart_from_one_for_some_of_them() -> None:
    [remark] = lint((rule("css", CSS), rule("again", CSS, DAY)), Combination.FIRST)
    assert remark.words == "It never decides: “Css” comes before it and is about exactly the same files."


def test_remarks_of_one_kind_on_a_rule_are_said_at_once() -> None:
    folders = [rule(name, Match(folders=(name,)), HOUR) for name in ("a", "b", "c", "d", "e")]
    sheets = rule("sheets", CSS, DAY)
    [group] = grouped(lint((*folders, sheets), Combination.FIRST))
    assert (group.kind, [remark.other for remark in group.remarks]) == ("overlap", ["a", "b", "c", "d", "e"])
    assert group.words == (
        "Some of its files may be those of “A”, “B”, “C” and 2 other rules, which come before it and decide."
    )
    [group] = grouped(lint((*folders[:2], sheets), Combination.FIRST))
    assert "those of “A” and “B”, which" in group.words
    [group] = grouped(lint((*folders[:4], sheets), Combination.FIRST))
    assert "those of “A”, “B”, “C” and “D”, which" in group.words
    [remark] = lint((folders[0], sheets), Combination.FIRST)
    [group] = grouped([remark])
    assert (group.words, group.next_step, group.remarks) == (remark.words, remark.next_step, (remark,))


def test_remarks_of_two_kinds_on_a_rule_are_two() -> None:
    matched = {"a": CSS, "b": SHEETS, "c": CSS}
    rules = tuple(
        rule(slug, match, examples=(Example("/css/a.css", is_cached=True, rule=slug),))
        for slug, match in matched.items()
    )
    groups = grouped(each for each in lint(rules, Combination.FIRST) if each.slug == "c")
    assert [(group.kind, len(group.remarks)) for group in groups] == [("duplicate", 1), ("contradiction", 2)]
    assert groups[1].words == (
        "Its examples and those of “A” and “B” expect different outcomes of the same requests."
    )


CONDITIONS: dict[str, list[object]] = {
    "paths": [("css/*",), ("**/a.css",), ("*",), ("**/*.me", "css/**")],
    "media_types": [("text/*",), ("image/png",), ("text/css", "text/plain")],
    "extensions": [("css",), ("me",), ("CSS", "html")],
    "is_fingerprinted": [True, False],
    "min_size_bytes": [10, 11],
    "max_size_bytes": [10],
    "folders": [("css",), ("css/deep",)],
    "tags": [("sale",), ("hero",), ("sale", "hero")],
}
matching = matches_of({name: st.sampled_from(values) for name, values in CONDITIONS.items()})
policies = st.sampled_from([HOUR, DAY, Policy()])
rule_sets = st.lists(st.tuples(matching, policies), min_size=1, max_size=4).map(
    lambda given: tuple(rule("abcd"[place], *each) for place, each in enumerate(given))
)


@given(rules=rule_sets)
def test_each_remark_is_right(rules: tuple[LintedRule, ...]) -> None:
    for remark in lint(rules, Combination.FIRST):
        without = [each for each in rules if each.rule.slug != remark.slug]
        if remark.kind in {"shadowed", "duplicate"}:
            assert all(decides(rules, file) != remark.slug for file in FILES)
        if remark.kind in {"shadowed", "duplicate", "repeated", "without_effect"}:
            assert all(headers(rules, file) == headers(without, file) for file in FILES)


def test_two_rules_for_one_file_are_spoken_of_unless_one_is_an_exception_to_the_other() -> None:
    every = [replace(Match(), **{name: value}) for name, values in CONDITIONS.items() for value in values]  # type: ignore[arg-type]
    spoken_of = []
    for first, last in product(every, repeat=2):
        files = [{file for file in FILES if matches(match, *file)} for match in (first, last)]
        both, is_singled_out = files[0] & files[1], first.tags and not last.tags
        if both and files[0] - both and files[1] - both and not is_singled_out:
            found = lint((rule("a", first), rule("b", last, DAY)), Combination.FIRST)
            spoken_of.append({each.kind for each in found} & {"overlap", "shadowed", "duplicate"})
    assert spoken_of
    assert all(spoken_of)


def matching_rules(rules: tuple[LintedRule, ...] | list[LintedRule], file: Subject) -> list[Rule]:
    return [each.rule for each in rules if matches(each.rule.match, *file)]


def decides(rules: tuple[LintedRule, ...], file: Subject) -> str:
    return next((each.slug for each in matching_rules(rules, file)), "")


def headers(rules: tuple[LintedRule, ...] | list[LintedRule], file: Subject) -> tuple[tuple[str, str], ...]:
    one = combined(matching_rules(rules, file)[:1])
    return compile_headers(one.policy if one else Policy(), file[1])
