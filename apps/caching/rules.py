"""The shapes that a cache rule is made of, as plain values: no Django, no database."""

from dataclasses import dataclass
from enum import StrEnum


class Visibility(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"
    NO_STORE = "no-store"


class Combination(StrEnum):
    """What becomes of a file that several rules match."""

    FIRST = "first"
    MERGE = "merge"


class RuleState(StrEnum):
    """Whether a version ships: a draft waits beside the version before it, which goes on shipping."""

    ACTIVE = "active"
    DISABLED = "disabled"
    DRAFT = "draft"


class BypassKind(StrEnum):
    QUERY = "query"
    COOKIE = "cookie"
    HEADER = "header"
    PREVIEW = "preview"


@dataclass(frozen=True, slots=True)
class Match:
    """Which paths a rule is about: every condition that is set must hold; an empty one always does.

    `paths` are globs over paths without a leading slash, where `*` and `?` stay within a folder and
    `**` does not. `folders` are paths of folders: what lies in them, however deep. `expressions` are
    RE2 expressions, one of which has to match the whole path. `is_fingerprinted` asks for a content hash
    in the file's name. `tags` are what people have tagged the file with, of which it carries one.
    """

    paths: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    is_fingerprinted: bool | None = None
    min_size_bytes: int | None = None
    max_size_bytes: int | None = None
    folders: tuple[str, ...] = ()
    expressions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What caches may do. TTLs are in seconds.

    Without a TTL of their own, shared caches go by the browsers' TTL; without that one, a copy has to
    be checked with the origin before each use. The other durations leave their directive out if None.
    `cdn_ttl_seconds` is for caches that read `CDN-Cache-Control` or `Surrogate-Control`; all others go by
    the rest. `vary` names request headers, `surrogate_keys` labels by which a cache can be purged, and
    `allowed_origin` the origin (or `*`) whose scripts may read the file.
    """

    visibility: Visibility = Visibility.PUBLIC
    browser_ttl_seconds: int | None = None
    shared_ttl_seconds: int | None = None
    must_revalidate: bool = False
    is_immutable: bool = False
    stale_while_revalidate_seconds: int | None = None
    stale_if_error_seconds: int | None = None
    is_trusted_active_content: bool = False
    extra_headers: tuple[tuple[str, str], ...] = ()
    forbids_transform: bool = False
    cdn_ttl_seconds: int | None = None
    vary: tuple[str, ...] = ()
    surrogate_keys: tuple[str, ...] = ()
    allowed_origin: str = ""


@dataclass(frozen=True, slots=True)
class Bypass:
    """A condition under which a cache must not answer from what it keeps, with the reason.

    `name` is the query parameter, cookie or header whose presence is enough; for previews, which are
    known by their host name, it is only a label.
    """

    kind: BypassKind
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Example:
    """A request that shows what a rule does: executed, never only read.

    `url` is a path or a whole URL. `rule` is the slug of the rule that decides, which may be another
    one than the rule that the example belongs to, or "" for none. `is_cached` says whether a cache may
    answer without asking the origin; a TTL of None is not compared. A URL on the host `preview` stands
    for a preview of any release, `size_bytes` is how large the file is taken to be, and `tags` are those
    that it is taken to carry, where no file lies there.
    """

    url: str
    is_cached: bool
    rule: str
    browser_ttl_seconds: int | None = None
    shared_ttl_seconds: int | None = None
    request_headers: tuple[tuple[str, str], ...] = ()
    size_bytes: int = 10_000
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleContent:
    """Everything that one version of a rule says, as a person writes it."""

    name: str
    order: int
    match: Match
    policy: Policy
    expected_result: str
    rollback_note: str
    description: str = ""
    bypass_conditions: tuple[Bypass, ...] = ()
    examples: tuple[Example, ...] = ()
    state: RuleState = RuleState.ACTIVE


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule version ready to be evaluated."""

    slug: str
    version: int
    match: Match
    policy: Policy
    bypass_conditions: tuple[Bypass, ...] = ()


@dataclass(frozen=True, slots=True)
class HeaderSet:
    """The headers that the rules give a path, in the order in which they are sent.

    `digest` (SHA-256, hex) is the identity of rule, version and headers together.
    """

    rule: str
    rule_version: int
    headers: tuple[tuple[str, str], ...]
    digest: str
