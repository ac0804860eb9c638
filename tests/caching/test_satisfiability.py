from typing import Any

import pytest

from apps.caching.evaluation import PREVIEW
from apps.caching.examples import guess_media_type
from apps.caching.rules import Bypass, BypassKind, Example, Match, Policy, RuleContent, Visibility
from apps.caching.satisfiability import impossible_examples

MINUTE = Policy(browser_ttl_seconds=60)
ASKED = (Bypass(BypassKind.QUERY, "q", "Support asks for it."),)
BROWSERS = "“how long browsers keep it”"


def why(
    policy: Policy,
    *,
    url: str = "/a.css",
    rule: str = "one",
    is_cached: bool = True,
    match: Match | None = None,
    bypass: tuple[Bypass, ...] = (),
    **fields: Any,
) -> str:
    """Return why an example of the rule `one` can never hold, "" where it can."""
    example = Example(url, is_cached, rule, **fields)
    content = RuleContent("One", 1, match or Match(), policy, "better", "go back", "", bypass, (example,))
    found = list(impossible_examples("one", content, guess_media_type, "preview.localhost"))
    assert [fault.field for fault in found] == ["examples[0]"] * len(found)
    return "".join(fault.message for fault in found)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy(visibility=Visibility.NO_STORE), "“who may keep a copy”"),
        (Policy(browser_ttl_seconds=0, shared_ttl_seconds=0), BROWSERS),
        (Policy(visibility=Visibility.PRIVATE, browser_ttl_seconds=0), BROWSERS),
    ],
)
def test_what_nobody_may_keep_is_not_cached_whatever_other_rules_say(policy: Policy, words: str) -> None:
    assert why(policy) == (
        f"/a.css can never hold: it is to be cached, but {words} leaves no time. Change that, or the example."
    )
    assert why(policy, is_cached=False) == ""
    assert why(policy, rule="another") == ""


@pytest.mark.parametrize(
    "policy",
    [
        MINUTE,
        Policy(),
        Policy(browser_ttl_seconds=0),
        Policy(browser_ttl_seconds=0, shared_ttl_seconds=60),
        Policy(shared_ttl_seconds=0),
        Policy(visibility=Visibility.PRIVATE),
        Policy(visibility=Visibility.PRIVATE, browser_ttl_seconds=60),
    ],
)
def test_what_a_rule_keeps_or_leaves_open_can_be_cached(policy: Policy) -> None:
    assert why(policy) == ""


def test_a_condition_to_step_aside_is_said_with_its_reason() -> None:
    assert "“When not” says that nobody may keep it. Support asks for it." in why(
        MINUTE, url="/a.css?q", bypass=ASKED
    )
    assert PREVIEW.reason in why(MINUTE, url="http://r1-x.preview.localhost/a.css")
    small_sale = Match(tags=("sale",), max_size_bytes=9)
    assert "Support asks for it." in why(
        MINUTE, url="/a.css?q", bypass=ASKED, match=small_sale, size_bytes=9, tags=("sale",)
    )
    assert why(MINUTE, url="/a.css?r", bypass=ASKED) == ""


def test_what_is_not_cached_has_no_time_by_any_rule() -> None:
    assert "has no time" in why(MINUTE, is_cached=False, rule="another", browser_ttl_seconds=60)
    assert "has no time" in why(MINUTE, is_cached=False, rule="another", shared_ttl_seconds=60)
    assert why(MINUTE, is_cached=False, browser_ttl_seconds=0, shared_ttl_seconds=0) == ""


def test_a_rule_decides_about_nothing_that_it_does_not_match() -> None:
    sale = Match(tags=("sale",), extensions=("css",))
    assert why(MINUTE, match=Match(paths=("b",))).endswith(
        "does not match. Its path does not fit b. Change what it matches, or the example."
    )
    assert why(MINUTE, match=Match(max_size_bytes=9)).endswith("Change what it matches, or the example.")
    assert why(MINUTE, match=Match(max_size_bytes=9), size_bytes=9) == ""
    assert why(MINUTE, match=sale).endswith("Give the example that tag as well.")
    assert why(MINUTE, match=sale, tags=("sale",)) == ""
    assert "does not end in .css. Change what" in why(MINUTE, match=sale, url="/a.js", tags=("sale",))
