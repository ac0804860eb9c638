"""Keeps the fingerprinted names of earlier publications answering: see docs/delivery.md.

What is kept follows from a channel's publications and their manifests, step by step from one publication
to the next, so that it costs what they differ in. It is gathered before the pointer names a publication:
a page that was loaded a second ago finds its parts on either side of the switch.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.db.models import F
from django.utils import timezone

from apps.assets import store
from apps.releases.exceptions import ManifestMissing
from apps.releases.files import put_manifest_file
from apps.releases.manifest.retained import RetainedWriter, Served
from apps.releases.models import Publication, RetainedNames
from apps.releases.rolling_back.retention import first_kept
from apps.releases.selectors import first_published_at, open_manifest

logger = logging.getLogger(__name__)

_NO_FILE = {"path_count": 0, "file_name": "", "file_sha256": "", "file_size_bytes": 0}
_TRIES = 3  # another process may be gathering as well, and have been first


def gather_names(live: Publication, *, now: datetime | None = None) -> None:
    """Bring the names that the channel of `live` keeps up to date with its history up to that publication.

    Where nothing is to do, that takes three queries. Running it twice, or in two places, is harmless.
    Raises what disk and storage raise; what was kept before stays then.
    """
    first = first_kept(live, now=now or timezone.now())
    for _ in range(_TRIES):
        row, _ = RetainedNames.objects.get_or_create(channel=live.channel, defaults=_NO_FILE)
        is_later = row.last_publication > live.sequence
        if is_later or _is_up_to_date(row, first, live.sequence) or _gather(row, live, first):
            return


def _is_up_to_date(row: RetainedNames, first: int, last: int) -> bool:
    if (row.first_publication, row.last_publication) != (first, last):
        return False
    return not row.path_count or store.is_stored(row.file_name, size_bytes=row.file_size_bytes)


def _gather(row: RetainedNames, live: Publication, first: int) -> bool:
    """Gather the names and note them in `row`; return False where another process has been first."""
    start, base = _beginning(row, first)
    history = live.channel.publications.select_related("manifest", "release").order_by("sequence")
    publications = list(history.filter(sequence__range=(start, live.sequence)))
    fields: dict[str, Any] = {"first_publication": first, "last_publication": live.sequence}
    with store.temporary_file() as file, RetainedWriter(file, base=base) as writer:
        for old, new in pairwise(_served(publications)):
            writer.step(old, new.reader)
        writer.expire(before=first)
        if writer.is_changed or (base is None and row.path_count):
            fields |= _finish(writer, file)
            fields["newest_representation"] = _newest_representation(row if base else None, publications)
    as_it_was = RetainedNames.objects.filter(pk=row.pk, revision=row.revision)
    return bool(as_it_was.update(revision=F("revision") + 1, **fields))


def _beginning(row: RetainedNames, first: int) -> tuple[int, Path | None]:
    """Return the publication to go on from, and the file of the names that were kept then.

    That is the first whose names are kept, and no file, where the file is lost, or where names are kept
    for longer than they were.
    """
    if row.first_publication <= first <= row.last_publication:
        if not row.path_count:
            return row.last_publication, None
        with suppress(ManifestMissing):
            return row.last_publication, open_manifest(row).file
    return first, None


def _served(publications: Iterable[Publication]) -> Iterator[Served]:
    """Yield what was served; a manifest that is missing from storage is left out, its names being lost."""
    for publication in publications:
        try:
            reader = open_manifest(publication.manifest)
        except ManifestMissing as missing:
            logger.warning("The names of %s cannot be kept: %s", publication, missing)
            continue
        released = first_published_at(publication.release) or publication.published_at
        yield Served(reader, publication.sequence, int(released.timestamp()))


def _finish(writer: RetainedWriter, file: Path) -> dict[str, Any]:
    """Complete the file and bring it to storage, if there is a name in it; return the fields that say so."""
    count, oldest = writer.count, writer.oldest
    if not count:
        return {**_NO_FILE, "oldest_publication": None}
    stored = put_manifest_file(file, digest=writer.finish())
    return {"path_count": count, "oldest_publication": oldest, **stored}


def _newest_representation(base: RetainedNames | None, publications: Iterable[Publication]) -> int:
    """Return the newest content coding that all of these files have taken into account."""
    files = [publication.manifest for publication in publications]
    return min(file.newest_representation for file in (*files, *([base] if base else [])))
