"""What the rules say to one request: which rule decides, why, and what a cache may then do. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from apps.caching.combining import combined
from apps.caching.headers import NO_RULE, compile_header_set
from apps.caching.matching import NO_TAGS, Subject, Tags, explain, near_miss
from apps.caching.rules import Bypass, BypassKind, Combination, Policy, Rule, Visibility

PREVIEW = Bypass(
    BypassKind.PREVIEW,
    "preview",
    "A preview shows what is not published yet and changes with each edit, so nobody may keep it.",
)
PREVIEW_HEADERS = {"cache-control": "private, no-store", "x-robots-tag": "noindex"}

type Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Considered:
    """One rule, in the order in which they are tried, with a sentence on why it matches or does not.

    `near_miss` is a sentence where all of several conditions but one hold, else "".
    """

    rule: str
    matched: bool
    because: str
    version: int = 0
    near_miss: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes out for one request.

    `rule` is "" (version 0) where none matches. `is_cached` says whether any cache may answer without
    asking the origin, for so many seconds. `headers` are those of the answer.
    """

    path: str
    rule: str
    rule_version: int
    bypass: Bypass | None
    is_cached: bool
    browser_ttl_seconds: int
    shared_ttl_seconds: int
    headers: tuple[tuple[str, str], ...]
    considered: tuple[Considered, ...]


def path_of(url: str) -> str:
    """Return the path, without leading slash, of the file that `url` asks for."""
    path = unquote(urlsplit(url).path).removeprefix("/")
    return f"{path}index.html" if path == "" or path.endswith("/") else path


def evaluate(
    rules: Sequence[Rule],
    url: str,
    *,
    media_type: str,
    request_headers: Headers = (),
    size_bytes: int = 0,
    tags: Tags = NO_TAGS,
    preview_domain: str = "",
    combination: Combination = Combination.FIRST,
) -> Outcome:
    """Say what `rules`, in the order given, make of a request for `url`, a path or a whole URL.

    `media_type`, `size_bytes` and `tags` are those of the file that lies there. Raises `HeaderFault`.
    """
    path = path_of(url)
    subject = Subject(path, media_type, size_bytes, tags)
    considered = tuple(consider(rules, subject, combination))
    matching = [rule for rule, one in zip(rules, considered, strict=True) if one.matched]
    rule = combined(matching if combination is Combination.MERGE else matching[:1]) or NO_RULE
    bypass = _bypass(rule, url, request_headers, preview_domain)
    browser, shared = (0, 0) if bypass else ttls(rule.policy)
    return Outcome(
        path=path,
        rule=rule.slug,
        rule_version=rule.version,
        bypass=bypass,
        is_cached=bool(browser or shared),
        browser_ttl_seconds=browser,
        shared_ttl_seconds=shared,
        headers=_headers(rule, media_type, bypass),
        considered=considered,
    )


def ttls(policy: Policy) -> tuple[int, int]:
    """Return for how many seconds a browser, and a shared cache, may answer without asking."""
    if policy.visibility is Visibility.NO_STORE:
        return 0, 0
    browser = policy.browser_ttl_seconds or 0
    if policy.visibility is Visibility.PRIVATE:
        return browser, 0
    return browser, browser if policy.shared_ttl_seconds is None else policy.shared_ttl_seconds


def consider(
    rules: Sequence[Rule], subject: Subject, combination: Combination = Combination.FIRST
) -> Iterator[Considered]:
    """Yield what each of `rules`, in the order given, says to a file."""
    decided_by = ""
    for rule in rules:
        matched, because = explain(rule.match, *subject)
        if matched and decided_by:
            if combination is Combination.MERGE:
                because += f" It adds what {decided_by}, which comes before it, leaves open."
            else:
                because += f" But {decided_by} comes before it and has decided."
        missed = "" if matched else near_miss(rule.match, *subject)
        yield Considered(rule.slug, matched, because, rule.version, missed)
        if matched and not decided_by:
            decided_by = rule.slug


def _headers(rule: Rule, media_type: str, bypass: Bypass | None) -> tuple[tuple[str, str], ...]:
    headers = dict(compile_header_set(rule, media_type).headers)
    if bypass and bypass.kind is BypassKind.PREVIEW:
        headers |= PREVIEW_HEADERS
    return tuple(headers.items())


def _bypass(rule: Rule, url: str, request_headers: Headers, preview_domain: str) -> Bypass | None:
    """Return the first condition that holds; a preview is bypassed even where the rule does not say so."""
    present = _present(url, request_headers, preview_domain)
    conditions = (*rule.bypass_conditions, PREVIEW)
    return next((bypass for bypass in conditions if _key(bypass) in present), None)


def _key(bypass: Bypass) -> tuple[BypassKind, str]:
    if bypass.kind is BypassKind.PREVIEW:
        return bypass.kind, ""
    return bypass.kind, bypass.name.lower() if bypass.kind is BypassKind.HEADER else bypass.name


def _present(url: str, request_headers: Headers, preview_domain: str) -> set[tuple[BypassKind, str]]:
    """Return everything in the request that a bypass condition could name."""
    parts = urlsplit(url)
    headers = [(name.lower(), value) for name, value in request_headers]
    host = parts.hostname or next((value.partition(":")[0] for name, value in headers if name == "host"), "")
    cookies = [pair for name, value in headers if name == "cookie" for pair in value.split(";")]
    present = {(BypassKind.QUERY, name) for name in parse_qs(parts.query, keep_blank_values=True)}
    present |= {(BypassKind.HEADER, name) for name, _ in headers}
    present |= {(BypassKind.COOKIE, pair.partition("=")[0].strip()) for pair in cookies}
    if host == PREVIEW.name or (preview_domain and host.endswith(f".{preview_domain}")):
        present.add((BypassKind.PREVIEW, ""))
    return present
