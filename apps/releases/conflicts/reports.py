"""The conflicts of a release as pages and commands show them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from apps.releases.conflicts.merging import Clash
from apps.releases.conflicts.standing import Conflict, decisions_about
from apps.releases.conflicts.texts import mergeable, merges_cleanly
from apps.releases.models import Release, Resolution

_CLASHES = {
    Clash.BOTH_CHANGED: "changed in both",
    Clash.BOTH_ADDED: "added in both",
    Clash.CHANGED_AND_REMOVED: "changed here, removed there",
    Clash.REMOVED_AND_CHANGED: "removed here, changed there",
}


class Settlement(StrEnum):
    """Whether somebody still has to decide about a conflict."""

    DECIDED = "decided"
    MERGES = "merges"
    """Its lines do not clash: nobody has to decide."""
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """A conflict with what is known of its end."""

    conflict: Conflict
    settlement: Settlement
    is_text: bool
    decision: Resolution | None = None

    @property
    def label(self) -> str:
        return self.conflict.label

    @property
    def clash_in_words(self) -> str:
        return _CLASHES[self.conflict.clash]

    @property
    def state_in_words(self) -> str:
        if self.decision:
            return f"decided by {self.decision.decided_by}: {self.decision.get_choice_display()}"
        if self.settlement is Settlement.MERGES:
            return "lines do not clash: merged by itself"
        return "to be decided"


class ConflictReport(TypedDict):
    name: str
    kind: str
    clash: str
    state: str
    choice: str | None
    text: bool


def conflict_rows(release: Release, conflicts: Sequence[Conflict]) -> list[ConflictRow]:
    """Return the rows of some conflicts, in their order: two queries, and the texts that are new."""
    decisions = decisions_about(release, conflicts)
    texts = set(mergeable(conflicts))
    return [_row(conflict, decisions.get(conflict), is_text=conflict in texts) for conflict in conflicts]


def conflict_report(row: ConflictRow) -> ConflictReport:
    """Describe one conflict."""
    return {
        "name": row.label,
        "kind": row.conflict.kind.value,
        "clash": row.conflict.clash.value,
        "state": row.settlement.value,
        "choice": row.decision.choice if row.decision else None,
        "text": row.is_text,
    }


def _row(conflict: Conflict, decision: Resolution | None, *, is_text: bool) -> ConflictRow:
    if decision:
        return ConflictRow(conflict, Settlement.DECIDED, is_text, decision)
    is_merging = is_text and merges_cleanly(conflict)
    return ConflictRow(conflict, Settlement.MERGES if is_merging else Settlement.OPEN, is_text)
