from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import groupby

from apps.releases.manifest.format import LAST, Entry
from apps.releases.manifest.reader import ManifestReader


@dataclass(frozen=True, slots=True)
class Difference:
    """A path that two manifests do not serve alike: `old` or `new` is None where it is not served.

    `is_content_changed` is False where only the headers differ.
    """

    path: str
    old: Entry | None
    new: Entry | None
    is_content_changed: bool


def diff(old: ManifestReader | None, new: ManifestReader | None) -> Iterator[Difference]:
    """Yield the paths in which two manifests differ, sorted; None stands for an empty manifest.

    Only buckets whose digests differ are read, so the cost follows the differences, not the paths.
    """
    shared = set(old.buckets() if old else ()) & set(new.buckets() if new else ())
    rows = merge(_unshared(old, 0, shared), _unshared(new, 1, shared), key=lambda row: (row[2].path, row[0]))
    for path, group in groupby(rows, key=lambda row: row[2].path):
        sides = {side: (headers, entry) for side, headers, entry in group}
        if len(sides) == 2:
            yield from _compare(sides[0], sides[1])
        elif 0 in sides:
            yield Difference(path, sides[0][1], None, is_content_changed=True)
        else:
            yield Difference(path, None, sides[1][1], is_content_changed=True)


def _unshared(
    reader: ManifestReader | None, side: int, shared: set[tuple[str, bytes]]
) -> Iterator[tuple[int, str, Entry]]:
    """Yield (side, header set digest, entry) for the rows of the buckets that the other side lacks."""
    if reader is None:
        return
    buckets = reader.buckets()
    for place, bucket in enumerate(buckets):
        if bucket not in shared:
            following = buckets[place + 1][0] if place + 1 < len(buckets) else LAST
            for entry in reader.range(bucket[0], following):
                yield side, reader.header_sets[entry.header_set].digest, entry


def _compare(before: tuple[str, Entry], after: tuple[str, Entry]) -> Iterator[Difference]:
    old, new = before[1], after[1]
    is_content_changed = old.blob != new.blob
    if is_content_changed or before[0] != after[0]:
        yield Difference(new.path, old, new, is_content_changed)
