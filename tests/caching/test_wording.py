import pytest

from apps.caching.rules import Bypass, BypassKind, Policy, Visibility
from apps.caching.wording import bypass_in_words, long_duration, policy_in_words, short_duration

DAY, YEAR = 86_400, 31_536_000


@pytest.mark.parametrize(
    ("seconds", "short", "long"),
    [
        (0, "0 s", "no time"),
        (1, "1 s", "a second"),
        (300, "5 min", "5 minutes"),
        (3600, "1 h", "an hour"),
        (5400, "1 h 30 min", "1 hour and 30 minutes"),
        (DAY, "1 d", "a day"),
        (YEAR, "1 y", "a year"),
        (2 * YEAR + DAY + 5, "2 y 1 d", "2 years and 1 day"),
    ],
)
def test_a_duration_is_told_in_its_largest_units(seconds: int, short: str, long: str) -> None:
    assert short_duration(seconds) == short
    assert long_duration(seconds) == long


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (
            Policy(browser_ttl_seconds=YEAR, is_immutable=True),
            "Browsers and shared caches may keep a copy for a year and need not ask again, "
            "not even on reload.",
        ),
        (
            Policy(browser_ttl_seconds=0, must_revalidate=True),
            "Browsers and shared caches may keep a copy, but ask the origin before each use whether it is "
            "still right.",
        ),
        (
            Policy(browser_ttl_seconds=300, shared_ttl_seconds=3600, must_revalidate=True),
            "Browsers may keep a copy for 5 minutes. Shared caches may keep a copy for an hour. "
            "After that they have to ask the origin before they use the copy again.",
        ),
        (
            Policy(browser_ttl_seconds=300, stale_while_revalidate_seconds=60, stale_if_error_seconds=DAY),
            "Browsers and shared caches may keep a copy for 5 minutes. For a minute after that they may "
            "show the old copy while they fetch the new one. While the origin fails they may go on with "
            "the old copy for up to a day.",
        ),
        (
            Policy(visibility=Visibility.PRIVATE, browser_ttl_seconds=60),
            "Browsers may keep a copy for a minute; shared caches may keep none.",
        ),
        (
            Policy(visibility=Visibility.NO_STORE),
            "Nobody may keep a copy: every request goes to the origin.",
        ),
    ],
)
def test_a_policy_is_told_in_sentences(policy: Policy, words: str) -> None:
    assert policy_in_words(policy) == words


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (BypassKind.QUERY, "The address has the parameter beta"),
        (BypassKind.COOKIE, "The request carries the cookie beta"),
        (BypassKind.HEADER, "The request has the header beta"),
        (BypassKind.PREVIEW, "The request is for a preview of a release"),
    ],
)
def test_a_bypass_condition_is_told_in_words(kind: BypassKind, words: str) -> None:
    assert bypass_in_words(Bypass(kind, "beta", "why")) == words
