"""Releases, publications and channels as the JSON documents that commands print (DESIGN: commands)."""

from collections.abc import Iterable
from typing import TypedDict

from apps.releases.manifest import Difference
from apps.releases.models import Approval, Channel, Publication, Release
from apps.releases.selectors import change_counts
from apps.releases.services.channels import OPTIONS


class PublicationReport(TypedDict):
    publication: int
    channel: str
    release: int
    digest: str
    kind: str
    tag: str


class HistoryReport(PublicationReport):
    actor: str
    reason: str
    published_at: str


class ApprovalReport(TypedDict):
    approver: str
    digest: str
    at: str
    holds: bool


class ReleaseReport(TypedDict):
    release: int
    title: str
    state: str
    channel: str
    owner: str | None
    digest: str | None


class ReleaseDetails(ReleaseReport):
    base: int | None
    expected_result: str
    rollback_note: str
    added: int
    changed: int
    removed: int
    approvals: list[ApprovalReport]
    checks: list[object]
    preview_url: str | None


class DifferenceReport(TypedDict):
    path: str
    kind: str
    old_size: int | None
    new_size: int | None


def prefixed(digest: str) -> str:
    """Return a digest as it is written for others: `sha256:3f2a…`."""
    return f"sha256:{digest}"


def publication_report(publication: Publication) -> PublicationReport:
    """Describe what was just published or rolled back."""
    return {
        "publication": publication.sequence,
        "channel": publication.channel.name,
        "release": publication.release_id,
        "digest": prefixed(publication.manifest_id),
        "kind": publication.kind,
        "tag": publication.tag,
    }


def history_report(publication: Publication) -> HistoryReport:
    """Describe one line of a channel's history: who did what, when and why."""
    return {
        **publication_report(publication),
        "actor": publication.actor.get_username(),
        "reason": publication.reason,
        "published_at": publication.published_at.isoformat(),
    }


def release_report(release: Release) -> ReleaseReport:
    """Describe a release in a line."""
    return {
        "release": release.pk,
        "title": release.title,
        "state": release.state,
        "channel": release.channel.name,
        "owner": release.owner.get_username() if release.owner else None,
        "digest": prefixed(release.manifest_id) if release.manifest_id else None,
    }


def release_details(release: Release) -> ReleaseDetails:
    """Describe a release with its brief, its counts and its approvals."""
    counts = change_counts(release)
    approvals = release.approvals.select_related("approver")
    return {
        **release_report(release),
        "base": release.base_id,
        "expected_result": release.expected_result,
        "rollback_note": release.rollback_note,
        "added": counts.added,
        "changed": counts.changed,
        "removed": counts.removed,
        "approvals": [_approval_report(approval, release) for approval in approvals],
        # Checks and previews are not part of a release yet; the keys are, so that scripts can rely on them.
        "checks": [],
        "preview_url": None,
    }


def channel_report(
    channel: Channel, live: Publication | None, history: Iterable[Publication]
) -> dict[str, object]:
    """Describe a channel, what it serves, and its newest publications."""
    return {
        "channel": channel.name,
        "required_approvals": channel.required_approvals,
        "options": {name: getattr(channel, name) for name in OPTIONS},
        "live": history_report(live) if live else None,
        "history": [history_report(publication) for publication in history],
    }


def difference_report(difference: Difference) -> DifferenceReport:
    """Describe one path in which two releases differ."""
    old, new = difference.old, difference.new
    if old and new:
        kind = "changed" if difference.is_content_changed else "headers"
    else:
        kind = "added" if new else "removed"
    return {
        "path": difference.path,
        "kind": kind,
        "old_size": old.size if old else None,
        "new_size": new.size if new else None,
    }


def _approval_report(approval: Approval, release: Release) -> ApprovalReport:
    return {
        "approver": approval.approver.get_username(),
        "digest": prefixed(approval.manifest_id),
        "at": approval.created_at.isoformat(),
        "holds": approval.manifest_id == release.manifest_id,
    }
