"""Counts of what differs between two manifests: kept by this machine once they were made."""

import hashlib
import logging
import sqlite3
from collections.abc import Collection

from apps.assets.exceptions import AssetRefusal
from apps.releases.local_files import keep_file, kept_file
from apps.releases.manifest import ManifestFault, ManifestReader
from apps.releases.manifest.pair import Pair
from apps.releases.manifest.tally import Tally, write_tally

logger = logging.getLogger(__name__)
QUICK_BUCKETS = 400  # about 100,000 paths: read in a tenth of a second


def tally_of(old: ManifestReader | None, new: ManifestReader | None) -> Tally | None:
    """Return the counts of what differs, made now where they never were; None where the disk refuses that.

    It is the caller's to close. Making them takes a second or more for a million paths that may differ.
    """
    return kept_tally(old, new) or _made(old, new)


def remember_tally(old: ManifestReader | None, new: ManifestReader, *, among: Collection[str] | None) -> None:
    """Count what a manifest that was just built differs in from its base, so that no page waits for it.

    `among` are the paths that the build has touched, where it was built on a base: no others are looked at.
    """
    if tally := kept_tally(old, new) or _made(old, new, among=among):
        tally.close()


def quick_tally(old: ManifestReader | None, new: ManifestReader | None) -> Tally | None:
    """Return what `tally_of` does, but None where a page would have to wait for it."""
    return kept_tally(old, new) or (_made(old, new) if is_quick(old, new) else None)


def kept_tally(old: ManifestReader | None, new: ManifestReader | None) -> Tally | None:
    """Return the counts if they were made before, this way round or the other."""
    for name, is_reversed in ((_name(old, new), False), (_name(new, old), True)):
        if file := kept_file(name):
            try:
                return Tally(file, is_reversed=is_reversed)
            except ManifestFault:  # of another version, damaged, or gone since: it is made again
                continue
    return None


def is_quick(old: ManifestReader | None, new: ManifestReader | None) -> bool:
    """Say whether so little can differ that counting it is a matter of an instant."""
    with Pair(old, new) as pair:
        return len(pair.buckets) <= QUICK_BUCKETS


def _made(
    old: ManifestReader | None, new: ManifestReader | None, *, among: Collection[str] | None = None
) -> Tally | None:
    try:
        return Tally(keep_file(_name(old, new), lambda file: write_tally(file, old, new, among=among)))
    except (OSError, sqlite3.Error, AssetRefusal, ManifestFault):
        logger.exception("What differs could not be counted.")
        return None


def _name(old: ManifestReader | None, new: ManifestReader | None) -> str:
    digests = " ".join(reader.digest if reader else "" for reader in (old, new))
    return f"tally-{hashlib.sha256(digests.encode()).hexdigest()}.sqlite"
