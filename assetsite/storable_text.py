"""A NUL that somebody sends to the staff's pages is told as what it is, where a database refuses it."""

from collections.abc import Callable

from django.db import DataError
from django.http import HttpRequest, HttpResponse

from assetsite.doors import DOOR, Door


class StorableTextMiddleware:
    """Answers with a 400 that names the field: PostgreSQL keeps no NUL, no form of ours sends one.

    Pages that keep nothing, as a trace that explains pasted headers, take it as they take any text.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DataError) or request.META.get(DOOR) != Door.STAFF:
            return None
        if not (name := _field_with_nul(request)):
            return None
        return HttpResponse(
            f"Nothing was saved: the field {name} holds a NUL, which is no text. Go back, and type it.\n",
            status=400,
            content_type="text/plain; charset=utf-8",
            headers={"Cache-Control": "no-store"},
        )


def _field_with_nul(request: HttpRequest) -> str:
    for typed in (request.GET, request.POST):
        for name, values in typed.lists():
            if any("\0" in text for text in (name, *values)):
                return name.replace("\0", "") or "without a name"
    return ""
