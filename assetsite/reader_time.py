"""Times on the staff's pages are those of the reader's own clock."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.selectors import time_zone_of
from assetsite.doors import DOOR, Door


class ReaderTimeMiddleware:
    """Shows the admin in the time zone of whoever is logged in.

    Everything else is left alone: neither a visitor nor a look at the site's health opens a session.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_admin = request.META.get(DOOR) == Door.STAFF and request.path_info.startswith("/admin/")
        if not is_admin or not isinstance(request.user, User):
            return self.get_response(request)
        with timezone.override(time_zone_of(request.user)):
            return self.get_response(request)
