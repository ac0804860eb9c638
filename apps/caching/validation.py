"""Why a rule may not be saved: every contradiction and danger in it, each at its field. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from apps.caching.headers import header_fault
from apps.caching.rules import Bypass, BypassKind, Example, Match, Policy, RuleContent, Visibility

MAX_TTL_SECONDS = 2**31 - 1  # RFC 9111 section 1.2.2: caches take anything above for this
MAX_GLOBS = 100
MAX_GLOB_LENGTH = 200
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/(?:\*|[a-z0-9][a-z0-9!#$&^_.+-]*)")
_EXTENSION = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong, and in which field, as in `policy.browser_ttl_seconds`."""

    field: str
    message: str


def content_faults(slug: str, content: RuleContent) -> list[FieldFault]:
    """Return everything that speaks against saving `content` as a version of the rule `slug`.

    Whether its examples hold is not looked at here: that takes the other rules.
    """
    return [
        *_words_faults(content),
        *_match_faults(content.match),
        *_policy_faults(content.policy),
        *_bypass_faults(content.bypass_conditions),
        *_examples_faults(slug, content.examples),
    ]


def _words_faults(content: RuleContent) -> Iterator[FieldFault]:
    for field, why in (
        ("name", "A rule needs a name that people can use in a conversation."),
        ("expected_result", "Say what should be better with this rule, so that somebody can check it."),
        ("rollback_note", "Say when to go back to the version before, and whom to tell."),
    ):
        if not getattr(content, field).strip():
            yield FieldFault(field, why)
    if len(content.name) > 120:
        yield FieldFault("name", "At most 120 characters.")
    if not 0 <= content.order <= 32_767:
        yield FieldFault("order", "A number from 0 to 32767; rules with a smaller one are tried first.")


def _match_faults(match: Match) -> Iterator[FieldFault]:
    if len(match.paths) > MAX_GLOBS:
        yield FieldFault("match.paths", f"At most {MAX_GLOBS} patterns; use ** or a second rule.")
    for place, glob in enumerate(match.paths):
        if glob.startswith("/"):
            yield FieldFault(f"match.paths[{place}]", "Paths have no leading slash: write css/** for /css/.")
        if not 0 < len(glob) <= MAX_GLOB_LENGTH or not glob.isprintable():
            yield FieldFault(f"match.paths[{place}]", f"Use 1 to {MAX_GLOB_LENGTH} printable characters.")
    for place, media_type in enumerate(match.media_types):
        if not _MEDIA_TYPE.fullmatch(media_type):
            yield FieldFault(f"match.media_types[{place}]", "Write text/css, or text/* for all of a kind.")
    for place, extension in enumerate(match.extensions):
        if not _EXTENSION.fullmatch(extension):
            yield FieldFault(f"match.extensions[{place}]", "Write the end of the name without its dot: css.")
    yield from _size_faults(match)


def _size_faults(match: Match) -> Iterator[FieldFault]:
    smallest, largest = match.min_size_bytes, match.max_size_bytes
    if smallest is not None and smallest < 0:
        yield FieldFault("match.min_size_bytes", "A size cannot be negative.")
    if largest is not None and largest < (smallest or 0):
        yield FieldFault("match.max_size_bytes", "No file is at most this large and not smaller than that.")


def _policy_faults(policy: Policy) -> Iterator[FieldFault]:
    durations = {
        "browser_ttl_seconds": policy.browser_ttl_seconds,
        "shared_ttl_seconds": policy.shared_ttl_seconds,
        "stale_while_revalidate_seconds": policy.stale_while_revalidate_seconds,
        "stale_if_error_seconds": policy.stale_if_error_seconds,
    }
    for field, seconds in durations.items():
        if seconds is not None and not 0 <= seconds <= MAX_TTL_SECONDS:
            yield FieldFault(f"policy.{field}", f"From 0 to {MAX_TTL_SECONDS} seconds.")
    if policy.visibility is Visibility.NO_STORE:
        for field, seconds in durations.items():
            if seconds is not None:
                yield FieldFault(f"policy.{field}", "With no-store nothing is kept, so it can have no time.")
    yield from _contradictions(policy)
    yield from _extra_header_faults(policy.extra_headers)


def _contradictions(policy: Policy) -> Iterator[FieldFault]:
    """Yield the directives that take each other back (RFC 9111 section 5.2.2, RFC 8246, RFC 5861)."""
    if policy.is_immutable and policy.visibility is Visibility.NO_STORE:
        yield FieldFault("policy.is_immutable", "What nobody may keep (no-store) cannot be immutable.")
    elif policy.is_immutable and not policy.browser_ttl_seconds:
        yield FieldFault("policy.is_immutable", "Immutable says nothing unless browsers may keep it a while.")
    if policy.visibility is Visibility.PRIVATE and policy.shared_ttl_seconds is not None:
        yield FieldFault("policy.shared_ttl_seconds", "Shared caches may keep nothing that is private.")
    is_stale_allowed = policy.stale_while_revalidate_seconds or policy.stale_if_error_seconds
    if policy.must_revalidate and is_stale_allowed:
        yield FieldFault(
            "policy.must_revalidate", "It forbids the old copies that the stale times allow: leave out one."
        )


def _extra_header_faults(headers: tuple[tuple[str, str], ...]) -> Iterator[FieldFault]:
    seen = set()
    for place, (name, value) in enumerate(headers):
        field = f"policy.extra_headers[{place}]"
        if fault := header_fault(name, value):
            yield FieldFault(field, f"{fault[0].upper()}{fault[1:]}.")
        if name.lower() in seen:
            yield FieldFault(field, f"{name} is there twice; join its values in one.")
        seen.add(name.lower())


def _bypass_faults(conditions: tuple[Bypass, ...]) -> Iterator[FieldFault]:
    for place, bypass in enumerate(conditions):
        field = f"bypass_conditions[{place}]"
        if bypass.kind is not BypassKind.PREVIEW and not _TOKEN.fullmatch(bypass.name):
            yield FieldFault(f"{field}.name", f"Name the {bypass.kind} that makes caches step aside.")
        if not bypass.reason.strip():
            yield FieldFault(f"{field}.reason", "Say why a cache must not answer these requests.")


def _examples_faults(slug: str, examples: tuple[Example, ...]) -> Iterator[FieldFault]:
    if not any(example.rule == slug for example in examples):
        yield FieldFault("examples", f"At least one has to show a request that {slug!r} decides about.")
    for place, example in enumerate(examples):
        if not _is_url(example.url):
            yield FieldFault(f"examples[{place}].url", "A path such as /css/app.css, or a whole http URL.")


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return url.isprintable() and (
        (parts.scheme in {"http", "https"} and bool(parts.hostname))
        or (parts.scheme == "" and url.startswith("/") and not url.startswith("//"))
    )
