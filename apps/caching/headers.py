"""What a rule's policy becomes on the wire: the headers that a file is served with.

`Cache-Control` has to be right by itself, since nginx, Varnish, Squid, Apache and Fastly do not read
`CDN-Cache-Control` (RFC 9213).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from apps.caching.choosing import RuleChooser
from apps.caching.combining import combined
from apps.caching.lists import SEPARATORS, added_up
from apps.caching.matching import NO_TAGS, Subject, Tags
from apps.caching.rules import Combination, HeaderSet, Match, Policy, Rule, Visibility

COMPILER = 2  # part of the rules' digest: count it up when the same rules give other headers

# What a file that no rule speaks of gets: kept by nobody without asking, and in a sandbox.
NO_RULE = Rule(slug="", version=0, match=Match(), policy=Policy())

ALLOWED_EXTRA_HEADERS = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "access-control-max-age",
        "cache-tag",
        "content-disposition",
        "content-language",
        "content-security-policy",
        "cross-origin-embedder-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "link",
        "origin-agent-cluster",
        "permissions-policy",
        "referrer-policy",
        "service-worker-allowed",
        "sourcemap",
        "surrogate-key",
        "timing-allow-origin",
        "vary",
        "x-frame-options",
        "x-robots-tag",
    }
)
_LATER_IN_MATCH = ("folders", "expressions", "tags")
_LATER_IN_POLICY = ("cdn_ttl_seconds", "vary", "surrogate_keys", "allowed_origin")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")  # RFC 9110 section 5.5, without obs-text
_TEXT_TYPES = frozenset(
    {"application/javascript", "application/json", "application/manifest+json", "application/xml"}
)
_ACTIVE_TYPES = frozenset({"application/pdf", "application/xml", "text/html", "text/xml", "text/xsl"})


class HeaderFault(ValueError):
    """A header that a rule may not send; its words say why."""


def header_fault(name: str, value: str) -> str | None:
    """Return why a rule may not send this header, or None if it may."""
    if not _TOKEN.fullmatch(name):
        return f"{name!r} is not a header name"
    if name.lower() not in ALLOWED_EXTRA_HEADERS:
        return f"{name} is not a header that a rule may send"
    if not _VALUE.fullmatch(value):
        return f"the value of {name} must be printable ASCII on one line, and not empty"
    return None


def cache_control(policy: Policy) -> str:
    """Return the value of Cache-Control (RFC 9111 section 5.2.2, RFC 8246, RFC 5861)."""
    if policy.visibility is Visibility.NO_STORE:
        return "no-store"
    return ", ".join(_directives(policy))


def content_type(media_type: str) -> str:
    """Return the value of Content-Type: text says that it is UTF-8."""
    is_text = media_type.startswith("text/") or media_type in _TEXT_TYPES
    return f"{media_type}; charset=utf-8" if is_text or media_type.endswith("+xml") else media_type


def is_active_content(media_type: str) -> bool:
    """Say whether a browser that opens a file of this type would run what is in it."""
    return media_type in _ACTIVE_TYPES or media_type.endswith("+xml")


def compile_headers(policy: Policy, media_type: str) -> tuple[tuple[str, str], ...]:
    """Return the headers, names in lower case, of a file of this type under `policy`.

    Raises `HeaderFault` where the policy asks for a header that no rule may send.
    """
    extra = dict(_checked_extra_headers(policy))
    headers = [
        ("content-type", content_type(media_type)),
        ("cache-control", cache_control(policy)),
        ("x-content-type-options", "nosniff"),
    ]
    if is_active_content(media_type) and not policy.is_trusted_active_content:
        headers.append(("content-security-policy", _in_sandbox(extra.pop("content-security-policy", ""))))
    for name, value in _stated_headers(policy):
        own = extra.pop(name, "")  # of what is no list there can be one
        headers.append((name, added_up(name, value, own) if name in SEPARATORS else own or value))
    return (*headers, *extra.items())


def cdn_cache_control(policy: Policy) -> str:
    """Return the value of CDN-Cache-Control (RFC 9213), "" where the policy has no words for CDNs.

    A cache that reads it ignores Cache-Control (section 2.2), so that it repeats what counts for all caches.
    """
    seconds = policy.cdn_ttl_seconds
    if seconds is None or policy.visibility is not Visibility.PUBLIC:
        return ""
    return ", ".join([f"max-age={seconds}", *_strict_directives(policy), *_stale_directives(policy)])


def _stated_headers(policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield the headers that the fields of a policy stand for, beside Cache-Control."""
    if for_cdns := cdn_cache_control(policy):
        yield "cdn-cache-control", for_cdns
        yield "surrogate-control", for_cdns
    if policy.surrogate_keys:
        # Fastly and Varnish (xkey) read the one, separated by spaces, Cloudflare the other, by commas.
        yield "surrogate-key", " ".join(policy.surrogate_keys)
        yield "cache-tag", ",".join(policy.surrogate_keys)
    if policy.allowed_origin:
        yield "access-control-allow-origin", policy.allowed_origin
    if varying := varied_headers(policy):
        yield "vary", ", ".join(varying)


def varied_headers(policy: Policy) -> tuple[str, ...]:
    """Return the request headers by which copies are kept apart, beside Accept-Encoding."""
    # An answer that names one origin is wrong for another one (Fetch standard, CORS protocol and caches).
    needed = ("Origin",) if _named_origin(policy) not in {"", "*"} else ()
    given = {name.lower(): name for name in (*policy.vary, *needed)}
    return tuple(given.values())


def _named_origin(policy: Policy) -> str:
    named = (value for name, value in policy.extra_headers if name.lower() == "access-control-allow-origin")
    return next(named, policy.allowed_origin)


def _in_sandbox(own: str) -> str:
    """Return a Content-Security-Policy with a sandbox that lets nothing through, and all that `own` says.

    Policies in one list are all enforced, so that a rule's own can only add to the sandbox.
    """
    has_one = "sandbox" in (policy.strip().lower() for policy in own.split(","))
    return own if has_one else f"sandbox, {own}" if own else "sandbox"


class HeaderCompiler:
    """Gives each file the headers of the first of `rules` that matches it, or of all that do, merged.

    `digest` (SHA-256, hex) covers all the rules, their order, how they combine, and the tags that they ask
    for: manifests with the same one were compiled alike. Raises `HeaderFault` for a rule whose headers may
    not be sent.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        combination: Combination = Combination.FIRST,
        tagged: Mapping[str, Tags] | None = None,
    ) -> None:
        """`tagged` are the paths that carry tags of `tags_asked_for(rules)`, each with those of them."""
        for rule in rules:
            _checked_extra_headers(rule.policy)
        self.rules = tuple(rules)
        self.combination = combination
        self.tagged = tagged or {}
        self.digest = _digest(_canonical(self.rules, combination, self.tagged))
        self._chooser = RuleChooser(self.rules, is_first_enough=combination is Combination.FIRST)
        # By identity: `rules` keeps them, and the hash of all that a rule says takes longer than the rest.
        self._header_sets: dict[tuple[str | int, ...], HeaderSet] = {}

    def header_set(
        self, path: str, media_type: str, size_bytes: int, *, name: str | None = None
    ) -> HeaderSet:
        """Return the headers of the file at `path`; one object for all files of the same rules and type.

        `name` is its fingerprinted name, where it is asked for by that one.
        """
        tags = self.tagged.get(path, NO_TAGS)
        chosen = self._chooser.chosen(Subject(name or path, media_type, size_bytes, tags))
        key: tuple[str | int, ...] = (media_type, *map(id, chosen))
        known = self._header_sets.get(key)
        if known is None:
            known = compile_header_set(combined(chosen) or NO_RULE, media_type)
            self._header_sets[key] = known
        return known


def tags_asked_for(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the tags that any of `rules` matches by."""
    return frozenset(tag for rule in rules for tag in rule.match.tags)


def compile_header_set(rule: Rule, media_type: str) -> HeaderSet:
    """Return the headers of a file of this type that `rule` decides about. Raises `HeaderFault`."""
    headers = compile_headers(rule.policy, media_type)
    return HeaderSet(rule.slug, rule.version, headers, header_set_digest(rule.slug, rule.version, headers))


def header_set_digest(rule: str, version: int, headers: tuple[tuple[str, str], ...]) -> str:
    """Return the SHA-256 (hex) of a header set: of its rule, the rule's version, and its headers."""
    return _digest({"rule": rule, "version": version, "headers": headers})


def _directives(policy: Policy) -> Iterator[str]:
    has_ttl = policy.browser_ttl_seconds is not None or policy.shared_ttl_seconds is not None
    if has_ttl or policy.visibility is Visibility.PRIVATE:
        yield str(policy.visibility)
    yield f"max-age={policy.browser_ttl_seconds or 0}" if has_ttl else "no-cache"
    if policy.shared_ttl_seconds is not None:
        yield f"s-maxage={policy.shared_ttl_seconds}"
    yield from _strict_directives(policy)
    if policy.is_immutable:
        yield "immutable"
    yield from _stale_directives(policy)


def _strict_directives(policy: Policy) -> Iterator[str]:
    if policy.must_revalidate:
        yield "must-revalidate"
    if policy.forbids_transform:
        yield "no-transform"


def _stale_directives(policy: Policy) -> Iterator[str]:
    if policy.stale_while_revalidate_seconds is not None:
        yield f"stale-while-revalidate={policy.stale_while_revalidate_seconds}"
    if policy.stale_if_error_seconds is not None:
        yield f"stale-if-error={policy.stale_if_error_seconds}"


def _canonical(
    rules: tuple[Rule, ...], combination: Combination, tagged: Mapping[str, Tags]
) -> dict[str, object]:
    """Return what a digest of rules is taken over: fields that came later count only where they are set."""
    canonical: dict[str, object] = {"compiler": COMPILER, "rules": [_canonical_rule(rule) for rule in rules]}
    if combination is not Combination.FIRST:
        canonical["combination"] = combination
    if tags_asked_for(rules):
        canonical["tagged"] = [(path, sorted(tags)) for path, tags in sorted(tagged.items())]
    return canonical


def _canonical_rule(rule: Rule) -> dict[str, object]:
    values = asdict(rule)
    for part, names in (("match", _LATER_IN_MATCH), ("policy", _LATER_IN_POLICY)):
        for name in names:
            if values[part][name] in (None, (), ""):
                del values[part][name]
    if not rule.policy.forbids_transform:
        del values["policy"]["forbids_transform"]
    return values


def _checked_extra_headers(policy: Policy) -> tuple[tuple[str, str], ...]:
    for name, value in policy.extra_headers:
        if fault := header_fault(name, value):
            raise HeaderFault(f"{fault}.")
    return tuple((name.lower(), value) for name, value in policy.extra_headers)


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
