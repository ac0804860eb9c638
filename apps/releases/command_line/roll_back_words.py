"""What a roll back would change, as `release rollback --dry-run` says it."""

from collections.abc import Iterator

from apps.releases.comparing.impact import SIGNS, Impact, kind_of
from apps.releases.comparing.rules import RulesReport, rules_report
from apps.releases.headlines import counted
from apps.releases.redirects.values import typed_source
from apps.releases.reports import prefixed
from apps.releases.rolling_back.preview import RollBackPreview


class PreviewReport(RulesReport):
    channel: str
    live: str
    goal: str
    release: int
    digest: str
    same: bool
    refused: str | None
    paths: dict[str, int] | None
    redirects: int | None
    kept_names: int | None
    cannot_be_undone: list[str]


def preview_report(preview: RollBackPreview) -> PreviewReport:
    """Describe what a roll back would change, and whether it would be refused."""
    goal, impact = preview.goal, preview.impact
    return {
        "channel": goal.channel.name,
        "live": preview.live.tag,
        "goal": goal.tag,
        "release": goal.release_id,
        "digest": prefixed(goal.manifest_id),
        "same": preview.is_same,
        "refused": preview.fault or None,
        "paths": _counts(impact) if impact else None,
        "redirects": impact.redirects if impact else None,
        **rules_report(preview.rules),
        "kept_names": preview.kept_names,
        "cannot_be_undone": [],  # the publication that is left stays in the history, and can be returned to
    }


def in_lines(preview: RollBackPreview) -> Iterator[str]:
    """Yield the same as lines for people."""
    goal = preview.goal
    yield f"From {preview.live.tag} to {goal.tag}: release {goal.release_id}, digest {goal.manifest_id}"
    if preview.is_same:
        yield "  That is exactly what is served now."
    if preview.impact:
        yield from _impact_lines(preview.impact)
    for rule in preview.rules.rules:
        yield f"  rule {rule.name}: {rule.words}"
    if combination := preview.rules.combination:
        yield f"  {combination.words}"
    yield from (f"  {words}" for words in preview.rules.tag_words)
    if preview.kept_names:
        names = counted(preview.kept_names, "fingerprinted name")
        yield f"  {names} of what is live now: answered as before, for pages that are open"
    yield "  Nothing of it is final: --undo goes back to what is live now."
    yield f"  ✕ It would be refused: {preview.fault}" if preview.fault else "  ✓ Storage has all it needs."


def _impact_lines(impact: Impact) -> Iterator[str]:
    counts = ", ".join(f"{count} {kind}" for kind, count in _counts(impact).items() if count) or "none"
    yield f"  paths: {counts}"
    for difference in impact.first:
        yield f"    {SIGNS[kind_of(difference)]} {difference.path}"
    if impact.unnamed:
        yield f"    and {impact.unnamed} more"
    for moved in impact.first_redirects:
        leads = f"{moved.new.target} ({moved.new.status})" if moved.new else "nowhere any more"
        yield f"    {SIGNS[kind_of(moved)]} {typed_source(moved.source)} → {leads}"
    if impact.unnamed_redirects:
        yield f"    and {impact.unnamed_redirects} more redirects"


def _counts(impact: Impact) -> dict[str, int]:
    return {
        "added": impact.added,
        "changed": impact.changed,
        "removed": impact.removed,
        "headers": impact.headers,
        "following": impact.following,
    }
