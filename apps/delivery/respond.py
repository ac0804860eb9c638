"""`respond`: what a request for a published asset is answered with, as a function of plain values.

A request and a release go in; status, headers and the parts of known blobs come out. Nothing is read
here but the manifest, so that every front door gives the same answer.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from apps.delivery.preconditions import Outcome, evaluate, if_range_holds
from apps.delivery.ranges import Span, Unsatisfiable, parse_range
from apps.delivery.release import INDEX, PAGE, LiveRelease
from apps.delivery.resource import BlobPart, Representation, Resource
from apps.delivery.tally import Tally
from apps.releases.channels.answer_headers import (
    NEVER_KEPT,
    NOT_OF_A_404,
    PARTS_OF_PAGES,
    SHORT_SHARED,
    Headers,
    names,
    spelled,
)
from apps.releases.channels.targets import OWN_AGENT, BadTarget, Target, parse_target
from apps.releases.redirects.values import location_of

__all__ = ["BlobPart", "Headers", "Request", "Response", "plain", "respond"]

ALLOW = "GET, HEAD, OPTIONS"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was sent: the target in Latin-1, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers as they go out (Date and Connection are the server's), and the body's parts.

    The answer to a HEAD has the headers of the GET and no parts. `hints` is the value of the Link
    header of a 103 that may go out before (RFC 8297), "" for none. `tally` is that of the rule by which
    a file was answered, None for what no rule is about; whoever sends the answer counts it.
    """

    status: int
    headers: Headers
    body: tuple[bytes | BlobPart, ...] = ()
    hints: str = ""
    tally: Tally | None = None

    @property
    def size(self) -> int:
        """How many bytes the body has."""
        return sum(len(part) if isinstance(part, bytes) else part.length for part in self.body)

    def count(self) -> None:
        """Count this answer, which is sent."""
        if self.tally is not None:
            self.tally.add(self.status, self.size)


def respond(request: Request, release: LiveRelease, *, now: int) -> Response:
    """Answer `request` from `release`; `now` counts seconds since 1970.

    RFC 9110 (methods, negotiation, preconditions, ranges), RFC 9530 (Repr-Digest).
    """
    response = _answer(request, release, now)
    if request.method != "HEAD":
        return response
    is_own = request.headers.get("user-agent") == OWN_AGENT  # no visitor has asked
    return replace(response, body=(), hints="", tally=None if is_own else response.tally)


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
    return Response(status, spelled(headers), (body,))


def _answer(request: Request, release: LiveRelease, now: int) -> Response:
    if request.method == "OPTIONS":
        more = _for_preflight(request, release)
        return Response(204, spelled({"allow": ALLOW, "cache-control": NEVER_KEPT, **more}))
    if request.method not in ("GET", "HEAD"):
        return plain(405, f"{request.method} is not possible here.", more={"allow": ALLOW})
    try:
        target = parse_target(request.target)
    except BadTarget as error:
        return plain(400, f"This address cannot be read: {error}.")
    return _find(request, release, target, now)


def _for_preflight(request: Request, release: LiveRelease) -> dict[str, str]:
    """Return what a file's rule lets scripts of other origins ask with (Fetch standard, CORS-preflight)."""
    if "access-control-request-method" not in request.headers:
        return {}
    try:
        target = parse_target(request.target)
    except BadTarget:
        return {}
    resource = release.find(target.path + INDEX if target.is_folder else target.path)
    if resource is None and release.options.clean_urls:
        resource = release.find(target.path + PAGE)
    headers = resource.identity.headers if resource else {}
    return {name: value for name, value in headers.items() if name.startswith("access-control-")}


def _find(request: Request, release: LiveRelease, target: Target, now: int) -> Response:
    """Look for a file, then for another address of one, then for a redirect of the release."""
    resource = release.find(target.path + INDEX if target.is_folder else target.path)
    if resource is None and release.options.clean_urls and not target.is_folder:
        resource = release.find(target.path + PAGE)
    elif resource is not None and release.options.clean_urls and _has_cleaner_address(release, target):
        return _redirect(target.location(without=_superfluous(target)), release)
    if resource is not None and target.was_composed:
        return replace(serve(request, release, resource, now), tally=resource.tally)
    if resource is not None:
        return _redirect(target.location(), release)
    if location := _other_address(release, target):
        return _redirect(location, release)
    redirect = release.reader.redirect_for(target.path)
    if redirect is not None:
        return _redirect(location_of(redirect, target.path, target.query), release, status=redirect.status)
    return _not_found(request, release, target)


def _other_address(release: LiveRelease, target: Target) -> str:
    """Return where a path is found with its slash, or without one that it should not have; "" if nowhere."""
    if not target.is_folder:
        return target.location(suffix="/") if release.find(f"{target.path}/{INDEX}") else ""
    if target.path and release.options.clean_urls and release.find(target.path[:-1] + PAGE):
        return target.location(without="/")
    return ""


def _superfluous(target: Target) -> str:
    """Return the end of a path that its clean address does not have."""
    name = target.path.rpartition("/")[2]
    return INDEX if name == INDEX else PAGE


def _has_cleaner_address(release: LiveRelease, target: Target) -> bool:
    """Say whether a page is asked for by its file's name, which is not its clean address.

    The clean address has to lead back to this very file: another one may have that path.
    """
    if not target.path.endswith(PAGE) or target.path == release.options.not_found_page:
        return False
    clean = target.path.removesuffix(_superfluous(target))
    return not clean or clean.endswith("/") or release.find(clean) is None


def serve(request: Request, release: LiveRelease, resource: Resource, now: int) -> Response:
    """Answer a GET or HEAD of a resource (RFC 9110 section 13.2.2 for the order)."""
    selected = resource.choose(request.headers.get("accept-encoding"))
    outcome = evaluate(request.headers, selected.validators)
    if outcome is Outcome.FAILED:
        return plain(412, "This is not the version that was asked for.", more={"etag": selected.etag})
    if outcome is Outcome.NOT_MODIFIED:
        return Response(304, selected.not_modified)
    try:
        spans = _spans(request, selected, now)
    except Unsatisfiable:
        content_range = f"bytes */{selected.size}"
        return plain(416, "There are no such bytes.", more={"content-range": content_range})
    if spans is None:
        hints = resource.link if release.options.early_hints else ""
        return Response(200, selected.whole, selected.body, hints)
    return _partial(selected, spans)


def _spans(request: Request, selected: Representation, now: int) -> list[Span] | None:
    """Return the ranges to send, None for the whole; only GET has ranges (section 14.2)."""
    asked = request.headers.get("range")
    if asked is None or request.method != "GET":
        return None
    condition = request.headers.get("if-range")
    if condition is not None and not if_range_holds(condition, selected.validators, now=now):
        return None
    spans = parse_range(asked, selected.size)
    # Content-Encoding beside multipart/byteranges reads as if the parts as a whole were coded.
    return None if spans and len(spans) > 1 and selected.is_coded else spans


def _partial(selected: Representation, spans: list[Span]) -> Response:
    if len(spans) == 1:
        (span,) = spans
        return Response(206, spelled(selected.partial(span.start, span.end)), (_part(selected, span),))
    boundary = hashlib.sha256(selected.etag.encode()).hexdigest()[:32]
    body = tuple(_multipart(selected, spans, boundary))
    length = sum(len(part) if isinstance(part, bytes) else part.length for part in body)
    headers = {
        **selected.headers,
        "content-type": f"multipart/byteranges; boundary={boundary}",
        "content-length": str(length),
    }
    return Response(206, spelled(headers), body)


def _multipart(selected: Representation, spans: list[Span], boundary: str) -> Iterator[bytes | BlobPart]:
    """Yield the parts of a multipart/byteranges body (section 14.6)."""
    media_type = selected.headers["content-type"]
    for number, span in enumerate(spans):
        yield (
            f"{'\r\n' if number else ''}--{boundary}\r\nContent-Type: {media_type}\r\n"
            f"Content-Range: bytes {span.start}-{span.end - 1}/{selected.size}\r\n\r\n"
        ).encode()
        yield _part(selected, span)
    yield f"\r\n--{boundary}--\r\n".encode()


def _part(selected: Representation, span: Span) -> BlobPart:
    return BlobPart(selected.digest, selected.size, span.start, span.length)


def _redirect(location: str, release: LiveRelease, *, status: int = 308) -> Response:
    """Send to another address; by default to the one that the path has (308, section 15.4.9)."""
    more = {"location": location, **_names(release)}
    return plain(status, f"It is at {location}", cache_control=SHORT_SHARED, more=more)


def _not_found(request: Request, release: LiveRelease, target: Target) -> Response:
    """Answer 404: with the release's own page, unless a program or a style sheet was asked for.

    A page in place of a script would be run as one, and a cache would keep it.
    """
    if target.path.endswith(PARTS_OF_PAGES):
        return plain(404, "There is no such file.", more=_names(release))
    page = release.find(release.options.not_found_page) if release.options.not_found_page else None
    if page is None:
        return plain(404, "There is no such page.", cache_control=SHORT_SHARED, more=_names(release))
    selected = page.choose(request.headers.get("accept-encoding"))
    headers = {name: value for name, value in selected.headers.items() if name not in NOT_OF_A_404}
    headers["cache-control"] = SHORT_SHARED
    return Response(404, spelled(headers), selected.body)


def _names(release: LiveRelease) -> dict[str, str]:
    """Name the release, so that a header seen anywhere can be looked up."""
    return names(release.number if release.options.names_release else None)
