"""`respond`: what a request for a published asset is answered with, as a function of plain values.

A request and a release go in; status, headers and the parts of known blobs come out. Nothing is read
here but the manifest, so that every front door gives the same answer.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache

from apps.delivery.negotiation import IDENTITY, choose
from apps.delivery.preconditions import Outcome, Validators, evaluate, if_range_holds
from apps.delivery.ranges import Span, Unsatisfiable, parse_range
from apps.delivery.release import LiveRelease
from apps.delivery.target import BadTarget, Target, parse_target
from apps.releases.manifest import Entry

type Headers = tuple[tuple[str, str], ...]

ALLOW = "GET, HEAD, OPTIONS"
INDEX = "index.html"
NOT_FOUND_PAGE = "404.html"
NEVER_KEPT = "no-store"
# A missing page may be there after the next publication, which purges; a cache shields us meanwhile.
SHORT_SHARED = "public, max-age=0, s-maxage=10"
# What a page asks for by name. Anything kept in its place would outlive the release that lacks it.
_PARTS_OF_PAGES = (".css", ".js", ".mjs", ".map", ".json", ".wasm")
# RFC 9110 section 15.4.5: a 304 says what a cache has to update, and nothing of the body it has.
_NOT_IN_304 = frozenset(
    {"accept-ranges", "content-encoding", "content-length", "content-type", "last-modified", "repr-digest"}
)
_SPELLED = {"etag": "ETag", "x-xss-protection": "X-XSS-Protection", "sourcemap": "SourceMap"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was sent: the target in Latin-1, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BlobPart:
    """`length` bytes from `start` of the blob `digest` (SHA-256 in hex), which has `size` bytes."""

    digest: str
    size: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers as they go out (Date and Connection are the server's), and the body's parts.

    The answer to a HEAD has the headers of the GET and no parts.
    """

    status: int
    headers: Headers
    body: tuple[bytes | BlobPart, ...] = ()


@dataclass(frozen=True, slots=True)
class _Selected:
    """The representation that a client gets: which bytes, and the headers of a 200."""

    digest: str
    size: int
    validators: Validators
    headers: dict[str, str]


def respond(request: Request, release: LiveRelease, *, now: int) -> Response:
    """Answer `request` from `release`; `now` counts seconds since 1970.

    RFC 9110 (methods, negotiation, preconditions, ranges), RFC 9530 (Repr-Digest).
    """
    response = _answer(request, release, now)
    return Response(response.status, response.headers) if request.method == "HEAD" else response


def plain(
    status: int, text: str, *, cache_control: str = NEVER_KEPT, more: Mapping[str, str] | None = None
) -> Response:
    """Answer with a sentence, under a cache policy of its own."""
    body = (text + "\n").encode()
    headers = {
        "content-type": "text/plain; charset=utf-8",
        "content-length": str(len(body)),
        "cache-control": cache_control,
        "x-content-type-options": "nosniff",
        **(more or {}),
    }
    return Response(status, _spelled(headers), (body,))


def _answer(request: Request, release: LiveRelease, now: int) -> Response:
    if request.method == "OPTIONS":
        return Response(204, _spelled({"allow": ALLOW, "cache-control": NEVER_KEPT}))
    if request.method not in ("GET", "HEAD"):
        return plain(405, f"{request.method} is not possible here.", more={"allow": ALLOW})
    try:
        target = parse_target(request.target)
    except BadTarget as error:
        return plain(400, f"This address cannot be read: {error}.")
    return _find(request, release, target, now)


def _find(request: Request, release: LiveRelease, target: Target, now: int) -> Response:
    entry = release.reader.lookup(target.path + INDEX if target.is_folder else target.path)
    if entry is not None and target.was_composed:
        return _serve(request, release, entry, now)
    if entry is not None:
        return _redirect(target.location(), release)
    if not target.is_folder and release.reader.lookup(f"{target.path}/{INDEX}") is not None:
        return _redirect(target.location(suffix="/"), release)
    return _not_found(request, release, target)


def _serve(request: Request, release: LiveRelease, entry: Entry, now: int) -> Response:
    selected = _select(request, release, entry)
    outcome = evaluate(request.headers, selected.validators)
    if outcome is Outcome.FAILED:
        etag = selected.validators.etag
        return plain(412, "This is not the version that was asked for.", more={"etag": etag})
    if outcome is Outcome.NOT_MODIFIED:
        kept = {name: value for name, value in selected.headers.items() if name not in _NOT_IN_304}
        return Response(304, _spelled(kept))
    try:
        spans = _spans(request, selected, now)
    except Unsatisfiable:
        content_range = f"bytes */{selected.size}"
        return plain(416, "There are no such bytes.", more={"content-range": content_range})
    if spans is None:
        whole = BlobPart(selected.digest, selected.size, 0, selected.size)
        return Response(200, _spelled(selected.headers), (whole,))
    return _partial(selected, spans)


def _select(request: Request, release: LiveRelease, entry: Entry) -> _Selected:
    """Choose the representation for the client, and make the headers of the whole of it."""
    codings = {coded.coding: coded for coded in release.reader.representations(entry.blob)}
    coding = choose(request.headers.get("accept-encoding"), tuple(codings))
    digest, size = entry.blob, entry.size
    if coding != IDENTITY:
        digest, size = codings[coding].encoded, codings[coding].size
    validators = Validators(f'"{digest}"', release.last_modified(entry), release.published_at)
    header_set = release.header_set(entry)
    headers = {
        **dict(header_set.headers),
        "content-length": str(size),
        "etag": validators.etag,
        "last-modified": formatdate(validators.last_modified, usegmt=True),
        "accept-ranges": "bytes",
        "repr-digest": f"sha-256=:{b64encode(bytes.fromhex(digest)).decode()}:",
        **_names(release, header_set.rule),
    }
    if coding != IDENTITY:
        headers["content-encoding"] = coding
    if codings:
        headers["vary"] = _with_accept_encoding(headers.get("vary"))
    return _Selected(digest, size, validators, headers)


def _spans(request: Request, selected: _Selected, now: int) -> list[Span] | None:
    """Return the ranges to send, None for the whole; only GET has ranges (section 14.2)."""
    asked = request.headers.get("range")
    if asked is None or request.method != "GET":
        return None
    condition = request.headers.get("if-range")
    if condition is not None and not if_range_holds(condition, selected.validators, now=now):
        return None
    spans = parse_range(asked, selected.size)
    # Content-Encoding beside multipart/byteranges reads as if the parts as a whole were coded.
    return None if spans and len(spans) > 1 and "content-encoding" in selected.headers else spans


def _partial(selected: _Selected, spans: list[Span]) -> Response:
    if len(spans) == 1:
        (span,) = spans
        headers = {
            **selected.headers,
            "content-length": str(span.length),
            "content-range": f"bytes {span.start}-{span.end - 1}/{selected.size}",
        }
        return Response(206, _spelled(headers), (_part(selected, span),))
    boundary = hashlib.sha256(selected.validators.etag.encode()).hexdigest()[:32]
    body = tuple(_multipart(selected, spans, boundary))
    length = sum(len(part) if isinstance(part, bytes) else part.length for part in body)
    headers = {
        **selected.headers,
        "content-type": f"multipart/byteranges; boundary={boundary}",
        "content-length": str(length),
    }
    return Response(206, _spelled(headers), body)


def _multipart(selected: _Selected, spans: list[Span], boundary: str) -> Iterator[bytes | BlobPart]:
    """Yield the parts of a multipart/byteranges body (section 14.6)."""
    media_type = selected.headers["content-type"]
    for number, span in enumerate(spans):
        yield (
            f"{'\r\n' if number else ''}--{boundary}\r\nContent-Type: {media_type}\r\n"
            f"Content-Range: bytes {span.start}-{span.end - 1}/{selected.size}\r\n\r\n"
        ).encode()
        yield _part(selected, span)
    yield f"\r\n--{boundary}--\r\n".encode()


def _part(selected: _Selected, span: Span) -> BlobPart:
    return BlobPart(selected.digest, selected.size, span.start, span.length)


def _redirect(location: str, release: LiveRelease) -> Response:
    """Send to the one address that the path has (308 keeps the method, section 15.4.9)."""
    more = {"location": location, **_names(release)}
    return plain(308, f"It is at {location}", cache_control=SHORT_SHARED, more=more)


def _not_found(request: Request, release: LiveRelease, target: Target) -> Response:
    """Answer 404: with the release's own page, unless a program or a style sheet was asked for.

    A page in place of a script would be run as one, and a cache would keep it.
    """
    if target.path.endswith(_PARTS_OF_PAGES):
        return plain(404, "There is no such file.", more=_names(release))
    page = release.reader.lookup(NOT_FOUND_PAGE)
    if page is None:
        return plain(404, "There is no such page.", cache_control=SHORT_SHARED, more=_names(release))
    selected = _select(request, release, page)
    dropped = ("etag", "last-modified", "accept-ranges")
    headers = {name: value for name, value in selected.headers.items() if name not in dropped}
    headers["cache-control"] = SHORT_SHARED
    return Response(404, _spelled(headers), (BlobPart(selected.digest, selected.size, 0, selected.size),))


def _names(release: LiveRelease, rule: str = "") -> dict[str, str]:
    """Name the release, and the rule, so that a header seen anywhere can be looked up."""
    names = {"assetsite-release": str(release.number)}
    return names | {"assetsite-rule": rule} if rule else names


def _with_accept_encoding(vary: str | None) -> str:
    if not vary:
        return "Accept-Encoding"
    fields = {field.strip().lower() for field in vary.split(",")}
    return vary if fields & {"*", "accept-encoding"} else f"{vary}, Accept-Encoding"


def _spelled(headers: Mapping[str, str]) -> Headers:
    return tuple((_spell(name), value) for name, value in headers.items())


@lru_cache(maxsize=256)
def _spell(name: str) -> str:
    return _SPELLED.get(name) or name.title()
