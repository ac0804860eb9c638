"""The staff's pages as a whole: their name, and the page that everybody starts from."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse

from apps.accounts.models import User
from apps.jobs.models import Job
from apps.releases.selectors import (
    approved_releases,
    drafts_of,
    failures_left,
    live_publications,
    reviews_for,
    waiting_schedules,
)
from apps.releases.selectors.holds import open_holds
from apps.releases.selectors.proposals import proposals_for

ROWS_SHOWN = 10


class StaffPages(admin.AdminSite):
    site_header = "Assetsite"
    site_title = "Assetsite"
    index_title = "Start"
    site_url = None

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        user = request.user
        start = start_context(user) if isinstance(user, User) else {}
        return super().index(request, {**start, **(extra_context or {})})


def start_context(user: User) -> dict[str, Any]:
    """Return what waits for `user`, what is live, and what they have begun."""
    may_approve = user.has_perm("releases.approve_release")
    may_publish = user.has_perm("releases.publish_release")
    may_change_channels = user.has_perm("releases.change_channel")
    return {
        "reviews": reviews_for(user)[:ROWS_SHOWN] if may_approve else (),
        "publishable": approved_releases()[:ROWS_SHOWN] if may_publish else (),
        "proposals": proposals_for(user)[:ROWS_SHOWN] if may_change_channels else (),
        "drafts": drafts_of(user)[:ROWS_SHOWN],
        "schedules": waiting_schedules()[:ROWS_SHOWN],
        "failed_schedules": failures_left(user)[:ROWS_SHOWN],
        "live_publications": live_publications(),
        "holds": list(open_holds()),
        "failed_jobs": Job.objects.filter(state=Job.State.FAILED).count(),
        "may_approve": may_approve,
        "may_publish": may_publish,
        "may_make_releases": user.has_perm("releases.add_release"),
    }
