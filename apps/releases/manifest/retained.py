"""The file of the fingerprinted names that a channel served and serves no longer, but still answers for.

It is a manifest whose paths are those names, so that delivery looks them up as any other. A table of its
own, `last_live`, says in which publication of the channel each of them was served last.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from apps.caching.matching import is_fingerprinted
from apps.releases.manifest.format import Entry
from apps.releases.manifest.names import fingerprinted_name, split_fingerprinted
from apps.releases.manifest.pair import Pair
from apps.releases.manifest.reader import ManifestReader
from apps.releases.manifest.writer import ManifestWriter

_LAST_LIVE = """
CREATE TABLE IF NOT EXISTS last_live (path TEXT PRIMARY KEY, publication INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS last_live_by_publication ON last_live (publication);
"""


@dataclass(frozen=True, slots=True)
class Served:
    """What a channel served: a manifest, in the publication of that number.

    `released_at` is when its release first went live on the channel, in seconds since 1970.
    """

    reader: ManifestReader
    publication: int
    released_at: int


class RetainedWriter(ManifestWriter):
    """Builds the file of the names that are kept, from the one before or from nothing.

    `step` goes from each publication to the next; `expire` then lets the oldest names go.
    """

    def __init__(self, file: Path, *, base: Path | None = None) -> None:
        super().__init__(file, base=base)
        for statement in filter(str.strip, _LAST_LIVE.split(";")):
            self._db.execute(statement)
        self._is_changed = False
        self._has_forgotten = False

    @property
    def is_changed(self) -> bool:
        """Whether other names are kept than in the base, or any where there is none."""
        return self._is_changed

    @property
    def count(self) -> int:
        """How many names are kept."""
        return int(self._db.execute("SELECT count(*) FROM last_live").fetchone()[0])

    @property
    def oldest(self) -> int | None:
        """The earliest publication whose names are kept, None where no name is."""
        found: int | None = self._db.execute("SELECT min(publication) FROM last_live").fetchone()[0]
        return found

    def step(self, old: Served, new: ManifestReader) -> None:
        """Keep the names that `old` serves and `new`, which takes its place, does not.

        Names that `new` serves again are forgotten. The cost follows the differences of the two, not
        their paths.
        """
        with Pair(old.reader, new) as pair:
            if self.oldest is not None:
                for name in _names_only_in("new", "old", pair):
                    self._forget(name)
            for name in _names_only_in("old", "new", pair):
                if not _is_served(new, name):
                    self._keep(name, old)

    def expire(self, *, before: int) -> None:
        """Forget the names that were last served in publications before that number."""
        names = self._db.execute("SELECT path FROM last_live WHERE publication < ?", (before,)).fetchall()
        for (name,) in names:
            self._forget(name)

    def finish(self, *, rules_digest: str = "") -> str:
        """Complete the file as a manifest is; no rules made it, so it has no digest of any."""
        if self._has_forgotten:
            self._leave_out_unused()
        digest = super().finish(rules_digest=rules_digest)
        if self._has_forgotten:
            _shrink(self.file)
        return digest

    def _keep(self, name: str, old: Served) -> None:
        entry, header_set = _find(old.reader, name)
        self.put(
            name,
            blob=entry.blob,
            size=entry.size,
            media_type=entry.media_type,
            header_set=old.reader.header_sets[header_set],
            release=entry.release,
        )
        self.add_representations(entry.blob, old.reader.representations(entry.blob))
        self.set_released(entry.release, old.reader.released.get(entry.release, old.released_at))
        self._db.execute("INSERT OR REPLACE INTO last_live VALUES (?, ?)", (name, old.publication))
        self._is_changed = True

    def _forget(self, name: str) -> None:
        if self.remove(name):
            self._db.execute("DELETE FROM last_live WHERE path = ?", (name,))
            self._is_changed = self._has_forgotten = True

    def _leave_out_unused(self) -> None:
        for statement in (
            "DELETE FROM representation WHERE blob NOT IN (SELECT blob FROM entry)",
            "DELETE FROM header_set WHERE id NOT IN (SELECT header_set FROM entry)",
            "DELETE FROM released WHERE release NOT IN (SELECT release FROM entry)",
        ):
            self._db.execute(statement)


def _is_served(reader: ManifestReader, name: str) -> bool:
    plain = split_fingerprinted(name)
    return reader.served(name) is not None or (plain is not None and reader.served_as(*plain) is not None)


def _find(reader: ManifestReader, name: str) -> tuple[Entry, int]:
    """Return the entry that answers for `name`, and its header set's id; a file of that name comes first.

    Raises `KeyError` where none does.
    """
    entry = reader.lookup(name)
    if entry is not None:
        return entry, entry.header_set
    path, fingerprint = split_fingerprinted(name) or ("", "")
    entry = reader.lookup(path)
    if entry is None or entry.fingerprint != fingerprint:
        raise KeyError(name)
    return entry, entry.named_header_set


_NAMES = """
    SELECT here.path, here.fingerprint, there.path IS NULL
    FROM {here}_paths AS here LEFT JOIN {there}_paths AS there ON there.path = here.path
    WHERE here.path >= ? AND here.path < ?
    AND (there.path IS NULL OR (here.fingerprint <> '' AND here.fingerprint <> there.fingerprint))
"""


def _names_only_in(here: str, there: str, pair: Pair) -> Iterator[str]:
    """Yield the fingerprinted names that a path has here and the same path has not there."""
    for ends in pair.ranges:
        for path, fingerprint, is_gone in pair.db.execute(_NAMES.format(here=here, there=there), ends):
            if is_gone and is_fingerprinted(path):
                yield path
            if fingerprint:
                yield fingerprinted_name(path, fingerprint)


def _shrink(file: Path) -> None:
    """Give back the room of names that went, once it is half of the file, which every node fetches."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        pages, unused = (
            db.execute(f"PRAGMA {word}").fetchone()[0] for word in ("page_count", "freelist_count")
        )
        if unused * 2 <= pages:
            return
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("VACUUM")
    with file.open("rb") as written:
        os.fsync(written.fileno())
