"""What was said and decided about a release, as the JSON documents that commands print."""

from typing import TypedDict

from apps.releases.models import Comment, Release
from apps.releases.selectors import Standing, Thread, request_for_changes, standings_of


class ApprovalReport(TypedDict):
    approver: str
    digest: str
    at: str
    holds: bool
    void_since: str


class RequestReport(TypedDict):
    by: str
    reason: str
    at: str


class AnswerReport(TypedDict):
    comment: int
    author: str
    text: str
    at: str


class ThreadReport(AnswerReport):
    kind: str
    path: str
    is_resolved: bool
    answers: list[AnswerReport]


def approval_reports(release: Release) -> list[ApprovalReport]:
    """Describe every approval that a release was ever given, with whether it counts."""
    return [_approval_report(standing) for standing in standings_of(release)]


def request_report(release: Release) -> RequestReport | None:
    """Describe what a reviewer asked the owner of a draft to change, while it stands."""
    entry = request_for_changes(release)
    if entry is None:
        return None
    return {"by": entry.actor_name, "reason": entry.details["reason"], "at": entry.at.isoformat()}


def thread_report(thread: Thread) -> ThreadReport:
    """Describe a comment with its answers."""
    return {
        **_said(thread.comment),
        "kind": thread.comment.kind,
        "path": thread.comment.path,
        "is_resolved": thread.is_resolved,
        "answers": [_said(answer) for answer in thread.answers],
    }


def _approval_report(standing: Standing) -> ApprovalReport:
    approval = standing.approval
    return {
        "approver": approval.approver.get_username(),
        "digest": f"sha256:{approval.manifest_id}",
        "at": approval.created_at.isoformat(),
        "holds": standing.holds,
        "void_since": standing.void_since,
    }


def _said(comment: Comment) -> AnswerReport:
    return {
        "comment": comment.pk,
        "author": comment.author.get_username(),
        "text": comment.text,
        "at": comment.created_at.isoformat(),
    }
