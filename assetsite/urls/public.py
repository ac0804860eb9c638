"""The public door: what is not a published asset. There is no way from here to the staff's pages."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("apps.observability.urls")),
]


def refuse(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _plain(400, "This request cannot be read.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _plain(404, "There is no such page.")


def failed(request: HttpRequest) -> HttpResponse:
    return _plain(500, "Something went wrong here. The operator's log says what.")


def _plain(status: int, text: str) -> HttpResponse:
    """Answer with a sentence that nobody keeps: no template, no session, no database."""
    return HttpResponse(
        f"{text}\n",
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )


handler400 = refuse
handler404 = not_found
handler500 = failed
