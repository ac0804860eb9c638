"""The two doors: which listener a request came in by, and which URLs there are behind it."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host

from assetsite.environment import Bind, parse_bind

SOCKET_NAME = "assetsite.socket_name"  # key in an ASGI scope, set by our worker
DOOR = "assetsite.door"  # key in the WSGI environment, which no header can set: those begin with HTTP_
_EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound


class Door(StrEnum):
    PUBLIC = "public"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class StaffSocket:
    """How the staff's listener is known: by its path, or by its port.

    Where both doors have the same port, on different addresses, the address decides; `addresses` is
    empty where the port is enough.
    """

    port: int = 0
    path: str = ""
    addresses: frozenset[str] = frozenset()

    @classmethod
    def between(cls, *, staff: Bind, public: Bind) -> Self:
        """Tell the staff's listener from the public one. Raises `ImproperlyConfigured` if nothing does."""
        if staff.socket_path and staff.socket_path != public.socket_path:
            return cls(path=os.path.normpath(staff.socket_path))
        if staff.port != public.port:
            return cls(port=staff.port)
        ours, theirs = _addresses(staff), _addresses(public)
        if ours & theirs or (ours | theirs) & _EVERY_ADDRESS:
            raise ImproperlyConfigured(
                "PUBLIC_BIND and STAFF_BIND would be one door."
                " Give the staff door a port of its own, such as STAFF_BIND=127.0.0.1:8001."
            )
        return cls(port=staff.port, addresses=ours)

    def is_own_name(self, name: str | bytes | tuple[Any, ...]) -> bool:
        """Say whether a connection whose own end has this name came in by the staff's listener."""
        if isinstance(name, tuple):
            return (
                bool(self.port) and name[1] == self.port and (not self.addresses or name[0] in self.addresses)
            )
        return bool(self.path) and os.path.normpath(os.fsdecode(name)) == self.path


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
        return self.get_response(request)


def _connection_of(request: HttpRequest) -> Mapping[str, Any]:
    """Return what a server says of a request's connection."""
    if isinstance(request, ASGIRequest) and SOCKET_NAME in request.scope:
        return request.scope
    return request.META


def _addresses(bind: Bind) -> frozenset[str]:
    """Return the addresses that a bind's host stands for."""
    if bind.host in _EVERY_ADDRESS:
        return frozenset({bind.host})
    found = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM)
    return frozenset(str(address[0]) for *_, address in found)
