"""Is what a channel would go back to still whole in storage? Asked before it is switched to, not after.

What is read: the manifest's file, every byte, compared with the SHA-256 that was recorded when it was
built; the digest in it; and that storage has each content that would come back, in its size. What is not
read: the bytes of those contents, which each node compares before it serves them.
"""

from collections.abc import Iterator
from itertools import batched

from apps.assets import store
from apps.assets.disk import in_parallel
from apps.releases.exceptions import BlobsMissing, ManifestMissing
from apps.releases.files import manifest_file
from apps.releases.manifest import ManifestReader, diff
from apps.releases.manifest.writer import file_sha256
from apps.releases.models import Manifest
from apps.releases.selectors import open_manifest

_AT_ONCE = 256
_NAMED = 3

type _Content = tuple[str, int]
"""A blob's SHA-256 in hex, and its size."""


def refuse_unless_whole(manifest: Manifest, *, instead_of: Manifest | None) -> None:
    """Raise `ManifestMissing` or `BlobsMissing` unless storage has all that going back to `manifest` needs.

    `instead_of` is what is served now: what both serve is served already, so it is not asked for.
    """
    if file_sha256(manifest_file(manifest)) != manifest.file_sha256:
        raise ManifestMissing(
            f"Manifest {manifest} is damaged in storage ({manifest.file_name}): it is not what was built.",
            next_step="Restore that file from a backup; what is live has not been changed.",
        )
    goal = open_manifest(manifest)
    if goal.digest != manifest.digest:
        raise ManifestMissing(
            f"{manifest.file_name} is not the manifest {manifest}, but {goal.digest[:12]}.",
            next_step="Restore that file from a backup; what is live has not been changed.",
        )
    missing = _missing(_returning(_known(instead_of), goal))
    if missing:
        named = ", ".join(store.blob_name(digest) for digest, _ in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise BlobsMissing(
            f"Storage lacks {len(missing)} of the contents that would come back: {named}{more}.",
            next_step="Restore them from a backup, or choose another publication; what is live stays.",
        )


def _known(manifest: Manifest | None) -> ManifestReader | None:
    """Return what is served now, None where even that is lost: then everything has to be there."""
    try:
        return open_manifest(manifest) if manifest else None
    except ManifestMissing:
        return None


def _returning(live: ManifestReader | None, goal: ManifestReader) -> Iterator[_Content]:
    """Yield the contents, and codings of them, of the paths that would be served otherwise."""
    for difference in diff(live, goal):
        entry = difference.new
        if entry is not None and difference.is_content_changed:
            yield entry.blob, entry.size
            for coding in goal.representations(entry.blob):
                yield coding.encoded, coding.size


def _missing(contents: Iterator[_Content]) -> list[_Content]:
    missing: list[_Content] = []

    def look(content: _Content) -> None:
        digest, size = content
        if not store.is_stored(store.blob_name(digest), size_bytes=size):
            missing.append(content)

    is_here = store.local_path("") is not None
    for some in batched(contents, _AT_ONCE):
        if is_here:
            for content in some:
                look(content)
        else:
            in_parallel(look, some)
    return sorted(missing)
