"""Several rules for one file: what each of them says is found in what comes out, or a stricter word."""

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from apps.caching.choosing import RuleChooser
from apps.caching.combining import combined
from apps.caching.evaluation import evaluate
from apps.caching.headers import HeaderCompiler, cache_control, compile_headers
from apps.caching.matching import NO_TAGS, Subject, Tags, matches
from apps.caching.rules import Bypass, BypassKind, Combination, Match, Policy, Rule, RuleContent, Visibility
from apps.caching.validation import content_faults
from tests.caching.matches import matches_of

MINUTE, DAY, YEAR = 60, 86_400, 31_536_000
DEBUG = Bypass(BypassKind.HEADER, "X-Debug", "Somebody debugs.")

FONTS = Rule(
    "fonts",
    3,
    Match(extensions=("woff2",)),
    Policy(allowed_origin="*", surrogate_keys=("fonts",), extra_headers=(("Timing-Allow-Origin", "*"),)),
    (DEBUG,),
)
LONG = Rule("long", 1, Match(is_fingerprinted=True), Policy(browser_ttl_seconds=YEAR, is_immutable=True))
REST = Rule("rest", 1, Match(), Policy(browser_ttl_seconds=MINUTE, stale_if_error_seconds=DAY))


def headers_by(rules: list[Rule], path: str, combination: Combination) -> dict[str, str]:
    compiled = HeaderCompiler(rules, combination).header_set(path, "font/woff2", 1)
    return dict(compiled.headers)


def test_the_first_rule_alone_decides_unless_rules_are_merged() -> None:
    path = "fonts/a.3f2a9c41.woff2"
    first = headers_by([FONTS, LONG, REST], path, Combination.FIRST)
    assert first["cache-control"] == "no-cache"
    merged = headers_by([FONTS, LONG, REST], path, Combination.MERGE)
    assert merged["cache-control"] == "public, max-age=31536000, immutable, stale-if-error=86400"
    assert merged["access-control-allow-origin"] == "*"
    assert merged["timing-allow-origin"] == "*"
    assert (merged["surrogate-key"], merged["cache-tag"]) == ("fonts", "fonts")


def test_a_trace_of_merged_rules_says_what_adds_to_what() -> None:
    outcome = evaluate([FONTS, REST], "/a.woff2", media_type="font/woff2", combination=Combination.MERGE)
    assert (outcome.rule, outcome.rule_version, outcome.browser_ttl_seconds) == ("fonts", 3, MINUTE)
    assert outcome.considered[1].because == (
        "It matches every file. It adds what fonts, which comes before it, leaves open."
    )


def test_a_bypass_condition_of_any_merged_rule_holds() -> None:
    outcome = evaluate(
        [REST, FONTS],
        "/a.woff2",
        media_type="font/woff2",
        request_headers=(("x-debug", "1"),),
        combination=Combination.MERGE,
    )
    assert outcome.bypass == DEBUG


def test_the_stricter_word_takes_back_what_contradicts_it() -> None:
    private = Rule("private", 1, Match(), Policy(visibility=Visibility.PRIVATE))
    shared = Rule(
        "shared", 1, Match(), Policy(browser_ttl_seconds=60, shared_ttl_seconds=3600, cdn_ttl_seconds=9)
    )
    assert cache_control(policy_of(shared, private)) == "private, max-age=60"
    assert "cdn-cache-control" not in dict(compile_headers(policy_of(shared, private), "text/css"))
    nothing = Rule("nothing", 1, Match(), Policy(visibility=Visibility.NO_STORE))
    assert cache_control(policy_of(LONG, nothing)) == "no-store"
    checked = Rule("checked", 1, Match(), Policy(must_revalidate=True))
    for rules in ((REST, checked), (checked, REST)):
        assert cache_control(policy_of(*rules)) == "public, max-age=60, must-revalidate"


def test_each_word_of_each_rule_is_in_what_comes_out() -> None:
    one = Policy(
        browser_ttl_seconds=1,
        shared_ttl_seconds=2,
        stale_while_revalidate_seconds=3,
        stale_if_error_seconds=4,
        cdn_ttl_seconds=5,
        is_immutable=True,
        is_trusted_active_content=True,
        forbids_transform=True,
        extra_headers=(("Link", "</a>"),),
        vary=("Save-Data",),
        surrogate_keys=("a",),
        allowed_origin="*",
    )
    other = Policy(
        browser_ttl_seconds=0,
        shared_ttl_seconds=0,
        stale_while_revalidate_seconds=0,
        stale_if_error_seconds=0,
        cdn_ttl_seconds=0,
        extra_headers=(("link", "</b>"), ("X-Robots-Tag", "none")),
        vary=("X-B",),
        surrogate_keys=("b",),
        allowed_origin="https://example.com",
    )
    first, last, silent = (
        Rule(slug, 1, Match(), said) for slug, said in (("a", one), ("b", other), ("c", Policy()))
    )
    assert policy_of(first, silent) == policy_of(silent, first) == one
    assert policy_of(first, last) == replace(
        one,
        extra_headers=(("Link", "</a>"), ("X-Robots-Tag", "none")),
        vary=("Save-Data", "X-B"),
        surrogate_keys=("a", "b"),
    )
    assert policy_of(last, first) == replace(
        other,
        is_immutable=False,
        is_trusted_active_content=True,
        forbids_transform=True,
        vary=("X-B", "Save-Data"),
        surrogate_keys=("b", "a"),
    )


def test_lists_add_up_wherever_they_are_written() -> None:
    first, second = (
        Rule(slug, 1, Match(), Policy(extra_headers=(("Vary", vary), ("Surrogate-Key", keys))))
        for slug, vary, keys in (("a", "Save-Data, X-A", "theme"), ("b", "x-a, X-B", "theme shop"))
    )
    said = dict(compile_headers(policy_of(first, second, FONTS), "text/css"))
    assert said["vary"] == "Save-Data, X-A, X-B"
    assert said["surrogate-key"] == "fonts theme shop"


def policy_of(*rules: Rule) -> Policy:
    rule = combined(rules)
    assert rule is not None
    return rule.policy


def test_no_rule_is_no_rule() -> None:
    assert combined([]) is None
    assert combined([REST]) is REST


optional_seconds = st.none() | st.sampled_from([0, 1, 60, YEAR])
policies = st.builds(
    Policy,
    visibility=st.sampled_from(Visibility),
    browser_ttl_seconds=optional_seconds,
    shared_ttl_seconds=optional_seconds,
    must_revalidate=st.booleans(),
    is_immutable=st.booleans(),
    stale_while_revalidate_seconds=optional_seconds,
    stale_if_error_seconds=optional_seconds,
    forbids_transform=st.booleans(),
    cdn_ttl_seconds=optional_seconds,
    vary=st.lists(st.sampled_from(["Accept-Language", "Save-Data"]), unique=True).map(tuple),
    surrogate_keys=st.lists(st.sampled_from(["a", "b"]), unique=True).map(tuple),
    allowed_origin=st.sampled_from(["", "*", "https://example.com"]),
)


@given(st.lists(policies, min_size=2, max_size=4))
def test_what_is_merged_has_no_contradiction_that_a_form_would_refuse(given_policies: list[Policy]) -> None:
    rules = [Rule(f"r{place}", 1, Match(), policy) for place, policy in enumerate(given_policies)]
    policy = policy_of(*rules)
    content = RuleContent("x", 1, Match(), policy, "better", "go back")
    assert [fault for fault in content_faults("x", content) if fault.field.startswith("policy")] == []


PATHS = ["a.css", "A.CSS", "cssx", "c.tar.gz", "js/a.js", "js/b.min/a.min.js", "js.js"] + [
    f"{folder}{name}"
    for folder in ("css/", "css/a/", "a/", "b/a/css/", "cssx/", "CSS/")
    for name in ("a.css", "b.CSS", "a.min.js", "x.3f2a9c41.css", ".html", "tar.gz")
]
GLOBS = [
    "**",
    "*",
    "css/**",
    "**/*.css",
    "css/*.css",
    "**/*.CSS",
    "**/a/**",
    "?s/**",
    "css*/**",
    "a.css",
    "js/**/*.js",
    "c**",
]
EXPRESSIONS = [
    r"css/[a-z]+\.css",
    ".*min.*",
    "css/?.*",
    "cssx*.*",
    "css/a{0,1}.*",
    "js/.*|css/.*",
    "js/+.*",
    "(?i)CSS/.*",
    r"a\.css",
    "css/a.css",
    "css/a/.*",
]
matching = matches_of(
    {
        "paths": st.lists(st.sampled_from(GLOBS), min_size=1, max_size=2).map(tuple),
        "media_types": st.sampled_from([("text/css",), ("text/*",), ("image/*",)]),
        "extensions": st.sampled_from([("css",), ("gz", "css"), ("tar.gz",), ("min.js",)]),
        "folders": st.sampled_from([("css",), ("a", "css"), ("css/a",), ("js/b.min",)]),
        "is_fingerprinted": st.booleans(),
        "min_size_bytes": st.sampled_from([0, 10]),
        "expressions": st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=2).map(tuple),
        "tags": st.sampled_from([("sale",), ("sale", "hero")]),
    }
)


@given(
    st.lists(matching, min_size=1, max_size=4),
    st.sampled_from(["text/css", "text/html", "image/png"]),
    st.sampled_from([9, 10]),
    st.frozensets(st.sampled_from(["sale", "hero", "old"])),
)
def test_rules_are_chosen_as_if_each_of_them_were_tried(
    given_matches: list[Match], media_type: str, size: int, tags: frozenset[str]
) -> None:
    assert_chosen_as_if_each_were_tried(given_matches, media_type, size, tags)


def assert_chosen_as_if_each_were_tried(
    given_matches: Iterable[Match], media_type: str = "text/css", size: int = 1, tags: Tags = NO_TAGS
) -> None:
    rules = [Rule(f"r{place}", 1, match, Policy()) for place, match in enumerate(given_matches)]
    every, first = (RuleChooser(rules, is_first_enough=is_first) for is_first in (False, True))
    for path in PATHS:
        subject = Subject(path, media_type, size, tags)
        matching_rules = tuple(rule for rule in rules if matches(rule.match, *subject))
        assert every.chosen(subject) == matching_rules
        assert first.chosen(subject) == matching_rules[:1]


def test_no_pattern_alone_is_passed_over() -> None:
    for match in (
        *(Match(paths=(glob,)) for glob in GLOBS),
        *(Match(expressions=(one,)) for one in EXPRESSIONS),
    ):
        assert_chosen_as_if_each_were_tried([match])
