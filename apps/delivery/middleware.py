"""The WSGI front door: published assets on the public door, Django's static files on the staff door."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware

from apps.delivery.bodies import Body, open_body
from apps.delivery.node import current_node
from apps.delivery.respond import Headers, Request, Response, plain, respond

logger = logging.getLogger(__name__)

DOOR = "assetsite.door"  # set by assetsite.doors, from the socket
STAFF = "staff"
DJANGOS_PREFIX = "/-/"
PIECE_BYTES = 1 << 18
RETRY = {"retry-after": "5"}


class Published:
    """What the public door has for one request, behind WhiteNoise's interface of a static file."""

    def __init__(self, target: str) -> None:
        self.target = target

    def get_response(self, method: str, request_headers: Mapping[str, Any]) -> "Answer":
        """Answer with the live release of the host. `request_headers` is a WSGI environment."""
        headers = dict(_headers(request_headers))
        response = _respond(method, self.target, headers)
        try:
            return Answer(response.status, response.headers, open_body(response))
        except OSError:
            logger.exception(
                "%s cannot be served: its bytes are not in storage as they should be.", self.target
            )
            broken = plain(503, "This file cannot be read just now.", more=RETRY)
            body = None if method == "HEAD" else open_body(broken)
            return Answer(broken.status, broken.headers, body)


class Answer:
    """A response in WhiteNoise's shape: status, headers, and an open file or None."""

    __slots__ = ("file", "headers", "status")

    def __init__(self, status: int, headers: Headers, file: Body | None) -> None:
        self.status = status
        self.headers = headers
        self.file = file


class DeliveryMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Answers everything on the public door but what is Django's there (`/-/…`)."""

    get_response: Callable[[HttpRequest], HttpResponse]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.META.get(DOOR) == STAFF:
            response: HttpResponse = super().__call__(request)
            return response
        target = _target(request)
        if target.startswith(DJANGOS_PREFIX):
            return self.get_response(request)
        return self.serve(Published(target), request)

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """Send what `static_file` answers, in pieces that suit a large file."""
        response: HttpResponse = WhiteNoiseMiddleware.serve(static_file, request)
        response.block_size = PIECE_BYTES  # type: ignore[attr-defined]
        return response


def _respond(method: str, target: str, headers: Mapping[str, str]) -> Response:
    node = current_node()
    node.follow()
    host = headers.get("host", "")
    channel = node.channel_of(host)
    if channel is None:
        response = plain(
            404,
            f"No channel is served under the name {host!r}."
            " Set CHANNEL_HOSTS to give a channel this host, for example CHANNEL_HOSTS=production=*.",
        )
    elif (release := node.live.get(channel)) is None:
        response = plain(
            503,
            f"Nothing has been published on {channel} yet."
            " Import a folder (scripts/manage import FOLDER --title First), submit and publish it.",
            more=RETRY,
        )
    else:
        return respond(Request(method, target, headers), release, now=int(time.time()))
    return Response(response.status, response.headers) if method == "HEAD" else response


def _target(request: HttpRequest) -> str:
    """Return the target as it was sent: gunicorn keeps it, other servers decode it."""
    raw = request.META.get("RAW_URI") or request.META.get("REQUEST_URI")
    return str(raw) if raw else request.get_full_path()


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].replace("_", "-").lower(), value
