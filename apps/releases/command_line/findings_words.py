"""What a build found wrong, in lines for people."""

from collections.abc import Iterator

from apps.releases.headlines import counted
from apps.releases.models import Release
from apps.releases.review.findings import Lint, State

NOTHING_FOUND = {
    State.NOT_BUILT: "Findings: none yet; references are looked at when it is submitted",
    State.NOT_CHECKED: "Findings: references were not looked at (see `channel set --fingerprints`)",
    State.CHECKED: "Findings: none",
    State.UNREADABLE: "Findings: unknown, since storage lacks its manifest; restore it from a backup",
}


def findings_lines(release: Release, lint: Lint) -> Iterator[str]:
    """Yield the counts of a release's findings, samples of the new ones, and how to see all."""
    if not lint.total:
        yield NOTHING_FOUND[lint.state]
        return
    counts = f"{lint.new} new, {lint.total} in all" if lint.is_compared else f"{lint.total}"
    mended = f", {lint.mended} mended" if lint.mended and lint.is_compared else ""
    yield f"Findings: {counts}{mended}"
    for each in lint.new_kinds:
        for sample in each.samples:
            others = f" {counted(sample.others, 'other file')} as well." if sample.others else ""
            yield f"  {sample.judged.path} {sample.judged.words}{others}"
        if each.unnamed:
            yield f"  and {each.unnamed} more of the kind {each.name}"
    yield f"  All: scripts/manage release findings {release.pk}"
