"""What the staff's pages have in common: the frame, who acts, paging, and refusals as messages."""

from typing import Any, cast

from django.contrib import admin, messages
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.refusals import Refusal

ROWS_A_PAGE = 25


def render(
    request: HttpRequest, template: str, *, title: str, status: int = 200, **context: Any
) -> TemplateResponse:
    """Return a page in the admin's frame; `template` lies below `templates/admin/`."""
    frame = admin.site.each_context(request)
    return TemplateResponse(request, f"admin/{template}", {**frame, "title": title, **context}, status=status)


def actor_of(request: HttpRequest) -> User:
    """Return who is logged in; the admin has made sure that somebody is."""
    return cast("User", request.user)


def page_of[M: Model, Row](
    request: HttpRequest,
    rows: QuerySet[M, Row],
    *,
    size: int = ROWS_A_PAGE,
    name: str = "page",
    count: int | None = None,
    is_last: bool = False,
) -> Page[Row]:
    """Return the page of `rows` that `?page=`, or another `name`, asks for; the nearest to it that there is.

    Where none is asked for that is the first, or the last. How many rows there are is counted unless it is
    known; of none at all nothing is asked.
    """
    pages = Paginator(rows, size)
    if count is not None:
        pages.count = count
        pages.object_list = rows if count else rows.none()
    return pages.get_page(request.GET.get(name) or (pages.num_pages if is_last else 1))


def why_not(request: HttpRequest, permission: str, *, to: str) -> str:
    """Return why the reader may not do what takes `permission`, and who may; "" where they may."""
    try:
        require(actor_of(request), permission, to=to)
    except Refusal as refusal:
        return str(refusal)
    return ""


def refused(request: HttpRequest, refusal: Refusal) -> int:
    """Put a refusal in front of the page that is shown next; return that page's status."""
    messages.error(request, str(refusal))
    return 403 if isinstance(refusal, Forbidden) else 409


class ReadByPages:
    """Keeps the plain admin to reading: what may be added or changed, pages of ours do by the services."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
