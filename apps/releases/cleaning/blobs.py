"""Blobs: what an import left that was refused, and what only manifests named that are gone.

Which blobs there are is asked for in 256 parts, so that memory does not grow with their number.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from django.db.models import Exists, OuterRef, QuerySet

from apps.assets import store
from apps.assets.listing import listed
from apps.assets.models import AssetVersion, Blob, Representation
from apps.jobs.cleaning import Cleaned, cleaner
from apps.releases.cleaning.storage import clear
from apps.releases.manifest.format import FIRST_FORMAT
from apps.releases.models import Change, Manifest, ManifestFile, Resolution, RetainedNames
from apps.releases.selectors import open_manifest

FOLDER = "blobs/sha256"
_PARTS = tuple(f"{number:02x}" for number in range(256))
_NAMED = (
    "SELECT blob FROM kept.entry WHERE blob IN (SELECT blob FROM loose)",
    "SELECT encoded FROM kept.representation WHERE encoded IN (SELECT blob FROM loose)",
)
_ORIGINALS = "SELECT blob FROM kept.original WHERE blob IN (SELECT blob FROM loose)"


@cleaner("blobs")
def clear_blobs(*, is_dry_run: bool) -> Cleaned:
    """Remove the blobs that no manifest in storage, no version and no change refers to.

    Raises `ManifestMissing` where storage lacks a manifest that is needed: nobody knows then what it names.
    """
    with store.temporary_file() as file, closing(sqlite3.connect(file)) as loose:
        loose.execute("CREATE TABLE loose (blob BLOB PRIMARY KEY) WITHOUT ROWID")
        _gather_loose(loose)
        _strike_named(loose)
        parts = ((f"{FOLDER}/{part}", _unneeded(part, loose)) for part in _PARTS)
        return clear(FOLDER, parts, forget=_forget, is_dry_run=is_dry_run)


def loose_blobs() -> QuerySet[Blob]:
    """Return the blobs that no version, change, merged text and content coding refers to.

    They may be named by manifests: pages that were built, content codings that others have beaten.
    """
    return Blob.objects.filter(
        ~Exists(AssetVersion.objects.order_by().filter(blob=OuterRef("pk"))),
        ~Exists(Change.objects.order_by().filter(replaced_blob=OuterRef("pk"))),
        ~Exists(Resolution.objects.order_by().filter(blob=OuterRef("pk"))),
        ~Exists(Representation.objects.order_by().filter(encoded=OuterRef("pk"))),
    )


def _gather_loose(loose: sqlite3.Connection) -> None:
    digests = loose_blobs().order_by().values_list("pk", flat=True).iterator()
    with loose:
        loose.executemany("INSERT INTO loose VALUES (?)", ((bytes.fromhex(each),) for each in digests))


def _strike_named(loose: sqlite3.Connection) -> None:
    """Strike off what a manifest in storage names: the newest first, until nothing is left."""
    for each in _files():
        if not loose.execute("SELECT EXISTS (SELECT 1 FROM loose)").fetchone()[0]:
            return
        reader = open_manifest(each)
        statements = _NAMED if reader.meta["format"] == FIRST_FORMAT else (*_NAMED, _ORIGINALS)
        loose.execute("ATTACH ? AS kept", (reader.uri,))
        with loose:
            for select in statements:
                loose.execute(f"DELETE FROM loose WHERE blob IN ({select})")  # noqa: S608 - ours
        loose.execute("DETACH kept")


def _files() -> Iterator[ManifestFile]:
    yield from RetainedNames.objects.filter(path_count__gt=0)
    yield from Manifest.objects.filter(cleared_at=None).order_by("-built_at", "pk").iterator()


def _unneeded(part: str, loose: sqlite3.Connection) -> dict[str, int]:
    """Return the names and sizes of the blobs in one part of storage that nobody needs.

    Of a removal that was interrupted the row may be left, without a file: it is among them, with no bytes.
    """
    within = (bytes.fromhex(part.ljust(64, "0")), bytes.fromhex(part.ljust(64, "f")))
    free = {
        blob.hex() for (blob,) in loose.execute("SELECT blob FROM loose WHERE blob BETWEEN ? AND ?", within)
    }
    unneeded = {store.blob_name(digest): 0 for digest in free}
    unneeded.update(listed(f"{FOLDER}/{part}"))
    if len(unneeded) > len(free):
        known = Blob.objects.filter(pk__gte=part, pk__lt=f"{part}g")  # g is behind every digit
        for digest in known.values_list("pk", flat=True).iterator():
            if digest not in free:
                unneeded.pop(store.blob_name(digest), None)
    return unneeded


def _forget(names: list[str]) -> set[str]:
    """Take the rows of these blobs away; return the files that may go."""
    by_digest = {Path(name).name: name for name in names}
    known = set(Blob.objects.filter(pk__in=by_digest).values_list("pk", flat=True))
    loose = set(loose_blobs().filter(pk__in=known).values_list("pk", flat=True))
    Representation.objects.filter(blob__in=loose).delete()
    Blob.objects.filter(pk__in=loose).delete()
    return {name for digest, name in by_digest.items() if digest not in known or digest in loose}
