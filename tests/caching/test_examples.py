import pytest

from apps.assets.media_types import media_type_of
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.evaluation import PREVIEW, evaluate, path_of
from apps.caching.examples import expected_in_words, guess_media_type, run_examples, seen_in_words
from apps.caching.rules import (
    Bypass,
    BypassKind,
    Combination,
    Example,
    Match,
    Policy,
    Rule,
    RuleContent,
    Visibility,
)

RULES = tuple(
    Rule(slug, 1, content.match, content.policy, content.bypass_conditions)
    for slug, content in sorted(DEFAULT_RULES.items(), key=lambda item: item[1].order)
)


def words_of(example: Example, rules: tuple[Rule, ...] = RULES) -> tuple[bool, str]:
    [result] = run_examples(rules, [example], preview_domain="preview.example.com")
    return result.is_ok, result.words


@pytest.mark.parametrize("slug", DEFAULT_RULES)
def test_the_examples_of_a_shipped_rule_hold(slug: str) -> None:
    results = run_examples(RULES, DEFAULT_RULES[slug].examples)
    assert [result.words for result in results if not result.is_ok] == []


@pytest.mark.parametrize("content", DEFAULT_RULES.values(), ids=DEFAULT_RULES)
def test_a_shipped_rule_shows_what_it_does_and_what_it_does_not(content: RuleContent) -> None:
    slug = next(name for name, found in DEFAULT_RULES.items() if found is content)
    assert {example.rule == slug for example in content.examples} == {True, False}
    assert content.expected_result
    assert content.rollback_note
    assert content.description
    assert content.bypass_conditions


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/", "index.html"),
        ("/docs/", "docs/index.html"),
        ("/docs", "docs"),
        ("https://example.com/css/app.css?v=2#top", "css/app.css"),
        ("https://example.com", "index.html"),
        ("/gr%C3%BC%C3%9Fe%2520.txt", "grüße%20.txt"),
    ],
)
def test_the_path_of_a_url(url: str, path: str) -> None:
    assert path_of(url) == path


@pytest.mark.parametrize("path", ["fonts/a.ttf", "fonts/a.woff", "fonts/a.OTF"])
def test_a_file_of_an_example_has_the_type_that_it_has_when_it_is_uploaded(path: str) -> None:
    assert media_type_of(path, b"").startswith("font/")
    fonts = Rule("fonts", 1, Match(media_types=("font/*",)), Policy(browser_ttl_seconds=60))
    assert words_of(Example(f"/{path}", is_cached=True, rule="fonts"), (fonts,)) == (True, "cached 1 min")


def test_a_wrong_ttl_is_told_with_what_it_is_and_by_which_rule() -> None:
    example = Example("/css/app.3f2a9c.css", rule="fingerprinted", is_cached=True, browser_ttl_seconds=300)
    assert words_of(example) == (False, "expected 5 min, is 1 y (rule: fingerprinted)")


def test_a_wrong_shared_ttl_is_told_as_that() -> None:
    example = Example("/app.css", rule="everything", is_cached=True, shared_ttl_seconds=5400)
    assert words_of(example) == (False, "expected 1 h 30 min in shared caches, is 5 min (rule: everything)")


def test_another_rule_is_told() -> None:
    example = Example("/", rule="everything", is_cached=True)
    assert words_of(example) == (
        False,
        "expected to be decided by everything, expected cached, is checked with the origin each time "
        "(rule: pages)",
    )


def test_what_is_cached_and_should_not_be_is_told() -> None:
    example = Example("/app.css", rule="everything", is_cached=False)
    assert words_of(example) == (False, "expected not cached, is cached 5 min (rule: everything)")


def test_no_rule_can_be_expected_and_found() -> None:
    assert words_of(Example("/a", rule="", is_cached=False), rules=())[0]
    assert words_of(Example("/a", rule="pages", is_cached=False), rules=()) == (
        False,
        "expected to be decided by pages (rule: none)",
    )
    ok, words = words_of(Example("/a", rule="", is_cached=False))
    assert not ok
    assert words.startswith("expected to be decided by no rule")


def test_a_size_can_be_given() -> None:
    rules = (Rule("large", 1, Match(min_size_bytes=1000), Policy(browser_ttl_seconds=60)),)
    assert words_of(Example("/a", rule="large", is_cached=True, size_bytes=1000), rules)[0]
    assert words_of(Example("/a", rule="", is_cached=False, size_bytes=999), rules)[0]


def test_tags_can_be_given() -> None:
    rules = (Rule("sale", 1, Match(tags=("sale",)), Policy(browser_ttl_seconds=60)),)
    assert words_of(Example("/a", rule="sale", is_cached=True, tags=("old", "sale")), rules)[0]
    assert words_of(Example("/a", rule="", is_cached=False, tags=("old",)), rules)[0]


def test_rules_are_merged_where_they_are_to_be() -> None:
    rules = (Rule("a", 1, Match(), Policy()), Rule("b", 1, Match(), Policy(browser_ttl_seconds=60)))
    example = Example("/a", rule="a", is_cached=True, browser_ttl_seconds=60)
    found = {how: run_examples(rules, [example], combination=how)[0].is_ok for how in Combination}
    assert found == {Combination.FIRST: False, Combination.MERGE: True}


@pytest.mark.parametrize(
    ("example", "words"),
    [
        (Example("/", is_cached=False, rule=""), "not cached, by no rule"),
        (Example("/", is_cached=False, rule="a", browser_ttl_seconds=0), "not cached, by a"),
        (Example("/", is_cached=True, rule="a"), "cached, by a"),
        (Example("/", True, "a", browser_ttl_seconds=60), "cached 1 min in browsers, by a"),
        (Example("/", True, "a", shared_ttl_seconds=60), "cached 1 min in shared caches, by a"),
        (Example("/", True, "a", 60, 60), "cached 1 min, by a"),
        (Example("/", True, "a", 60, 3600), "cached 1 min in browsers, 1 h in shared caches, by a"),
    ],
)
def test_what_an_example_expects_in_words(example: Example, words: str) -> None:
    assert expected_in_words(example) == words


@pytest.mark.parametrize(
    ("rules", "url", "words"),
    [
        ((), "/a", "checked with the origin each time, by no rule"),
        (RULES, "/a.css", "cached 5 min, by everything"),
        (RULES, "http://preview/a.css", f"not cached, by everything: {PREVIEW.reason}"),
    ],
)
def test_what_became_of_a_request_in_words(rules: tuple[Rule, ...], url: str, words: str) -> None:
    assert seen_in_words(evaluate(rules, url, media_type=guess_media_type(path_of(url)))) == words


def test_different_ttls_are_both_told() -> None:
    policy = Policy(browser_ttl_seconds=60, shared_ttl_seconds=3600)
    rules = (Rule("all", 1, Match(), policy),)
    assert words_of(Example("/a", rule="all", is_cached=True), rules) == (
        True,
        "cached 1 min in browsers, 1 h in shared caches",
    )


BYPASSED = Rule(
    "all",
    1,
    Match(),
    Policy(browser_ttl_seconds=60),
    (
        Bypass(BypassKind.QUERY, "nocache", "Somebody looks at the origin."),
        Bypass(BypassKind.COOKIE, "beta", "Testers see other files."),
        Bypass(BypassKind.HEADER, "X-Debug", "Somebody debugs."),
    ),
)


@pytest.mark.parametrize(
    ("url", "request_headers", "reason"),
    [
        ("/a?nocache", (), "Somebody looks at the origin."),
        ("/a?b=1&nocache=2", (), "Somebody looks at the origin."),
        ("/a", (("Cookie", "x=1; beta=yes"),), "Testers see other files."),
        ("/a", (("x-debug", "1"),), "Somebody debugs."),
        ("http://preview/a", (), PREVIEW.reason),
        ("http://r1-x.preview.example.com:8000/a", (), PREVIEW.reason),
        ("/a", (("Host", "r1-x.preview.example.com:8000"),), PREVIEW.reason),
    ],
)
def test_a_bypassed_request_is_not_cached_and_says_why(
    url: str, request_headers: tuple[tuple[str, str], ...], reason: str
) -> None:
    example = Example(url, rule="all", is_cached=False, request_headers=request_headers)
    assert words_of(example, (BYPASSED,)) == (True, f"not cached: {reason}")


@pytest.mark.parametrize(
    ("url", "request_headers"),
    [
        ("/nocache", ()),
        ("/a?NOCACHE=1", ()),
        ("/a?b=nocache", ()),
        ("/a", (("Cookie", "x=beta; betamax=1"),)),
        ("/a", (("Debug", "X-Debug"),)),
        ("http://example.com/a", ()),
        ("http://notpreview.example.com/a", ()),
    ],
)
def test_a_request_that_only_resembles_a_bypass_is_cached(
    url: str, request_headers: tuple[tuple[str, str], ...]
) -> None:
    example = Example(url, rule="all", is_cached=True, request_headers=request_headers)
    assert words_of(example, (BYPASSED,)) == (True, "cached 1 min")


def test_a_preview_is_never_kept_even_where_the_rule_forgets_to_say_so() -> None:
    rules = (Rule("all", 1, Match(), Policy(browser_ttl_seconds=60)),)
    outcome = evaluate(rules, "http://preview/a.css", media_type="text/css")
    assert outcome.bypass == PREVIEW
    assert dict(outcome.headers)["cache-control"] == "private, no-store"
    assert dict(outcome.headers)["x-robots-tag"] == "noindex"
    assert (outcome.browser_ttl_seconds, outcome.shared_ttl_seconds) == (0, 0)
    at_a_host_with_a_dot = evaluate(rules, "http://example.com./a.css", media_type="text/css")
    assert at_a_host_with_a_dot.bypass is None


def test_the_origin_answers_what_caches_step_aside_for_as_anything_else() -> None:
    plain, aside = (evaluate((BYPASSED,), url, media_type="text/css") for url in ("/a", "/a?nocache"))
    assert (plain.is_cached, aside.is_cached) == (True, False)
    assert aside.headers == plain.headers
    assert dict(aside.headers)["cache-control"] == "public, max-age=60"


@pytest.mark.parametrize(
    ("policy", "ttls"),
    [
        (Policy(browser_ttl_seconds=60), (60, 60)),
        (Policy(browser_ttl_seconds=60, shared_ttl_seconds=0), (60, 0)),
        (Policy(shared_ttl_seconds=60), (0, 60)),
        (Policy(), (0, 0)),
        (Policy(visibility=Visibility.PRIVATE, browser_ttl_seconds=60), (60, 0)),
        (Policy(visibility=Visibility.NO_STORE, browser_ttl_seconds=60), (0, 0)),
    ],
)
def test_the_times_for_browsers_and_shared_caches(policy: Policy, ttls: tuple[int, int]) -> None:
    outcome = evaluate((Rule("all", 1, Match(), policy),), "/a", media_type="text/css")
    assert (outcome.browser_ttl_seconds, outcome.shared_ttl_seconds) == ttls
    assert outcome.is_cached is any(ttls)


def test_an_evaluation_tells_of_every_rule_why_it_matches_or_not() -> None:
    outcome = evaluate(RULES, "/about.3f2a9c.html", media_type="text/html")
    assert outcome.rule == "pages"
    assert [(c.rule, c.matched, c.because) for c in outcome.considered] == [
        ("pages", True, "Its type is text/html or application/xhtml+xml."),
        (
            "fingerprinted",
            True,
            "Its name carries a content hash. But pages comes before it and has decided.",
        ),
        ("everything", True, "It matches every file. But pages comes before it and has decided."),
    ]
    outcome = evaluate(RULES, "/site.css", media_type="text/css")
    assert [(c.rule, c.matched) for c in outcome.considered] == [
        ("pages", False),
        ("fingerprinted", False),
        ("everything", True),
    ]
