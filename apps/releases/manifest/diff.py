from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

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
    sides = (
        ((entry.path, 0, entry) for entry in _unshared(old, shared)),
        ((entry.path, 1, entry) for entry in _unshared(new, shared)),
    )
    waiting: Entry | None = None
    for path, side, entry in merge(*sides, key=lambda row: row[:2]):
        if side == 0:
            if waiting:
                yield Difference(waiting.path, waiting, None, is_content_changed=True)
            waiting = entry
            continue
        if waiting and waiting.path == path:
            yield from _compare(old, waiting, new, entry)
        else:
            if waiting:
                yield Difference(waiting.path, waiting, None, is_content_changed=True)
            yield Difference(path, None, entry, is_content_changed=True)
        waiting = None
    if waiting:
        yield Difference(waiting.path, waiting, None, is_content_changed=True)


def _unshared(reader: ManifestReader | None, shared: set[tuple[str, bytes]]) -> Iterator[Entry]:
    if reader is None:
        return
    buckets = reader.buckets()
    for place, bucket in enumerate(buckets):
        if bucket not in shared:
            following = buckets[place + 1][0] if place + 1 < len(buckets) else LAST
            yield from reader.range(bucket[0], following)


def _compare(
    old: ManifestReader | None, before: Entry, new: ManifestReader | None, after: Entry
) -> Iterator[Difference]:
    assert old is not None
    assert new is not None
    is_content_changed = before.blob != after.blob
    headers = old.header_sets[before.header_set].digest, new.header_sets[after.header_set].digest
    if is_content_changed or headers[0] != headers[1]:
        yield Difference(after.path, before, after, is_content_changed)
