"""The two doors: which listener a request came in by, and which URLs there are behind it."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host

from assetsite.environment import parse_bind
from assetsite.staff_socket import StaffSocket

SOCKET_NAME = "assetsite.socket_name"  # key in an ASGI scope, set by our worker
DOOR = "assetsite.door"  # key in the WSGI environment, which no header can set: those begin with HTTP_


class Door(StrEnum):
    PUBLIC = "public"
    STAFF = "staff"


def door_of(environ: Mapping[str, Any], *, staff: StaffSocket) -> Door:
    """Say by which listener a request came in. Only the socket decides, never a header.

    Our worker hands over the name of the connection's own end, gunicorn's others the connection; of other
    servers (runserver) their own port is known.
    """
    if SOCKET_NAME in environ:
        return Door.STAFF if staff.is_own_name(environ[SOCKET_NAME]) else Door.PUBLIC
    connection = environ.get("gunicorn.socket")
    if connection is not None:
        return Door.STAFF if staff.is_own_name(connection.getsockname()) else Door.PUBLIC
    is_staff = bool(staff.port) and not staff.addresses and environ.get("SERVER_PORT") == str(staff.port)
    return Door.STAFF if is_staff else Door.PUBLIC


class DoorMiddleware:
    """Gives requests of the staff door the staff's URLs, after a check of their host name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.staff = StaffSocket.between(
            staff=parse_bind(settings.STAFF_BIND), public=parse_bind(settings.PUBLIC_BIND)
        )

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if DOOR not in request.META:
            request.META[DOOR] = door_of(_connection_of(request), staff=self.staff)
        if request.META[DOOR] == Door.STAFF:
            host, _ = split_domain_port(request.get_host())
            if not validate_host(host, settings.STAFF_HOSTS):
                return HttpResponse(
                    f"No staff pages have the name {host}. Set STAFF_URL to the address that you use.\n",
                    status=400,
                    content_type="text/plain; charset=utf-8",
                    headers={"Cache-Control": "no-store"},
                )
            request.urlconf = settings.STAFF_URLCONF
            response = self.get_response(request)
            # A cache may make up how long it keeps a 301 or a 404 that says nothing (RFC 9111 section 4.2.2).
            response.setdefault("Cache-Control", "no-store")
            return response
        return self.get_response(request)


def _connection_of(request: HttpRequest) -> Mapping[str, Any]:
    """Return what a server says of a request's connection."""
    if isinstance(request, ASGIRequest) and SOCKET_NAME in request.scope:
        return request.scope
    return request.META
