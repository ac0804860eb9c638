"""The WSGI front door: published assets on the public door, Django's static files on the staff door."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware

from apps.delivery.bodies import PIECE_BYTES, Body, open_body
from apps.delivery.node import current_node
from apps.delivery.respond import Headers, Request, Response, plain, respond
from apps.delivery.target import host_fault, split_form
from apps.refusals import Refusal

logger = logging.getLogger(__name__)

DOOR = "assetsite.door"  # set by assetsite.doors, from the socket
STAFF = "staff"
DJANGOS_FOLDERS = ("/-/", "/library/")
RETRY = {"retry-after": "5"}


class Published:
    """What the public door has for one target, behind WhiteNoise's interface of a static file.

    `fault` says what is wrong with the request itself, None if nothing is.
    """

    def __init__(self, target: str, fault: str | None = None) -> None:
        self.target = target
        self.fault = fault

    def get_response(self, method: str, request_headers: Mapping[str, Any]) -> "Answer":
        """Answer with the live release of the host. `request_headers` is a WSGI environment."""
        request = Request(method, self.target, dict(_headers(request_headers)))
        try:
            response = _for_method(method, _bad(self.fault)) if self.fault else _respond(request)
            return Answer(response, open_body(response))
        except (OSError, sqlite3.Error, Refusal):
            logger.exception("%s cannot be served: storage does not have it as it should.", self.target)
            response = _for_method(method, plain(503, "This file cannot be read just now.", more=RETRY))
            return Answer(response, open_body(response))


class Answer:
    """A response in WhiteNoise's shape: status, headers, and an open file or None."""

    __slots__ = ("file", "headers", "status")

    def __init__(self, response: Response, file: Body | None) -> None:
        self.status = response.status
        self.headers: Headers = response.headers
        self.file = file


class DeliveryMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Answers everything on the public door but what is Django's there (`/-/…`, `/library/…`)."""

    get_response: Callable[[HttpRequest], HttpResponse]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.META.get(DOOR) == STAFF:
            response: HttpResponse = super().__call__(request)
            return response
        target = _target(request)
        fault = host_fault(request.META.get("HTTP_HOST"), protocol=request.META["SERVER_PROTOCOL"])
        if split_form(target)[1].startswith(DJANGOS_FOLDERS) and not fault:
            return self.get_response(request)
        return self.serve(Published(target, fault), request)

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """Send what `static_file` answers, in pieces that suit a large file."""
        response: HttpResponse = WhiteNoiseMiddleware.serve(static_file, request)
        response.block_size = PIECE_BYTES  # type: ignore[attr-defined]
        # Django would write a line for every 404 that a visitor meets.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response


def _bad(fault: str) -> Response:
    return plain(400, f"This request cannot be read: {fault}.")


def _respond(request: Request) -> Response:
    node = current_node()
    node.follow()
    authority, _ = split_form(request.target)
    host = request.headers.get("host", "") if authority is None else authority
    release = node.release_for(host)
    if release is not None:
        return respond(request, release, now=int(time.time()))
    channel = node.channel_of(host)
    return _for_method(request.method, _nothing_live(channel) if channel else _unknown_host(host))


def _unknown_host(host: str) -> Response:
    return plain(
        404,
        f"No channel is served under the name {host!r}."
        " Set CHANNEL_HOSTS to give a channel this host, for example CHANNEL_HOSTS=production=*.",
    )


def _nothing_live(channel: str) -> Response:
    return plain(
        503,
        f"Nothing has been published on {channel} yet."
        " Import a folder (scripts/manage import FOLDER --title First), submit and publish it.",
        more=RETRY,
    )


def _for_method(method: str, response: Response) -> Response:
    return Response(response.status, response.headers) if method == "HEAD" else response


def _target(request: HttpRequest) -> str:
    """Return the target as it was sent: gunicorn keeps it, other servers decode it."""
    raw = request.META.get("RAW_URI") or request.META.get("REQUEST_URI")
    return str(raw) if raw else request.get_full_path()


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].replace("_", "-").lower(), value
