"""What the page of a release says of its review: brief, checklist, approvals, conversation."""

from typing import Any

from django.core.paginator import Page
from django.http import HttpRequest

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.accounts.staff_pages import actor_of, page_of
from apps.refusals import Refusal
from apps.releases.models import Comment, Release
from apps.releases.review.brief import brief_of
from apps.releases.review.checklist import checklist_of
from apps.releases.seen import Seen
from apps.releases.selectors import comment_counts, conversation_of, threads_of


def review_section(request: HttpRequest, seen: Seen) -> dict[str, Any]:
    """Return what the parts of the page show that concern the review."""
    release, stated = seen.release, brief_of(seen.release)
    counts = comment_counts(release)
    talk = _talk(request, release, counts.threads)
    return {
        "stated": stated,
        "missing": stated.missing,
        "approvals": seen.approvals,
        "standings": seen.standings,
        "asked": seen.request_for_changes,
        "checklist": checklist_of(
            stated,
            checks=[(each.is_good, each.stands_in_the_way) for each in seen.checks],
            open_comments=counts.open_threads,
            approvals=len(seen.approvals),
            needed=seen.approvals_needed,
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


def _talk(request: HttpRequest, release: Release, count: int) -> Page[Comment]:
    """Return the page of the conversation that is asked for; without that, the newest."""
    return page_of(request, conversation_of(release), name="talk", count=count, is_last=True)
