from collections.abc import Iterator
from dataclasses import dataclass

from apps.releases.manifest.format import Entry, Redirect
from apps.releases.manifest.pair import EVERYTHING, DifferingRow, Pair, Range, Reach, Wanted
from apps.releases.manifest.reader import ManifestReader


@dataclass(frozen=True, slots=True)
class Difference:
    """A path that two manifests do not serve alike: `old` or `new` is None where it is not served.

    `is_content_changed` is False where only the headers differ, or the fingerprinted name. Where what was
    uploaded is the same, and served otherwise because other files are, the content `is_following`.
    """

    path: str
    old: Entry | None
    new: Entry | None
    is_content_changed: bool
    is_following: bool = False


def diff(
    old: ManifestReader | None,
    new: ManifestReader | None,
    wanted: Wanted = EVERYTHING,
    *,
    within: list[Range] | None = None,
    reach: Reach | None = None,
) -> Iterator[Difference]:
    """Yield the paths in which two manifests differ, sorted; None stands for an empty manifest.

    Only those that are `wanted`. Only buckets whose digests differ are read (of these only those `within`,
    where it is known that no others hold what is wanted), as far as `reach` goes, and what is alike in them
    stays within SQLite: see `pair`.
    """
    with Pair(old, new) as pair:
        for row in pair.rows(wanted, within, reach):
            yield difference_of(row)


def difference_of(row: DifferingRow) -> Difference:
    """Return a row of a `Pair` as a difference."""
    path, kind, before, after = row
    return Difference(path, before, after, kind != "headers", is_following=kind == "following")


@dataclass(frozen=True, slots=True)
class RedirectDifference:
    """A redirect that two manifests do not share: `old` or `new` is None where there is none."""

    source: str
    old: Redirect | None
    new: Redirect | None


def diff_redirects(old: ManifestReader | None, new: ManifestReader | None) -> Iterator[RedirectDifference]:
    """Yield the redirects in which two manifests differ, sorted by source; None stands for no manifest."""
    before = {redirect.source: redirect for redirect in old.redirects()} if old else {}
    after = {redirect.source: redirect for redirect in new.redirects()} if new else {}
    for source in sorted({*before, *after}):
        if before.get(source) != after.get(source):
            yield RedirectDifference(source, before.get(source), after.get(source))
