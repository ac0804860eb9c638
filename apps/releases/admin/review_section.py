"""What the page of a release says of its review: brief, checklist, approvals, conversation."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.accounts.staff_pages import ROWS_A_PAGE, actor_of
from apps.refusals import Refusal
from apps.releases.models import Comment, Release
from apps.releases.review.brief import brief_of
from apps.releases.review.checklist import checklist_of
from apps.releases.selectors import (
    approvals_needed,
    conversation_of,
    open_threads,
    request_for_changes,
    standings_of,
    threads_of,
)


def review_section(request: HttpRequest, release: Release) -> dict[str, Any]:
    """Return what the parts of the page show that concern the review."""
    standings, stated, talk = standings_of(release), brief_of(release), _talk(request, release)
    held = [standing.approval for standing in standings if standing.holds]
    return {
        "stated": stated,
        "missing": stated.missing,
        "approvals": held,
        "standings": standings,
        "asked": request_for_changes(release),
        "checklist": checklist_of(
            stated,
            open_comments=open_threads(release),
            approvals=len(held),
            needed=approvals_needed(release.channel),
        ),
        "talk": talk,
        "threads": threads_of(talk),
        "why_no_comment": why_no_comment(release, actor_of(request)),
    }


def why_no_comment(release: Release, reader: User) -> str:
    """Say why `reader` cannot comment, in the service's words; empty where they may."""
    try:
        require(reader, "releases.add_comment", to=f"comment on release {release.pk}")
    except Refusal as refusal:
        return str(refusal)
    return ""


def _talk(request: HttpRequest, release: Release) -> Page[Comment]:
    """Return the page of the conversation that is asked for; without that, the newest."""
    pages = Paginator(conversation_of(release), ROWS_A_PAGE)
    return pages.get_page(request.GET.get("talk") or pages.num_pages)
