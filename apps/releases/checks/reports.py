"""How the checks of a release stand, as the JSON documents that commands print, and in lines for people."""

from collections.abc import Iterator
from typing import TypedDict

from apps.releases.checks.registry import title_of
from apps.releases.comparing.texts import visible
from apps.releases.models import Release
from apps.releases.selectors.checks import CheckStanding, check_standings


class CheckFindingReport(TypedDict):
    subject: str
    expected: str
    seen: str
    rule: str
    address: str


class OverrideReport(TypedDict):
    by: str
    reason: str
    at: str
    holds: bool


class CheckReport(TypedDict):
    check: str
    title: str
    outcome: str
    digest: str
    at: str
    words: str
    finding_count: int
    findings: list[CheckFindingReport]
    overrides: list[OverrideReport]
    stands_in_the_way: bool


def check_reports(release: Release) -> list[CheckReport]:
    """Describe how each check stands on what `release` is now; none where it is not built."""
    return [check_report(standing) for standing in check_standings(release)]


def check_report(standing: CheckStanding) -> CheckReport:
    """Describe what a check came to; the first findings are there, `finding_count` counts all."""
    result = standing.result
    overrides = [(each, False) for each in standing.void]
    if standing.override:
        overrides.append((standing.override, True))
    return {
        "check": result.name,
        "title": title_of(result.name),
        "outcome": result.outcome,
        "digest": f"sha256:{result.manifest_id}",
        "at": result.at.isoformat(),
        "words": result.words,
        "finding_count": result.finding_count,
        "findings": result.findings,
        "overrides": [
            {"by": each.by.get_username(), "reason": each.reason, "at": each.at.isoformat(), "holds": holds}
            for each, holds in overrides
        ],
        "stands_in_the_way": standing.stands_in_the_way,
    }


def check_lines(report: CheckReport, *, with_findings: bool) -> Iterator[str]:
    """Yield what to say of a check: its outcome, and below it each finding that is kept."""
    mark = "✓" if report["outcome"] == "passed" else "✕" if report["stands_in_the_way"] else "⚑"
    yield f"{mark} {report['title']}: {report['words']} ({report['check']})"
    for override in report["overrides"]:
        void = "" if override["holds"] else ", void: who did has a part in it, or is not asked"
        yield f"  Overridden by {override['by']}{void}: {visible(override['reason'])}"
    if not with_findings:
        return
    for finding in report["findings"]:
        yield f"  {visible(finding['subject'])}"
        yield f"    expected {visible(finding['expected'])}"
        yield f"    seen     {visible(finding['seen'])}"
    if more := report["finding_count"] - len(report["findings"]):
        yield f"  and {more:,} more"
