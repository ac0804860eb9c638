"""Why a rule may not be saved: every contradiction and danger in it, each at its field. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from apps.caching.headers import header_fault
from apps.caching.matching import expression_fault
from apps.caching.rules import Bypass, BypassKind, Example, Match, Policy, RuleContent, Visibility
from apps.caching.surrogate_keys import SURROGATE_KEY
from apps.origins import origin_of
from apps.tag_names import MAX_TAGS, tag_fault
from apps.texts import is_storable

MAX_TTL_SECONDS = 2**31 - 1  # RFC 9111 section 1.2.2: caches take anything above for this
MAX_SIZE_BYTES = 2**63 - 1  # no file system has larger files
MAX_HEADER_LENGTH = 4_000  # caches refuse an answer whose head is too long, and with it the file
MAX_GLOBS = 100
MAX_GLOB_LENGTH = 200
MAX_EXPRESSIONS = 20
MAX_BYPASS_NAME = 100  # caches are configured with it: Varnish takes no header's name above 126
# Request headers that tell one visitor from another, or that nobody can count.
UNBOUNDED_HEADERS = frozenset({"cookie", "user-agent", "referer", "date", "x-forwarded-for"})
STATED_HEADERS: dict[str, Callable[[Policy], bool]] = {
    "vary": lambda policy: bool(policy.vary),
    "surrogate-key": lambda policy: bool(policy.surrogate_keys),
    "cache-tag": lambda policy: bool(policy.surrogate_keys),
    "access-control-allow-origin": lambda policy: bool(policy.allowed_origin),
}
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
        *_text_faults(asdict(content), ""),
        *_words_faults(content),
        *_match_faults(content.match),
        *_policy_faults(content.policy),
        *_bypass_faults(content.bypass_conditions),
        *_examples_faults(slug, content.examples),
    ]


def _text_faults(value: object, where: str) -> Iterator[FieldFault]:
    if isinstance(value, str):
        if not is_storable(value):
            yield FieldFault(where, "It has a character that no text has: NUL, or half of a surrogate pair.")
    elif isinstance(value, Mapping):
        for name, found in value.items():
            yield from _text_faults(found, f"{where}.{name}" if where else name)
    elif isinstance(value, Sequence):
        for place, found in enumerate(value):
            yield from _text_faults(found, f"{where}[{place}]")


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
    yield from _folder_faults(match.folders)
    yield from _expression_faults(match.expressions)
    yield from _size_faults(match)
    yield from _tag_faults("match.tags", match.tags)


def _tag_faults(field: str, tags: tuple[str, ...]) -> Iterator[FieldFault]:
    if len(tags) > MAX_TAGS:
        yield FieldFault(field, f"At most {MAX_TAGS} tags.")
    for place, tag in enumerate(tags):
        if fault := tag_fault(tag):
            yield FieldFault(f"{field}[{place}]", fault)


def _folder_faults(folders: tuple[str, ...]) -> Iterator[FieldFault]:
    if len(folders) > MAX_GLOBS:
        yield FieldFault("match.folders", f"At most {MAX_GLOBS} folders.")
    for place, folder in enumerate(folders):
        if not 0 < len(folder) <= MAX_GLOB_LENGTH or folder.strip("/") != folder or not folder.isprintable():
            yield FieldFault(
                f"match.folders[{place}]", "Write a folder without its outer slashes: img/icons."
            )


def _expression_faults(expressions: tuple[str, ...]) -> Iterator[FieldFault]:
    if len(expressions) > MAX_EXPRESSIONS:
        yield FieldFault("match.expressions", f"At most {MAX_EXPRESSIONS} expressions.")
    for place, expression in enumerate(expressions):
        field = f"match.expressions[{place}]"
        if not 0 < len(expression) <= MAX_GLOB_LENGTH or not expression.isprintable():
            yield FieldFault(field, f"Use 1 to {MAX_GLOB_LENGTH} printable characters.")
        elif fault := expression_fault(expression):
            # What RE2 lacks is what makes other engines slow: back references and look-around.
            yield FieldFault(field, f"RE2, which takes linear time, cannot use it: {fault}.")


def _size_faults(match: Match) -> Iterator[FieldFault]:
    smallest, largest = match.min_size_bytes, match.max_size_bytes
    for field, size in (("min_size_bytes", smallest), ("max_size_bytes", largest)):
        if size is not None and size > MAX_SIZE_BYTES:
            yield FieldFault(f"match.{field}", "No file is as large as that.")
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
        "cdn_ttl_seconds": policy.cdn_ttl_seconds,
    }
    for field, seconds in durations.items():
        if seconds is not None and not 0 <= seconds <= MAX_TTL_SECONDS:
            yield FieldFault(f"policy.{field}", f"From 0 to {MAX_TTL_SECONDS} seconds.")
    if policy.visibility is Visibility.NO_STORE:
        for field, seconds in durations.items():
            if seconds is not None:
                yield FieldFault(f"policy.{field}", "With no-store nothing is kept, so it can have no time.")
    for field, values in (
        ("vary", policy.vary),
        ("surrogate_keys", policy.surrogate_keys),
        ("extra_headers", [": ".join(pair) for pair in policy.extra_headers]),
    ):
        if sum(map(len, values)) + len(values) > MAX_HEADER_LENGTH:
            yield FieldFault(f"policy.{field}", f"At most {MAX_HEADER_LENGTH:,} characters in all.")
    yield from _contradictions(policy)
    yield from name_faults(policy)
    yield from _extra_header_faults(policy)


def _contradictions(policy: Policy) -> Iterator[FieldFault]:
    """Yield the directives that take each other back (RFC 9111 section 5.2.2, RFC 8246, RFC 5861)."""
    if policy.is_immutable and policy.visibility is Visibility.NO_STORE:
        yield FieldFault("policy.is_immutable", "What nobody may keep (no-store) cannot be immutable.")
    elif policy.is_immutable and not policy.browser_ttl_seconds:
        yield FieldFault("policy.is_immutable", "Immutable says nothing unless browsers may keep it a while.")
    if policy.visibility is Visibility.PRIVATE and policy.shared_ttl_seconds is not None:
        yield FieldFault("policy.shared_ttl_seconds", "Shared caches may keep nothing that is private.")
    if policy.visibility is Visibility.PRIVATE and policy.cdn_ttl_seconds is not None:
        yield FieldFault("policy.cdn_ttl_seconds", "A CDN is a shared cache and may keep nothing private.")
    is_stale_allowed = policy.stale_while_revalidate_seconds or policy.stale_if_error_seconds
    if policy.must_revalidate and is_stale_allowed:
        yield FieldFault(
            "policy.must_revalidate", "It forbids the old copies that the stale times allow: leave out one."
        )


def name_faults(policy: Policy) -> Iterator[FieldFault]:
    """Yield what is wrong with the names in a policy: of headers in `vary`, of keys, and of the origin."""
    for place, name in enumerate(policy.vary):
        if fault := _vary_fault(name):
            yield FieldFault(f"policy.vary[{place}]", fault)
    for place, key in enumerate(policy.surrogate_keys):
        if not SURROGATE_KEY.fullmatch(key):
            yield FieldFault(
                f"policy.surrogate_keys[{place}]", "Letters, digits and . _ : / - only, 128 at most."
            )
    if policy.allowed_origin and not _is_origin(policy.allowed_origin):
        yield FieldFault(
            "policy.allowed_origin", "Write one origin, such as https://example.com, or * for everybody."
        )


def _vary_fault(name: str) -> str:
    if not _TOKEN.fullmatch(name) or name == "*":
        return "Name a request header, such as Accept-Language."
    if name.lower() in UNBOUNDED_HEADERS:
        return f"Almost every visitor sends another {name}: caches would keep a copy for each."
    return ""


def _is_origin(origin: str) -> bool:
    if origin == "*":
        return True
    return origin_of(origin) == origin and origin.isascii() and origin.isprintable() and " " not in origin


def _extra_header_faults(policy: Policy) -> Iterator[FieldFault]:
    seen: set[str] = set()
    stated = {name for name, is_stated in STATED_HEADERS.items() if is_stated(policy)}
    for place, (name, value) in enumerate(policy.extra_headers):
        if name.lower() in stated:
            yield FieldFault(
                f"policy.extra_headers[{place}]", f"A field of its own says {name} already: leave out one."
            )
        field = f"policy.extra_headers[{place}]"
        if fault := header_fault(name, value):
            yield FieldFault(field, f"{fault[0].upper()}{fault[1:]}.")
        elif name.lower() == "vary":
            faults = (_vary_fault(each.strip()) for each in value.split(","))
            yield from (FieldFault(field, fault) for fault in faults if fault)
        if name.lower() in seen:
            yield FieldFault(field, f"{name} is there twice; join its values in one.")
        seen.add(name.lower())


def _bypass_faults(conditions: tuple[Bypass, ...]) -> Iterator[FieldFault]:
    for place, bypass in enumerate(conditions):
        field = f"bypass_conditions[{place}]"
        if bypass.kind is not BypassKind.PREVIEW and not _TOKEN.fullmatch(bypass.name):
            yield FieldFault(f"{field}.name", f"Name the {bypass.kind} that makes caches step aside.")
        if len(bypass.name) > MAX_BYPASS_NAME:
            yield FieldFault(f"{field}.name", f"At most {MAX_BYPASS_NAME} characters.")
        if not bypass.reason.strip():
            yield FieldFault(f"{field}.reason", "Say why a cache must not answer these requests.")


def _examples_faults(slug: str, examples: tuple[Example, ...]) -> Iterator[FieldFault]:
    if not any(example.rule == slug for example in examples):
        yield FieldFault("examples", "At least one has to show a request that this rule decides about.")
    for place, example in enumerate(examples):
        if not _is_url(example.url):
            yield FieldFault(f"examples[{place}].url", "A path such as /css/app.css, or a whole http URL.")
        if not 0 <= example.size_bytes <= MAX_SIZE_BYTES:
            yield FieldFault(f"examples[{place}].size_bytes", "A file has from 0 to 2^63 bytes.")
        for field in ("browser_ttl_seconds", "shared_ttl_seconds"):
            seconds = getattr(example, field)
            if seconds is not None and not 0 <= seconds <= MAX_TTL_SECONDS:
                yield FieldFault(f"examples[{place}].{field}", f"From 0 to {MAX_TTL_SECONDS} seconds.")
        yield from _tag_faults(f"examples[{place}].tags", example.tags)


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return url.isprintable() and (
        (parts.scheme in {"http", "https"} and bool(parts.hostname))
        or (parts.scheme == "" and url.startswith("/") and not url.startswith("//"))
    )
