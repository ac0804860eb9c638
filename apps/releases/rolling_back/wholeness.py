"""Is what a channel would go back to still whole in storage? Asked before it is switched to, not after.

What is read: the manifest's file, every byte, compared with the SHA-256 that was recorded when it was
built; the digest in it; and that storage has each content that would come back, in its size. What is not
read: the bytes of those contents, which each node compares before it serves them.

That takes longer the more would come back. A page, which promises nothing, looks at the first of it only, and
takes this machine's word for bytes that it has read before.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import batched, islice

from django.utils import timezone

from apps.assets import store
from apps.assets.disk import in_parallel
from apps.releases.comparing.tallies import kept_tally
from apps.releases.exceptions import BlobsMissing, ManifestMissing
from apps.releases.files import manifest_file
from apps.releases.manifest import Entry, ManifestReader, Reach, Wanted, diff
from apps.releases.manifest.writer import file_sha256
from apps.releases.models import Manifest
from apps.releases.selectors import open_manifest
from apps.releases.verified_files import note_verified, verified_at

LOOKED_AT = 200  # paths whose contents a page asks storage for
_AT_ONCE = 500
_NAMED = 3
_COMING = Wanted(kinds=frozenset({"added", "changed", "following"}))

type _Content = tuple[str, int]
"""A blob's SHA-256 in hex, and its size."""


@dataclass(frozen=True, slots=True)
class Looked:
    """How far somebody has looked: at how many paths that come back, whether these are all, and when this
    machine last read each byte of the manifest.
    """

    paths: int
    is_all: bool
    read_at: datetime


def refuse_unless_whole(manifest: Manifest, *, instead_of: Manifest | None) -> None:
    """Raise `ManifestMissing` or `BlobsMissing` unless storage has all that going back to `manifest` needs.

    `instead_of` is what is served now: what both serve is served already, so it is not asked for. It takes
    longer the more would come back: nobody should hold a lock meanwhile.
    """
    _read(manifest)
    goal = _goal(manifest)
    _refuse_missing(goal, _coming(_known(instead_of), goal))


def look(manifest: Manifest, *, instead_of: Manifest | None) -> Looked:
    """Look at the first of what `refuse_unless_whole` looks at, and raise what it would of that.

    The manifest's bytes are read where this machine has not read them since they were last written.
    """
    read_at = verified_at(manifest_file(manifest), manifest.file_sha256) or _read(manifest)
    goal = _goal(manifest)
    reach = Reach()
    first = list(islice(_coming(_known(instead_of), goal, reach), LOOKED_AT + 1))
    _refuse_missing(goal, iter(first[:LOOKED_AT]))
    is_all = len(first) <= LOOKED_AT and not reach.stopped_at
    return Looked(min(len(first), LOOKED_AT), is_all=is_all, read_at=read_at)


def _read(manifest: Manifest) -> datetime:
    """Read every byte of a manifest's file; return when that was. Raises `ManifestMissing`."""
    file = manifest_file(manifest)
    if file_sha256(file) != manifest.file_sha256:
        raise ManifestMissing(
            f"Manifest {manifest} is damaged in storage ({manifest.file_name}): it is not what was built.",
            next_step="Restore that file from a backup; what is live has not been changed.",
        )
    note_verified(file, manifest.file_sha256)
    return timezone.now()


def _goal(manifest: Manifest) -> ManifestReader:
    goal = open_manifest(manifest)
    if goal.digest != manifest.digest:
        raise ManifestMissing(
            f"{manifest.file_name} is not the manifest {manifest}, but {goal.digest[:12]}.",
            next_step="Restore that file from a backup; what is live has not been changed.",
        )
    return goal


def _known(manifest: Manifest | None) -> ManifestReader | None:
    """Return what is served now, None where even that is lost: then everything has to be there."""
    try:
        return open_manifest(manifest) if manifest else None
    except ManifestMissing:
        return None


def _coming(live: ManifestReader | None, goal: ManifestReader, reach: Reach | None = None) -> Iterator[Entry]:
    """Yield the paths that would be served with other content than now, as they would be."""
    wanted, within = _COMING, None
    if tally := kept_tally(live, goal):
        with closing(tally):
            wanted, within = tally.narrowed(_COMING)
    for difference in diff(live, goal, wanted, within=within, reach=reach):
        if difference.new is not None:
            yield difference.new


def _refuse_missing(goal: ManifestReader, entries: Iterator[Entry]) -> None:
    """Raise `BlobsMissing` where storage lacks the content of one of these paths, or a coding of it."""
    missing: list[str] = []
    for some in batched(entries, _AT_ONCE):
        contents = {entry.blob: entry.size for entry in some}
        contents.update(goal.coded(list(contents)))
        missing += _missing(list(contents.items()))
    if missing:
        named = ", ".join(map(store.blob_name, missing[:_NAMED]))
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise BlobsMissing(
            f"Storage lacks {len(missing)} of the contents that would come back: {named}{more}.",
            next_step="Restore them from a backup, or choose another publication; what is live stays.",
        )


def _missing(contents: list[_Content]) -> list[str]:
    missing: list[str] = []

    def see(content: _Content) -> None:
        digest, size = content
        if not store.is_stored(store.blob_name(digest), size_bytes=size):
            missing.append(digest)

    if store.local_path("") is None:
        in_parallel(see, contents)
    else:
        for content in contents:
            see(content)
    return sorted(missing)
