"""Redirects as people type them, as manifests keep them, and where they lead. Knows no Django.

A source is a path of the site, `/old`, or everything below one, `/old/*`. A target is a path of the site or
an http(s) URL, in which `:splat` stands for what the `*` matched. See docs/redirects.md.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import SplitResult, quote, unquote, unquote_to_bytes, urlsplit

from apps.assets.paths import path_fault
from apps.releases.manifest.format import Redirect, redirect_sources

STATUSES = (301, 302, 307, 308)
USUAL_STATUS = 308
SPLAT = ":splat"
MAX_SOURCE_CHARACTERS = 512
MAX_TARGET_CHARACTERS = 2048
MAX_REDIRECTS = 10_000
MAX_HOPS = 20  # as many as browsers follow (Fetch, HTTP-redirect fetch)

_KEPT_IN_PATH = "/:@!$&'()*+,;=~"  # RFC 3986 section 3.3
_KEPT_IN_QUERY = _KEPT_IN_PATH + "?%"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PLACEHOLDER = re.compile(r"/(:(?!splat\b)[A-Za-z]\w*)")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ANYTHING = "\ue000"  # stands for what a wildcard matches: no path that people type has it


class RedirectFault(ValueError):
    """What is wrong with a redirect, as a phrase that follows its name; `field` is the part that it is in."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def parse_redirect(source: str, target: str, status: int = USUAL_STATUS) -> Redirect:
    """Return what was typed as manifests keep it. Raises `RedirectFault`."""
    parsed = parse_source(source)
    if status not in STATUSES:
        raise RedirectFault("status", f"is {status}; it can be {', '.join(map(str, STATUSES))}")
    return Redirect(parsed, parse_target(target, has_splat=is_wildcard(parsed)), status)


def parse_source(typed: str) -> str:
    """Return a typed source decoded, composed (NFC), without its leading slash. Raises `RedirectFault`."""
    fault = next(_source_faults(typed), None)
    if fault:
        raise RedirectFault("source", fault)
    return _decoded(typed)[1:]


def parse_target(typed: str, *, has_splat: bool) -> str:
    """Return a typed target as it goes into Location: percent-encoded. Raises `RedirectFault`.

    `has_splat` says whether the source is a wildcard, so that there is something for `:splat`.
    """
    composed = unicodedata.normalize("NFC", typed)
    fault = next(_target_faults(composed, has_splat=has_splat), None)
    if fault:
        raise RedirectFault("target", fault)
    parts = urlsplit(composed)
    target = _encoded(parts._replace(scheme=parts.scheme.lower(), netloc=_authority(parts)))
    if len(target) > MAX_TARGET_CHARACTERS:
        reason = f"has {len(target)} characters when encoded; {MAX_TARGET_CHARACTERS} are the most"
        raise RedirectFault("target", reason)
    return target


def is_wildcard(source: str) -> bool:
    """Say whether a source stands for everything below a folder."""
    return source == "*" or source.endswith("/*")


def typed_source(source: str) -> str:
    """Return a source as people write it, readable, with what would be taken for an escape encoded."""
    return "/" + source.replace("%", "%25").replace("?", "%3F").replace("#", "%23")


def location_of(redirect: Redirect, path: str, query: str = "") -> str:
    """Return the Location for a request of `path` (decoded, no leading slash) that meets `redirect`.

    `query` is that of the request as it was sent; it is kept unless the target has one of its own.
    Whatever path and query hold, the outcome is ASCII without control characters, and a target on this
    site stays on it: never `//host`, which browsers read as another site (RFC 3986 section 4.2).
    """
    target = redirect.target
    if is_wildcard(redirect.source) and SPLAT in target:
        rest = path[len(redirect.source) - 1 :]
        target = target.replace(SPLAT, quote(rest, safe=_KEPT_IN_PATH, errors="replace"), 1)
    if target.startswith("/"):
        target = "/" + target.lstrip("/")
    address, hash_sign, fragment = target.partition("#")
    if query and "?" not in address:
        address += "?" + quote(query, safe=_KEPT_IN_QUERY, errors="replace")
    return address + hash_sign + fragment


def find_loop(redirects: Mapping[str, Redirect], is_served: Callable[[str], bool]) -> list[str] | None:
    """Return the paths of a request that redirects, by source, would never let go, or None.

    `is_served` says whether a path is served: it ends there, whatever the redirects say. The first path
    is that of a redirect, with `*` for anything; a chain of more than 20 redirects counts as one.
    """
    depth = max((source.count("/") for source in redirects if is_wildcard(source)), default=-1)
    for source in redirects:
        start = source[:-1] + _ANYTHING if is_wildcard(source) else source
        if is_served(start):
            continue
        chain = _followed(start, redirects, depth, is_served)
        if chain:
            return [typed_source(path).replace(_ANYTHING, "*") for path in chain]
    return None


def files_behind(path: str, *, clean_urls: bool) -> list[str]:
    """Return the files of which any answers for `path`, if there is one, before redirects are asked."""
    if not path or path.endswith("/"):
        return [path + "index.html", *([f"{path[:-1]}.html"] if clean_urls and path else [])]
    return [path, f"{path}/index.html", *([f"{path}.html"] if clean_urls else [])]


def meet(path: str, redirects: Mapping[str, Redirect], depth: int) -> Redirect | None:
    """Return the redirect that `path` meets, as `ManifestReader.redirect_for` does."""
    return next((redirects[source] for source in redirect_sources(path, depth) if source in redirects), None)


def _followed(
    path: str, redirects: Mapping[str, Redirect], depth: int, is_served: Callable[[str], bool]
) -> list[str]:
    """Return the paths from `path` on if they come back or go on for too long, else nothing."""
    chain = [path]
    while redirect := meet(path, redirects, depth):
        location = location_of(redirect, path)
        if not location.startswith("/"):
            return []
        path = unquote(re.split("[?#]", location, maxsplit=1)[0])[1:]
        comes_back = path in chain or len(chain) > MAX_HOPS
        if not comes_back and is_served(path):
            return []
        chain.append(path)
        if comes_back:
            return chain
    return []


def _source_faults(typed: str) -> Iterator[str]:
    if not typed.startswith("/"):
        yield "does not begin with a slash"
    yield from _character_faults(typed)
    if "?" in typed or "#" in typed:
        yield "has a query or a fragment; redirects go by the path alone"
    try:
        source = _decoded(typed)[1:]
    except UnicodeDecodeError:
        yield "is not UTF-8"
        return
    if "*" in source[:-1] or (source.endswith("*") and not is_wildcard(source)) or "%2a" in typed.lower():
        yield "has a * elsewhere than as its last part, as in /old/*"
    if len(source) > MAX_SOURCE_CHARACTERS:
        yield f"has {len(source)} characters; {MAX_SOURCE_CHARACTERS} are the most"
    folder = source.removesuffix("*").removesuffix("/")
    # The root has no name: `/` and `/*` are sources without being paths of a file.
    if (folder or source not in ("", "*")) and (reason := path_fault(folder)):
        yield reason


def _target_faults(target: str, *, has_splat: bool) -> Iterator[str]:
    if not target:
        yield "is missing"
    yield from _character_faults(target)
    if "\\" in target:
        yield "has a backslash, which browsers take for a slash"
    if target.startswith("//"):
        yield "begins with two slashes, which browsers take for another site; write https:// if that is meant"
    elif not target.startswith("/"):
        yield from _address_faults(target)
    path = urlsplit(target).path
    if any(segment in (".", "..") for segment in unquote(path).split("/")):
        yield "has the part “.” or “..”"
    if SPLAT in target and not has_splat:
        yield f"has {SPLAT}, and the source no * that it could stand for"
    elif target.count(SPLAT) > 1 or SPLAT in target.replace(path, "", 1):
        yield f"has {SPLAT} more than once, or outside of its path"
    if placeholder := _PLACEHOLDER.search(path):
        yield f"has the placeholder {placeholder[1]}; only {SPLAT} can stand for something"


def _address_faults(target: str) -> Iterator[str]:
    if not re.match("https?://", target, re.IGNORECASE):
        yield "is neither a path that begins with a slash nor an address that begins with https:// or http://"
        return
    try:
        parts = urlsplit(target)
        _authority(parts)
    except ValueError:
        yield "has no host name, or one that cannot be"
        return
    if "@" in parts.netloc:
        yield "names a user in front of its host, which makes a host look like another"


def _character_faults(typed: str) -> Iterator[str]:
    if any("\ud800" <= character <= "\udfff" for character in typed):
        yield "is not UTF-8"
    for character in typed:
        if unicodedata.category(character) == "Cc":
            yield f"has a control character (U+{ord(character):04X})"
    if _BROKEN_ESCAPE.search(typed):
        yield "has a % that is not followed by two hexadecimal digits; write %25 for the sign itself"


def _decoded(typed: str) -> str:
    return unicodedata.normalize("NFC", unquote_to_bytes(typed).decode())


def _authority(parts: SplitResult) -> str:
    """Return host and port as they go into a URL. Raises `ValueError` where the host is no host name."""
    if not parts.scheme:
        return ""
    host = (parts.hostname or "").encode("idna").decode("ascii")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, host.removesuffix(".").split("."))):
        raise ValueError(f"{host!r} is no host name")
    return f"{host}:{parts.port}" if parts.port is not None else host


def _encoded(parts: SplitResult) -> str:
    path = quote(parts.path, safe=_KEPT_IN_PATH + "%")
    query, fragment = (quote(part, safe=_KEPT_IN_QUERY) for part in (parts.query, parts.fragment))
    return parts._replace(path=path, query=query, fragment=fragment).geturl()
