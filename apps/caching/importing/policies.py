"""The policy that some headers stand for. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from apps.caching.headers import header_fault
from apps.caching.rules import Policy, Visibility
from apps.caching.validation import MAX_TTL_SECONDS, name_faults

_SECONDS = {
    "max-age": "browser_ttl_seconds",
    "s-maxage": "shared_ttl_seconds",
    "stale-while-revalidate": "stale_while_revalidate_seconds",
    "stale-if-error": "stale_if_error_seconds",
}
_FLAGS = {
    "must-revalidate": "must_revalidate",
    "immutable": "is_immutable",
    "no-transform": "forbids_transform",
}
_FOR_CDNS = {
    "cdn-cache-control",
    "surrogate-control",
    "netlify-cdn-cache-control",
    "cloudflare-cdn-cache-control",
}
# What delivery says by itself, what a connection says, and what is said better by Cache-Control.
_BY_ITSELF = {
    "accept-ranges", "age", "alt-svc", "cache-status", "cf-cache-status", "cf-ray", "connection",
    "content-encoding", "content-length", "content-type", "date", "etag", "keep-alive", "last-modified",
    "nel", "report-to", "reporting-endpoints", "repr-digest", "server", "server-timing", "set-cookie",
    "strict-transport-security", "transfer-encoding", "via", "x-cache", "x-cache-hits",
    "x-content-type-options", "x-served-by", "x-timer", "x-varnish",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """A policy, and a sentence for each thing that was left out of it."""

    policy: Policy
    left_out: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    values: dict[str, object] = field(default_factory=dict)
    extra: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read_policy(headers: Iterable[tuple[str, str]]) -> ReadPolicy:
    """Return what these headers of an answer say as a policy. What it has no word for is told, not kept."""
    reading = _Reading()
    for name, value in headers:
        _read(reading, name.strip().lower(), value.strip())
    policy = Policy(**reading.values, extra_headers=tuple(reading.extra))  # type: ignore[arg-type]
    named, wrong_names = _without_wrong_names(policy)
    sensible, left_out = _without_contradictions(named)
    return ReadPolicy(sensible, tuple(dict.fromkeys([*reading.left_out, *wrong_names, *left_out])))


def _read(reading: _Reading, name: str, value: str) -> None:
    if name == "cache-control":
        _read_cache_control(reading, value)
    elif name in _FOR_CDNS:
        _read_for_cdns(reading, name, value)
    elif name == "vary":
        names = [each.strip() for each in value.split(",")]
        named = (each for each in names if each and each != "*" and each.lower() != "accept-encoding")
        reading.values["vary"] = tuple(dict.fromkeys((*_texts(reading, "vary"), *named)))
        if "*" in names:
            reading.left_out.append("Vary: * lets no cache keep anything: say no-store instead.")
    elif name in {"surrogate-key", "cache-tag"}:
        keys = tuple(value.replace(",", " ").split())
        reading.values["surrogate_keys"] = tuple(dict.fromkeys((*_texts(reading, "surrogate_keys"), *keys)))
    elif name == "access-control-allow-origin":
        reading.values["allowed_origin"] = value
    elif name in {"expires", "pragma"}:
        reading.left_out.append(f"{name.capitalize()} is older than Cache-Control, which counts.")
    elif name not in _BY_ITSELF:
        _read_extra(reading, name, value)


def _read_cache_control(reading: _Reading, value: str) -> None:
    for directive, seconds in _directives(value):
        if directive in _SECONDS:
            if seconds is None:
                reading.left_out.append(f"{directive} in Cache-Control has no number of seconds.")
            else:
                reading.values[_SECONDS[directive]] = seconds
        elif directive in _FLAGS:
            reading.values[_FLAGS[directive]] = True
        elif directive in {"no-store", "private"}:
            if reading.values.get("visibility") is not Visibility.NO_STORE:
                reading.values["visibility"] = Visibility(directive)
        elif directive == "no-cache":
            reading.values["browser_ttl_seconds"] = reading.values["shared_ttl_seconds"] = None
            reading.values["must_revalidate"] = False
        elif directive == "proxy-revalidate":
            reading.left_out.append("proxy-revalidate: must-revalidate says it to browsers too.")
        elif directive != "public":
            reading.left_out.append(f"{directive} in Cache-Control has no field.")


def _read_for_cdns(reading: _Reading, name: str, value: str) -> None:
    seconds = dict(_directives(value)).get("max-age")
    if seconds is None:
        reading.left_out.append(f"{name}: {value} has no max-age.")
    else:
        reading.values["cdn_ttl_seconds"] = seconds


def _read_extra(reading: _Reading, name: str, value: str) -> None:
    if fault := header_fault(name.title(), value):
        reading.left_out.append(f"{fault[0].upper()}{fault[1:]}.")
        return
    known = dict(reading.extra)
    known[name] = f"{known[name]}, {value}" if name in known else value
    reading.extra = list(known.items())


def _directives(value: str) -> Iterator[tuple[str, int | None]]:
    """Yield each directive with its number of seconds, None where it has none."""
    for part in value.split(","):
        name, _, argument = part.strip().partition("=")
        digits = argument.strip().strip('"')
        if name:
            yield name.rstrip().lower(), _seconds(digits) if digits.isascii() and digits.isdigit() else None


def _seconds(digits: str) -> int:
    """Return a number of seconds as caches do, which take anything larger for the largest that there is."""
    significant = digits.lstrip("0") or "0"
    is_longer = len(significant) > len(str(MAX_TTL_SECONDS))
    return MAX_TTL_SECONDS if is_longer else min(int(significant), MAX_TTL_SECONDS)


def _without_wrong_names(policy: Policy) -> tuple[Policy, list[str]]:
    """Return a policy without the names that no rule may have, and of each why not."""
    faults = {fault.field: fault.message for fault in name_faults(policy)}
    vary = {name: faults.get(f"policy.vary[{place}]", "") for place, name in enumerate(policy.vary)}
    keys = {
        key: faults.get(f"policy.surrogate_keys[{place}]", "")
        for place, key in enumerate(policy.surrogate_keys)
    }
    origin = {policy.allowed_origin: faults.get("policy.allowed_origin", "")}
    left_out = [
        f"{header}: {name} is left out. {why}"
        for header, names in (
            ("Vary", vary),
            ("Surrogate-Key", keys),
            ("Access-Control-Allow-Origin", origin),
        )
        for name, why in names.items()
        if why
    ]
    kept = replace(
        policy,
        vary=tuple(name for name, why in vary.items() if not why),
        surrogate_keys=tuple(key for key, why in keys.items() if not why),
        allowed_origin="" if origin[policy.allowed_origin] else policy.allowed_origin,
    )
    return kept, left_out


def _without_contradictions(policy: Policy) -> tuple[Policy, list[str]]:
    """Return a policy that can be saved, and what it does not say any more."""
    left_out: list[str] = []
    if policy.visibility is Visibility.NO_STORE:
        kept = Policy(
            visibility=Visibility.NO_STORE, extra_headers=policy.extra_headers, vary=policy.vary,
            allowed_origin=policy.allowed_origin, forbids_transform=policy.forbids_transform,
        )  # fmt: skip
        is_less = replace(policy, surrogate_keys=()) != kept
        return kept, ["no-store: nothing is kept, so it has no times."] if is_less else []
    if policy.visibility is Visibility.PRIVATE and (policy.shared_ttl_seconds, policy.cdn_ttl_seconds) != (
        None,
        None,
    ):
        policy = replace(policy, shared_ttl_seconds=None, cdn_ttl_seconds=None)
        left_out.append("private: shared caches keep nothing, so there is no time for them.")
    if policy.is_immutable and not policy.browser_ttl_seconds:
        policy = replace(policy, is_immutable=False)
        left_out.append("immutable says nothing unless browsers may keep it a while.")
    if policy.must_revalidate and (policy.stale_while_revalidate_seconds or policy.stale_if_error_seconds):
        policy = replace(policy, stale_while_revalidate_seconds=None, stale_if_error_seconds=None)
        left_out.append("must-revalidate forbids the old copies that the stale times allow.")
    return policy, left_out


def _texts(reading: _Reading, name: str) -> tuple[str, ...]:
    found = reading.values.get(name, ())
    return found if isinstance(found, tuple) else ()
