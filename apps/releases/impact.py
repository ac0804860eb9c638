"""What going from one manifest to another changes for visitors, counted."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.releases.exceptions import ManifestMissing
from apps.releases.manifest import Difference, RedirectDifference, diff, diff_redirects
from apps.releases.models import Manifest
from apps.releases.selectors import open_manifest

SIGNS = {"added": "+", "changed": "~", "following": "f", "removed": "\N{MINUS SIGN}", "headers": "h"}


@dataclass(frozen=True, slots=True)
class Impact:
    """How many paths come, change, follow a change, go, or get other headers; and the first of them by name.

    `redirects` counts those that lead elsewhere, or no longer do; `first_redirects` are the first of them.
    """

    added: int
    changed: int
    removed: int
    headers: int
    following: int
    first: tuple[Difference, ...]
    redirects: int = 0
    first_redirects: tuple[RedirectDifference, ...] = ()

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
    differences: Iterable[Difference], redirects: Iterable[RedirectDifference] = (), *, named: int = 20
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
    return Impact(**counts, first=first, redirects=len(moved), first_redirects=moved[:named])


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


def impact_between(old: Manifest | None, new: Manifest | None) -> Impact | None:
    """Return what going from `old` to `new` changes, or None where storage lacks one of their files."""
    try:
        before, after = open_manifest(old) if old else None, open_manifest(new) if new else None
        return impact_of(diff(before, after), diff_redirects(before, after))
    except ManifestMissing:
        return None
