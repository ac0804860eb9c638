from collections.abc import Iterator

from apps.releases.checks.reports import check_lines
from apps.releases.models import Release
from apps.releases.reports import ReleaseDetails
from apps.releases.review.brief import brief_of


def review_lines(release: Release, report: ReleaseDetails) -> Iterator[str]:
    """Yield what the brief of a release says, and what people say of it, a line each."""
    brief = brief_of(release)
    for item in (*brief.purpose, *(item for item in brief.baseline if item.text)):
        yield f"{item.label}: {item.text or '—'}"
    if not brief.has_baseline:
        yield "What the system does now: —"
    if asked := report["changes_requested"]:
        yield f"{asked['by']} asked for changes: {asked['reason']}"
    for approval in report["approvals"]:
        void = f" (void: {approval['void_since']})" if approval["void_since"] else ""
        yield f"Approved by {approval['approver']}{void}"
    for check in report["checks"]:
        yield from check_lines(check, with_findings=False)
    if count := report["open_comments"]:
        comments = f"{count} open comment{'' if count == 1 else 's'}"
        yield f"{comments}: `scripts/manage release comments {release.pk}`"
