"""Releases, publications and channels as the JSON documents that commands print (DESIGN: commands)."""

from typing import TypedDict

from apps.releases.channels.schedule_reports import ScheduleReport, schedule_reports
from apps.releases.checks.reports import CheckReport, check_reports
from apps.releases.comparing.rules import RulesReport, rules_brought, rules_report
from apps.releases.manifest import Entry
from apps.releases.manifest.names import fingerprinted_name
from apps.releases.models import Origin, Publication, Release
from apps.releases.redirects.rows import RedirectRow, redirect_rows_of
from apps.releases.redirects.selectors import redirect_changes_of
from apps.releases.redirects.values import typed_source
from apps.releases.review.brief import BriefReport, brief_of, brief_report
from apps.releases.review.findings import Judged, Lint, lint_of
from apps.releases.review.reports import ApprovalReport, RequestReport, approval_reports, request_report
from apps.releases.rolling_back.drill_reports import DrillReport, drill_report
from apps.releases.selectors import change_counts, open_threads, origins_of
from apps.releases.selectors.drills import last_drill_of
from apps.releases.selectors.previews import address_of, preview_of_now


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


class ReleaseReport(TypedDict):
    release: int
    title: str
    state: str
    channel: str
    owner: str | None
    digest: str | None


class RedirectReport(TypedDict):
    source: str
    kind: str
    target: str | None
    status: int | None
    shadowed: bool


class FindingReport(TypedDict):
    path: str
    kind: str
    detail: str
    new: bool | None


class SampleReport(FindingReport):
    others: int


class FindingsReport(TypedDict):
    state: str
    total: int
    new: int | None
    mended: int | None
    kinds: dict[str, int]
    first: list[SampleReport]


class NameReport(TypedDict):
    path: str
    name: str | None
    rewritten: bool


class OriginReport(TypedDict):
    kind: str
    release: int


class ReleaseDetails(ReleaseReport, BriefReport, RulesReport):
    base: int | None
    missing: list[str]
    added: int
    changed: int
    removed: int
    redirects: list[RedirectReport]
    findings: FindingsReport
    schedules: list[ScheduleReport]
    origins: list[OriginReport]
    approvals: list[ApprovalReport]
    changes_requested: RequestReport | None
    open_comments: int
    drill: DrillReport | None
    checks: list[CheckReport]
    preview_url: str | None


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
    return {
        **release_report(release),
        **brief_report(release),
        "base": release.base_id,
        "missing": brief_of(release).missing,
        "added": counts.added,
        "changed": counts.changed,
        "removed": counts.removed,
        "redirects": [
            redirect_report(row) for row in redirect_rows_of(release, redirect_changes_of(release))
        ],
        "findings": findings_report(lint_of(release)),
        "origins": [origin_report(origin) for origin in origins_of(release)],
        "schedules": schedule_reports(release),
        "approvals": approval_reports(release),
        "changes_requested": request_report(release),
        "open_comments": open_threads(release),
        "drill": drill_report(drill) if (drill := last_drill_of(release)) else None,
        "checks": check_reports(release),
        **rules_report(rules_brought(release)),
        "preview_url": address_of(preview) if (preview := preview_of_now(release)) else None,
    }


def origin_report(origin: Origin) -> OriginReport:
    """Describe what a release was made out of: which kind of making, and which release."""
    return {"kind": origin.kind, "release": origin.source_id}


def redirect_report(row: RedirectRow) -> RedirectReport:
    """Describe one redirect that a release changes; without a target it leads nowhere any more."""
    return {
        "source": typed_source(row.change.source),
        "kind": row.kind,
        "target": row.new.target if row.new else None,
        "status": row.new.status if row.new else None,
        "shadowed": row.is_shadowed,
    }


def findings_report(lint: Lint) -> FindingsReport:
    """Describe what a build found: counts, and samples of the new findings of each kind.

    `others` counts the other files of which the same can be said. What is new, and what is mended, is
    null where the base was not looked at in the same manner.
    """
    return {
        "state": lint.state,
        "total": lint.total,
        "new": lint.new if lint.is_compared else None,
        "mended": lint.mended if lint.is_compared else None,
        "kinds": {each.name: each.total for each in lint.kinds},
        "first": [
            {**finding_report(sample.judged, is_compared=lint.is_compared), "others": sample.others}
            for each in lint.kinds
            for sample in each.samples
        ],
    }


def finding_report(judged: Judged, *, is_compared: bool) -> FindingReport:
    """Describe one finding."""
    return {
        "path": judged.finding.path,
        "kind": judged.finding.kind,
        "detail": judged.finding.detail,
        "new": judged.is_new if is_compared else None,
    }


def name_report(entry: Entry, *, is_rewritten: bool) -> NameReport:
    """Describe under which name a path is served beside its own, and whether its content was rewritten."""
    name = fingerprinted_name(entry.path, entry.fingerprint) if entry.fingerprint else None
    return {"path": entry.path, "name": name, "rewritten": is_rewritten}
