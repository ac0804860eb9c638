from collections.abc import Iterator
from datetime import datetime, timedelta

from apps.caching.models import CacheRuleVersion
from apps.releases.checks import registered_checks, title_of
from apps.releases.comparing.rules import rules_brought
from apps.releases.history.changelog import LogEntry, counts_in_words
from apps.releases.history.verification import seal_of, unverified
from apps.releases.manifest import ManifestReader
from apps.releases.models import Change, FreezeOverride, Publication, Receipt, ReceiptStep, Release
from apps.releases.redirects.selectors import redirect_changes_of
from apps.releases.redirects.values import typed_source
from apps.releases.release_report.commands import commands_for
from apps.releases.release_report.parts import (
    NOT_MEASURED,
    ApprovalLine,
    ChangeLine,
    CheckLine,
    CommentLine,
    EntryLine,
    Field,
    PublicationLine,
    RedirectLine,
    ReleaseReport,
    clock,
)
from apps.releases.review.findings import State as LintState
from apps.releases.review.findings import lint_of
from apps.releases.rolling_back.drill_reports import judged
from apps.releases.rolling_back.receipt_reports import ReceiptView, view_of
from apps.releases.selectors import (
    built_manifest_of,
    change_counts,
    changes_of,
    entries_about,
    live_publication,
)
from apps.releases.selectors.checks import CheckStanding, check_standings
from apps.releases.selectors.drills import last_drill_of
from apps.releases.selectors.emergencies import Marks, marks_of
from apps.releases.templatetags.staff_pages import size

CHANGES_LISTED = 200
ENTRIES_LISTED = 200
_NOTHING_FOUND = {
    LintState.NOT_BUILT: "not built yet",
    LintState.NOT_CHECKED: "references were not looked at",
    LintState.CHECKED: "none",
    LintState.UNREADABLE: "unknown, since storage lacks its manifest",
}
_RECEIPTS = {
    "none": "no receipt: it is older than receipts",
    "open": "not finished",
    "verified": "verified",
    "failed": "not verified",
    "unknown": "could not be verified",
}


def report_of(release: Release) -> ReleaseReport:
    """Return all that is known of a release. Long lists are cut; the counts are whole."""
    counts, manifest = change_counts(release), built_manifest_of(release)
    publications = _publications(release)
    rules = list(release.rules.select_related("rule").order_by("order", "rule__slug"))
    views = _views(publications)
    return ReleaseReport(
        release=release.pk,
        title=release.title,
        state=release.get_state_display(),
        channel=release.channel.name,
        digest=release.manifest_id or "",
        brief=tuple(_brief(release)),
        assumptions=tuple(_assumptions(release, manifest, rules)),
        counts=counts_in_words(counts),
        change_count=counts.total,
        changes=tuple(map(_change_line, changes_of(release)[:CHANGES_LISTED])),
        redirects=tuple(
            RedirectLine(typed_source(each.source), each.target, each.status)
            for each in redirect_changes_of(release)
        ),
        approvals=tuple(_approvals(release)),
        comments=tuple(_comments(release)),
        checks=tuple(_checks(release)),
        publications=tuple(_publication_lines(release, publications, views)),
        metrics=tuple(_metrics(release, manifest, publications, views)),
        entries=tuple(
            EntryLine(clock(entry.at), entry.actor_name, entry.summary)
            for entry in reversed(entries_about(release)[:ENTRIES_LISTED])
        ),
        commands=tuple(commands_for(release, publications, live_publication(release.channel))),
    )


def _brief(release: Release) -> Iterator[Field]:
    yield Field("Owner", str(release.owner or ""))
    yield Field("Expected result", release.expected_result)
    yield Field("Rollback note", release.rollback_note)
    yield Field("Route", release.route)
    yield Field("Expected input", release.expected_input)
    yield Field("Slow query or failing command", release.failing_command)
    yield Field("Where a user notices it", release.noticed_at)


def _assumptions(
    release: Release, manifest: ManifestReader | None, rules: list[CacheRuleVersion]
) -> Iterator[Field]:
    """Yield what the release was built on: where that is other by now, what it promises may not hold."""
    base = f"release {release.base_id}, digest {release.base_manifest_id}" if release.base_id else "nothing"
    yield Field("Base", base)
    yield Field("Cache rules", ", ".join(f"{each.rule.slug} version {each.number}" for each in rules))
    yield Field("Otherwise than its base's", "; ".join(rules_brought(release).words) or "nothing of them")
    manner = manifest.manner if manifest else ""
    yield Field("References between files", manner or "left as they were uploaded")
    yield Field("Approvals asked for now", str(release.channel.required_approvals))


def _change_line(change: Change) -> ChangeLine:
    old = change.replaced_blob.size_bytes if change.replaced_blob else None
    new = change.version.blob.size_bytes if change.version else None
    kind = "removed" if new is None else "added" if old is None else "changed"
    return ChangeLine(kind, change.asset.path, old, new)


def _approvals(release: Release) -> Iterator[ApprovalLine]:
    for each in release.approvals.select_related("approver").order_by("pk"):
        holds = each.manifest_id == release.manifest_id
        yield ApprovalLine(str(each.approver), clock(each.created_at), each.manifest_id, holds)


def _comments(release: Release) -> Iterator[CommentLine]:
    for each in release.comments.select_related("author").order_by("pk"):
        deed = "answered" if each.answers_id else each.get_kind_display()
        yield CommentLine(str(each.author), clock(each.created_at), deed, each.path, each.text)


def _checks(release: Release) -> Iterator[CheckLine]:
    tried = {standing.result.name: standing for standing in check_standings(release)}
    yield from map(_check_line, tried.values())
    for check in registered_checks():
        if check.name not in tried:
            yield CheckLine(check.title, None, "not tried: that is done when it is submitted")
    lint = lint_of(release)
    found = f"{lint.total} in all" + (f", {lint.new} new" if lint.is_compared else "")
    yield CheckLine("Findings of the build", None, found if lint.total else _NOTHING_FOUND[lint.state])
    drill = last_drill_of(release)
    yield CheckLine("Rehearsal of the roll back", *(judged(drill) if drill else (None, "not rehearsed")))


def _check_line(standing: CheckStanding) -> CheckLine:
    result, override = standing.result, standing.override
    findings = [
        f"{each['subject']}: expected {each['expected']}, seen {each['seen']}" for each in result.findings
    ]
    if more := result.finding_count - len(findings):
        findings.append(f"and {more:,} more")
    return CheckLine(
        title_of(result.name),
        standing.is_good,
        result.words,
        tuple(findings),
        f"{override.by}, {clock(override.at)}: {override.reason}" if override else "",
    )


def _publications(release: Release) -> list[Publication]:
    publications = release.publications.select_related("channel", "actor", "returns_to", "seal", "release")
    return list(publications.order_by("pk"))


def _views(publications: list[Publication]) -> list[ReceiptView]:
    """Return the receipts of publications, in their order: two queries however many they are."""
    receipts = {each.pk: each for each in Receipt.objects.filter(publication__in=publications)}
    steps: dict[int, list[ReceiptStep]] = {}
    for step in (
        ReceiptStep.objects.filter(receipt__in=receipts).select_related("asked_by").order_by("kind", "number")
    ):
        steps.setdefault(step.receipt_id, []).append(step)
    return [view_of(each, receipts.get(each.pk), steps.get(each.pk, [])) for each in publications]


def _publication_lines(
    release: Release, publications: list[Publication], views: list[ReceiptView]
) -> Iterator[PublicationLine]:
    marked = marks_of(publications)
    faults = unverified(publications, marked)
    for publication, view in zip(publications, views, strict=True):
        seal, marks = seal_of(publication), marked.get(publication.pk, Marks())
        yield PublicationLine(
            tag=publication.tag,
            channel=publication.channel.name,
            at=clock(publication.published_at),
            deed=LogEntry(publication, None, is_emergency=bool(marks.emergency)).deed,
            reason=publication.reason,
            emergency=marks.who_decided,
            freeze=_freeze_words(marks.override) if marks.override else "",
            seal=seal.hash if seal else "",
            fault=faults.get(publication.pk, ""),
            receipt=_receipt_words(view),
        )


def _freeze_words(override: FreezeOverride) -> str:
    return f"{override.windows}. Why: {override.reason}".rstrip(".")


def _receipt_words(view: ReceiptView) -> str:
    words = [_RECEIPTS[view.state]]
    if view.elapsed_seconds is not None:
        words.append(f"every node followed after {view.elapsed_seconds:.1f} s")
    if view.receipt and view.receipt.words:
        words.append(view.receipt.words)
    if view.in_front:
        words.append(f"at {view.in_front.url}: {view.in_front.words}")
    return "; ".join(words)


def _metrics(
    release: Release,
    manifest: ManifestReader | None,
    publications: list[Publication],
    views: list[ReceiptView],
) -> Iterator[Field]:
    built = release.manifest
    yield Field("Paths", f"{manifest.path_count:,}" if manifest else NOT_MEASURED)
    yield Field("Size of the manifest", size(built.file_size_bytes) if built else NOT_MEASURED)
    first = publications[0].published_at if publications else None
    yield Field("From begin to review", _between(release.created_at, release.submitted_at))
    yield Field("From review to first publication", _between(release.submitted_at, first))
    newest = next((view for view in reversed(views) if view.receipt), None)
    count = newest.receipt.url_count if newest and newest.receipt else None
    yield Field("Addresses that answered otherwise", NOT_MEASURED if count is None else f"{count:,}")
    elapsed = newest.elapsed_seconds if newest else None
    yield Field("Until every node followed", NOT_MEASURED if elapsed is None else f"{elapsed:.1f} s")
    for name in ("Response time", "Error rate", "Cache status", "Database calls"):
        yield Field(name, NOT_MEASURED)


def _between(begin: datetime | None, end: datetime | None) -> str:
    if begin is None or end is None:
        return NOT_MEASURED
    return str(timedelta(seconds=max(0, int((end - begin).total_seconds()))))
