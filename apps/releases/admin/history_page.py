from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from apps.accounts.staff_pages import page_of, render
from apps.audit.models import AuditEntry


def history_page(
    request: HttpRequest, entries: QuerySet[AuditEntry], *, subject: Model, name: str
) -> TemplateResponse:
    """Show what was done to `subject`, newest first: who, when, and in which words."""
    return render(
        request,
        "releases/history.html",
        title=f"History of {name[0].lower()}{name[1:]}",
        page=page_of(request, entries),
        opts=subject._meta,
        subject=subject,
        name=name,
    )
