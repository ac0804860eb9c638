"""What going from one manifest to another changes for visitors, counted."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from apps.releases.comparing.tallies import is_quick, quick_tally, tally_of
from apps.releases.exceptions import ManifestMissing
from apps.releases.manifest import (
    Difference,
    ManifestFault,
    ManifestReader,
    RedirectDifference,
    Wanted,
    diff,
    diff_redirects,
)
from apps.releases.manifest.tally import Tally
from apps.releases.models import Manifest
from apps.releases.selectors import open_manifest

SIGNS = {"added": "+", "changed": "~", "following": "f", "removed": "\N{MINUS SIGN}", "headers": "h"}

_NAMED = 20
_MADE = ("added", "changed", "removed")
_DERIVED = ("following", "headers")


@dataclass(frozen=True, slots=True)
class Impact:
    """How many paths come, change, follow a change, go, or get other headers; and the first of them by name.

    `redirects` counts those that lead elsewhere, or no longer do; `first_redirects` are the first of them.
    Unless it `is_counted`, more paths differ than the first of them: the counts of paths are 0 then.
    """

    added: int
    changed: int
    removed: int
    headers: int
    following: int
    first: tuple[Difference, ...]
    redirects: int = 0
    first_redirects: tuple[RedirectDifference, ...] = ()
    is_counted: bool = True

    @property
    def total(self) -> int:
        return self.added + self.changed + self.removed + self.headers + self.following

    @property
    def unnamed(self) -> int:
        return self.total - len(self.first)

    @property
    def unnamed_redirects(self) -> int:
        return self.redirects - len(self.first_redirects)


def impact_of(
    differences: Iterable[Difference], redirects: Iterable[RedirectDifference] = (), *, named: int = _NAMED
) -> Impact:
    """Count differences of any number; keep the first `named` of them, those that people made first."""
    counts = {"added": 0, "changed": 0, "removed": 0, "headers": 0, "following": 0}
    made: list[Difference] = []
    derived: list[Difference] = []
    for difference in differences:
        kind = kind_of(difference)
        counts[kind] += 1
        kept = derived if kind in {"headers", "following"} else made
        if len(kept) < named:
            kept.append(difference)
    moved = tuple(redirects)
    first = tuple((made + derived)[:named])
    return Impact(**counts, first=first, redirects=len(moved), first_redirects=moved[:named], is_counted=True)


def kind_of(difference: Difference | RedirectDifference) -> str:
    """Say what happens to a path or a redirect: "added", "changed", "removed", or "headers" only.

    A path is "following" whose content refers to others by their fingerprinted names, which have changed.
    """
    if difference.old is None:
        return "added"
    if difference.new is None:
        return "removed"
    if isinstance(difference, RedirectDifference):
        return "changed"
    if difference.is_content_changed:
        return "following" if difference.is_following else "changed"
    return "headers"


def impact_between(old: Manifest | None, new: Manifest | None, *, is_patient: bool = False) -> Impact | None:
    """Return what going from `old` to `new` changes, or None where storage lacks one of their files.

    What was counted before, as a build does, is not counted again: a page waits for a few rows only. Where
    counting would take longer than a page should, only who `is_patient` gets the counts.
    """
    try:
        before, after = open_manifest(old) if old else None, open_manifest(new) if new else None
        redirects = tuple(diff_redirects(before, after))
        moved = len(redirects), redirects[:_NAMED]
        tally = (tally_of if is_patient else quick_tally)(before, after)
        if tally is not None:
            with closing(tally):
                counts = {kind: each.paths for kind, each in tally.counts().items()}
                first = tuple(_first(before, after, tally))
            return Impact(
                **counts, first=first, redirects=moved[0], first_redirects=moved[1], is_counted=True
            )
        if is_patient or is_quick(before, after):  # the disk refuses to keep counts
            return impact_of(diff(before, after), redirects)
        first = tuple(islice(diff(before, after), _NAMED))
        return Impact(0, 0, 0, 0, 0, first, *moved, is_counted=False)
    except (ManifestMissing, ManifestFault):
        return None


def _first(old: ManifestReader | None, new: ManifestReader | None, tally: Tally) -> Iterator[Difference]:
    """Yield some differences by name, those that people made first; what there is none of is not sought."""
    remaining = _NAMED
    for kinds in (_MADE, _DERIVED):
        wanted, within = tally.narrowed(Wanted(kinds=frozenset(kinds)))
        if wanted.kinds and remaining:
            found = list(islice(diff(old, new, wanted, within=within), remaining))
            remaining -= len(found)
            yield from found
