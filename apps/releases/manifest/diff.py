from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import groupby

from apps.releases.manifest.format import LAST, Entry, Redirect
from apps.releases.manifest.reader import ManifestReader


@dataclass(frozen=True, slots=True)
class Difference:
    """A path that two manifests do not serve alike: `old` or `new` is None where it is not served.

    `is_content_changed` is False where only the headers differ, or the fingerprinted name.
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
        sides = {side: (manner, entry) for side, manner, entry in group}
        if len(sides) == 2:
            yield from _compare(sides[0], sides[1])
        elif 0 in sides:
            yield Difference(path, sides[0][1], None, is_content_changed=True)
        else:
            yield Difference(path, None, sides[1][1], is_content_changed=True)


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


# What is served beside the content: the headers, and the fingerprinted name with its own.
type _Manner = tuple[str, str, str]


def _unshared(
    reader: ManifestReader | None, side: int, shared: set[tuple[str, bytes]]
) -> Iterator[tuple[int, _Manner, Entry]]:
    """Yield (side, manner, entry) for the rows of the buckets that the other side lacks."""
    if reader is None:
        return
    buckets = reader.buckets()
    for place, bucket in enumerate(buckets):
        if bucket not in shared:
            following = buckets[place + 1][0] if place + 1 < len(buckets) else LAST
            for entry in reader.range(bucket[0], following):
                yield side, _manner(reader, entry), entry


def _manner(reader: ManifestReader, entry: Entry) -> _Manner:
    named = reader.header_sets[entry.named_header_set].digest if entry.fingerprint else ""
    return reader.header_sets[entry.header_set].digest, entry.fingerprint, named


def _compare(before: tuple[_Manner, Entry], after: tuple[_Manner, Entry]) -> Iterator[Difference]:
    old, new = before[1], after[1]
    is_content_changed = old.blob != new.blob
    if is_content_changed or before[0] != after[0]:
        yield Difference(new.path, old, new, is_content_changed)
