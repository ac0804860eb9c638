"""What these pages have in common: the frame, and who acts."""

from typing import Any, cast

from django.contrib import admin, messages
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.refusals import Refusal

ROWS_A_PAGE = 25


def render(
    request: HttpRequest, template: str, *, title: str, status: int = 200, **context: Any
) -> TemplateResponse:
    """Return a page in the admin's frame."""
    frame = admin.site.each_context(request)
    return TemplateResponse(
        request, f"admin/notifications/{template}", {**frame, "title": title, **context}, status=status
    )


def actor_of(request: HttpRequest) -> User:
    """Return who is logged in; the admin has made sure that somebody is."""
    return cast("User", request.user)


def page_of[M: Model](request: HttpRequest, rows: QuerySet[M]) -> Page[M]:
    """Return the page of `rows` that `?page=` asks for; the nearest where there is no such page."""
    return Paginator(rows, ROWS_A_PAGE).get_page(request.GET.get("page"))


def refused(request: HttpRequest, refusal: Refusal) -> int:
    """Put a refusal in front of the page that is shown next; return that page's status."""
    messages.error(request, str(refusal))
    return 403 if isinstance(refusal, Forbidden) else 409
