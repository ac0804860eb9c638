"""Rules said in plain words, for the pages and for the command line."""

from collections.abc import Iterator

from apps.caching.rules import Bypass, BypassKind, Combination, Policy, RuleState, Visibility

_UNITS = (
    (31_536_000, "y", "year"),
    (86_400, "d", "day"),
    (3_600, "h", "hour"),
    (60, "min", "minute"),
    (1, "s", "second"),
)


def short_duration(seconds: int) -> str:
    """Return a duration as in a table: "1 y", "1 h 30 min"."""
    return " ".join(f"{count} {short}" for count, short, _ in _parts(seconds)) or "0 s"


def long_duration(seconds: int) -> str:
    """Return a duration as in a sentence: "a year", "1 hour and 30 minutes"."""
    parts = list(_parts(seconds))
    if len(parts) == 1 and parts[0][0] == 1:
        word = parts[0][2]
        return f"an {word}" if word == "hour" else f"a {word}"
    return " and ".join(f"{count} {word}{'s' * (count > 1)}" for count, _, word in parts) or "no time"


def policy_in_words(policy: Policy) -> str:
    """Say in sentences what caches may do under `policy`."""
    return " ".join(_sentences(policy))


def bypass_in_words(bypass: Bypass) -> str:
    """Say which requests a bypass condition is about."""
    return {
        BypassKind.QUERY: f"The address has the parameter {bypass.name}",
        BypassKind.COOKIE: f"The request carries the cookie {bypass.name}",
        BypassKind.HEADER: f"The request has the header {bypass.name}",
        BypassKind.PREVIEW: "The request is for a preview of a release",
    }[bypass.kind]


def combination_in_words(combination: Combination) -> str:
    """Say what becomes of a file that several rules match: "the first decides"."""
    return {Combination.FIRST: "the first decides", Combination.MERGE: "all are merged"}[combination]


def mending_in_words(state: RuleState) -> str:
    """Say what to do about the examples of other rules that a rule breaks, which is in this state now."""
    if state is RuleState.DISABLED:
        return "Change those examples, or let this rule be active."
    return "Change those examples, narrow what this rule matches, or move it."


def _sentences(policy: Policy) -> Iterator[str]:
    if policy.visibility is Visibility.NO_STORE:
        yield "Nobody may keep a copy: every request goes to the origin."
        return
    yield _keeping(policy)
    if policy.must_revalidate and policy.browser_ttl_seconds:
        yield "After that they have to ask the origin before they use the copy again."
    if policy.stale_while_revalidate_seconds:
        duration = long_duration(policy.stale_while_revalidate_seconds)
        yield f"For {duration} after that they may show the old copy while they fetch the new one."
    if policy.stale_if_error_seconds:
        duration = long_duration(policy.stale_if_error_seconds)
        yield f"While the origin fails they may go on with the old copy for up to {duration}."
    if policy.cdn_ttl_seconds is not None and policy.visibility is Visibility.PUBLIC:
        yield f"{_kept('CDNs that read CDN-Cache-Control', policy.cdn_ttl_seconds)}."
    if policy.forbids_transform:
        yield "Nobody on the way may change the file, not even to make it smaller."
    if policy.allowed_origin:
        everybody = policy.allowed_origin == "*"
        yield f"Scripts of {'every site' if everybody else policy.allowed_origin} may read it."


def _keeping(policy: Policy) -> str:
    browser = policy.browser_ttl_seconds or 0
    if policy.visibility is Visibility.PRIVATE:
        return f"{_kept('Browsers', browser)}{_unasked(policy)}; shared caches may keep none."
    shared = browser if policy.shared_ttl_seconds is None else policy.shared_ttl_seconds
    if shared == browser:
        return f"{_kept('Browsers and shared caches', browser)}{_unasked(policy)}."
    return f"{_kept('Browsers', browser)}{_unasked(policy)}. {_kept('Shared caches', shared)}."


def _kept(who: str, seconds: int) -> str:
    if not seconds:
        return f"{who} may keep a copy, but ask the origin before each use whether it is still right"
    return f"{who} may keep a copy for {long_duration(seconds)}"


def _unasked(policy: Policy) -> str:
    return " and need not ask again, not even on reload" if policy.is_immutable else ""


def _parts(seconds: int) -> list[tuple[int, str, str]]:
    """Split into the largest units, of which the first two that are not zero are told."""
    parts = []
    for size, short, long in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append((count, short, long))
    return parts[:2]
