"""What in storage a roll back may need: whatever clears storage has to leave that there.

A channel's policy (how many publications, how many days) says how far back it keeps its history; whatever
the policy says, what one click goes back to is kept, and what waits to go live.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from apps.assets import store
from apps.releases.manifest import ManifestReader
from apps.releases.manifest.format import FIRST_FORMAT
from apps.releases.models import Channel, Drill, Manifest, ManifestFile, Publication, Release, RetainedNames
from apps.releases.rolling_back.retention import first_kept
from apps.releases.selectors.channels import live_publication, publication_before, publication_undone_by
from apps.releases.selectors.manifests import open_manifest

_OPEN = (Release.State.DRAFT, Release.State.IN_REVIEW, Release.State.APPROVED, Release.State.REJECTED)
_BLOBS = (
    "SELECT blob FROM kept.entry",
    "SELECT encoded FROM kept.representation WHERE blob IN (SELECT blob FROM kept.entry)",
)
_ORIGINALS = "SELECT blob FROM kept.original"


@dataclass(frozen=True, slots=True)
class Needed:
    """Manifests, and files of kept names, that are needed as they are in storage now."""

    files: tuple[ManifestFile, ...]

    @property
    def names(self) -> frozenset[str]:
        """Their names in storage."""
        return frozenset(file.file_name for file in self.files)

    def blobs(self) -> Iterator[str]:
        """Yield the SHA-256 (hex) of every blob that one of them serves, in order, each once.

        What pages were made from is among them: a release on such a base is built from that. Raises
        `ManifestMissing` where storage lacks one of the files: then nothing can be said.
        """
        with store.temporary_file() as file, closing(sqlite3.connect(f"file:{file}", uri=True)) as db:
            db.execute("CREATE TABLE needed (blob BLOB PRIMARY KEY) WITHOUT ROWID")
            for each in self.files:
                _gather(db, open_manifest(each))
            for (blob,) in db.execute("SELECT blob FROM needed ORDER BY blob"):
                yield blob.hex()


def kept_publications(channel: Channel, *, now: datetime | None = None) -> list[Publication]:
    """Return the publications that a channel can return to by its policy, newest first.

    They are among the last of them, or were live within the last days, or are one click away.
    """
    live = live_publication(channel)
    if live is None:
        return []
    goals = (publication_before(live), publication_undone_by(live))
    near = [goal.pk for goal in goals if goal]
    kept = channel.publications.select_related("manifest", "release").order_by("-sequence")
    return list(kept.filter(Q(sequence__gte=first_kept(live, now=now or timezone.now())) | Q(pk__in=near)))


def needed_for_rollback(*, now: datetime | None = None) -> Needed:
    """Return what must stay in storage so that every channel can go back as far as its policy says.

    What releases that may still go live hold or stand on is needed as well, and what a rehearsal goes
    back to.
    """
    digests = {release for release in _manifests_of_open_releases() if release}
    for channel in Channel.objects.all():
        digests |= {publication.manifest_id for publication in kept_publications(channel, now=now)}
    for drill in Drill.objects.select_related("earlier").filter(finished_at=None):
        digests |= {drill.manifest_id, drill.earlier.manifest_id}
    manifests = Manifest.objects.filter(digest__in=digests).order_by("digest")
    names = RetainedNames.objects.filter(path_count__gt=0).order_by("channel")
    return Needed((*manifests, *names))


def _manifests_of_open_releases() -> Iterable[str | None]:
    pairs = Release.objects.filter(state__in=_OPEN).values_list("manifest", "base_manifest")
    return (digest for pair in pairs.iterator() for digest in pair)


def _gather(db: sqlite3.Connection, reader: ManifestReader) -> None:
    """Add the blobs of one manifest: within SQLite, since there may be a million."""
    statements = _BLOBS if reader.meta["format"] == FIRST_FORMAT else (*_BLOBS, _ORIGINALS)
    db.execute("ATTACH ? AS kept", (reader.uri,))
    with db:
        for select in statements:
            db.execute(f"INSERT OR IGNORE INTO needed {select}")
    db.execute("DETACH kept")
