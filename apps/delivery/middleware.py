"""The front door of any server: published assets on the public door, Django's static files on the staff's."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware

from apps.delivery.answers import STORAGE_FAULTS, answer, is_djangos, unreadable
from apps.delivery.bodies import PIECE_BYTES, Body, open_body
from apps.delivery.previews import answering as previews
from apps.delivery.previews.addresses import ENTER_PATH, MOST_FORM_BYTES
from apps.delivery.respond import Headers, Request, Response
from apps.releases.channels.targets import host_fault

DOOR = "assetsite.door"  # set by assetsite.doors, from the socket
STAFF = "staff"


class Published:
    """What the public door has for one target, behind WhiteNoise's interface of a static file."""

    def __init__(self, target: str, protocol: str) -> None:
        self.target = target
        self.protocol = protocol

    def get_response(self, method: str, request_headers: Mapping[str, Any]) -> "Answer":
        """Answer with the live release of the host. `request_headers` is a WSGI environment."""
        # Django takes `get` for GET, but they are two methods (RFC 9110 section 9.1).
        method = request_headers["REQUEST_METHOD"]
        request = Request(method, self.target, dict(_headers(request_headers)))
        response: Response | None = None
        try:
            response = answer(request, protocol=self.protocol)
            found = Answer(response, open_body(response))
        except STORAGE_FAULTS as fault:
            response = unreadable(request, fault, response)
            found = Answer(response, open_body(response))
        response.count()
        return found


class Previewed:
    """What a preview's host has for one target, behind the same interface."""

    def __init__(self, target: str, form: bytes) -> None:
        self.target = target
        self.form = form

    def get_response(self, method: str, request_headers: Mapping[str, Any]) -> "Answer":
        """Answer with what the preview shows."""
        request = Request(request_headers["REQUEST_METHOD"], self.target, dict(_headers(request_headers)))
        try:
            response = previews.answer_preview(request, form=self.form)
            return Answer(response, open_body(response))
        except STORAGE_FAULTS as fault:
            response = previews.unreadable(request, fault)
            return Answer(response, open_body(response))


class Answer:
    """A response in WhiteNoise's shape: status, headers, and an open file or None."""

    __slots__ = ("file", "headers", "hints", "status")

    def __init__(self, response: Response, file: Body | None) -> None:
        self.status = response.status
        self.headers: Headers = response.headers
        self.hints = response.hints
        self.file = file


class DeliveryMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Answers everything on the public door but what is Django's there (`/-/…`, `/library/…`)."""

    get_response: Callable[[HttpRequest], HttpResponse]

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.META.get(DOOR) == STAFF:
            response: HttpResponse = super().__call__(request)
            return response
        target, protocol = _target(request), _protocol(request)
        if previews.is_preview(previews.host_of(target, request.META.get("HTTP_HOST"))):
            return self.serve(Previewed(target, _form(request)), request)
        if is_djangos(target) and not host_fault(request.META.get("HTTP_HOST"), protocol=protocol):
            return self.get_response(request)
        return self.serve(Published(target, protocol), request)

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponseBase:
        """Send what `static_file` answers, in pieces that suit a large file."""
        response: HttpResponseBase
        if isinstance(request, ASGIRequest):
            response = _for_asgi(static_file.get_response(request.method, request.META))
        else:
            response = WhiteNoiseMiddleware.serve(static_file, request)
            response.block_size = PIECE_BYTES  # type: ignore[attr-defined]
        # Django would write a line for every 404 that a visitor meets.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response


def _for_asgi(answer: Any) -> HttpResponseBase:
    """Return an answer for a server that speaks ASGI, where Django would read a whole file at once."""
    response: HttpResponseBase
    if answer.file is None:
        response = HttpResponse(status=answer.status)
    else:
        response = StreamingHttpResponse(_pieces(answer.file), status=answer.status)
    del response.headers["Content-Type"]
    for name, value in answer.headers:
        response.headers[name] = value
    return response


async def _pieces(file: Body) -> AsyncIterator[bytes]:
    """Yield what `file` has left, read by another thread while the server does other things."""
    try:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
    finally:
        file.close()


def _form(request: HttpRequest) -> bytes:
    """Return the form that was sent, b"" where none was, or one that is too long to be read."""
    length = request.META.get("CONTENT_LENGTH") or ""
    is_short = length.isdecimal() and len(length) < 6 and int(length) <= MOST_FORM_BYTES
    return request.body if request.method == "POST" and request.path == ENTER_PATH and is_short else b""


def _target(request: HttpRequest) -> str:
    """Return the target as it was sent: gunicorn keeps it, other servers decode it."""
    if isinstance(request, ASGIRequest):
        path, query = request.scope.get("raw_path"), request.scope.get("query_string", b"")
        if path:
            return str((path + b"?" + query if query else path).decode("latin-1"))
    raw = request.META.get("RAW_URI") or request.META.get("REQUEST_URI")
    return str(raw) if raw else request.get_full_path()


def _protocol(request: HttpRequest) -> str:
    if isinstance(request, ASGIRequest):
        return f"HTTP/{request.scope.get('http_version', '1.1')}"
    return str(request.META["SERVER_PROTOCOL"])


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].replace("_", "-").lower(), value
