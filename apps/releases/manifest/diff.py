from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from operator import itemgetter

from apps.releases.manifest.digest import Row
from apps.releases.manifest.format import LAST, Entry, Redirect
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


def diff(old: ManifestReader | None, new: ManifestReader | None) -> Iterator[Difference]:
    """Yield the paths in which two manifests differ, sorted; None stands for an empty manifest.

    Only buckets whose digests differ are read, so the cost follows the differences, not the paths.
    """
    shared = set(old.buckets() if old else ()) & set(new.buckets() if new else ())
    rows = merge(_unshared(old, 0, shared), _unshared(new, 1, shared), key=itemgetter(0, 1))
    for path, group in groupby(rows, key=itemgetter(0)):
        sides = {side: (entry, row) for _, side, entry, row in group}
        if len(sides) == 2:
            yield from _compare(sides[0], sides[1])
        elif 0 in sides:
            yield Difference(path, sides[0][0], None, is_content_changed=True)
        else:
            yield Difference(path, None, sides[1][0], is_content_changed=True)


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


def _unshared(
    reader: ManifestReader | None, side: int, shared: set[tuple[str, bytes]]
) -> Iterator[tuple[str, int, Entry, Row]]:
    """Yield (path, side, entry, canonical row) of the buckets that the other side lacks, in order."""
    if reader is None:
        return
    buckets = reader.buckets()
    for place, bucket in enumerate(buckets):
        if bucket not in shared:
            following = buckets[place + 1][0] if place + 1 < len(buckets) else LAST
            for entry, row in reader.canonical_range(bucket[0], following):
                yield entry.path, side, entry, row


def _compare(before: tuple[Entry, Row], after: tuple[Entry, Row]) -> Iterator[Difference]:
    (old, old_row), (new, new_row) = before, after
    if old_row != new_row:
        is_same_upload = _uploaded(old_row) == _uploaded(new_row)
        is_content_changed = old.blob != new.blob or not is_same_upload
        yield Difference(
            new.path, old, new, is_content_changed, is_following=is_content_changed and is_same_upload
        )


def _uploaded(row: Row) -> bytes:
    """Return the blob that was uploaded."""
    return row[5] or row[1]
