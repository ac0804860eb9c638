"""The two doors: which listener a request came in by, and which URLs there are behind it."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host

from assetsite.environment import Bind, parse_bind

DOOR = "assetsite.door"  # key in the WSGI environment


class Door(StrEnum):
    PUBLIC = "public"
    STAFF = "staff"


def door_of(environ: dict[str, Any], *, staff: Bind) -> Door:
    """Say by which listener a request came in. Only the socket decides, never a header.

    gunicorn hands over the connection; other servers (runserver) set SERVER_PORT to their own port.
    """
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return Door.STAFF if environ.get("SERVER_PORT") == str(staff.port) else Door.PUBLIC
    name = connection.getsockname()
    if staff.socket_path:
        return Door.STAFF if name == staff.socket_path else Door.PUBLIC
    return Door.STAFF if isinstance(name, tuple) and name[1] == staff.port else Door.PUBLIC


class DoorMiddleware:
    """Gives requests of the staff door the staff's URLs, after a check of their host name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.staff = parse_bind(settings.STAFF_BIND)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if DOOR not in request.META:
            request.META[DOOR] = door_of(request.META, staff=self.staff)
        if request.META[DOOR] == Door.STAFF:
            host, _ = split_domain_port(request.get_host())
            if not validate_host(host, settings.STAFF_HOSTS):
                return HttpResponse(
                    f"There are no staff pages under the name {host}. Set STAFF_URL to the address you use.\n",
                    status=400,
                    content_type="text/plain; charset=utf-8",
                    headers={"Cache-Control": "no-store"},
                )
            request.urlconf = settings.STAFF_URLCONF
        return self.get_response(request)
