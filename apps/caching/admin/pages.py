"""What the pages of rules have in common: the admin's frame, who acts, and refusals as messages."""

from typing import Any, cast

from django.contrib import admin, messages
from django.http import HttpRequest
from django.template.response import TemplateResponse

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.refusals import Refusal


def render(
    request: HttpRequest, template: str, *, title: str, status: int = 200, **context: Any
) -> TemplateResponse:
    """Return a page of rules in the admin's frame."""
    frame = admin.site.each_context(request)
    return TemplateResponse(
        request,
        f"admin/caching/cacherule/{template}",
        {**frame, "title": title, **context},
        status=status,
    )


def actor_of(request: HttpRequest) -> User:
    """Return who is logged in; the admin has made sure that somebody is."""
    return cast("User", request.user)


def refused(request: HttpRequest, refusal: Refusal) -> int:
    """Put a refusal in front of the page that is shown next; return that page's status."""
    messages.error(request, str(refusal))
    return 403 if isinstance(refusal, Forbidden) else 409
