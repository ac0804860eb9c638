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
from apps.releases.manifest.diff import diff
from apps.releases.manifest.format import Entry
from apps.releases.manifest.names import fingerprinted_name, split_fingerprinted
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
        for row in diff(old.reader, new):
            if row.new:
                for name in _names(row.new, row.old):
                    self._forget(name)
            if row.old:
                for name in _names(row.old, row.new):
                    if _served_as(new, name) is None:
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
        found = _served_as(old.reader, name)
        if found is None:
            return
        entry, header_set = found
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


def _names(entry: Entry, elsewhere: Entry | None) -> Iterator[str]:
    """Yield the fingerprinted names that `entry` has and the same path in the other manifest has not."""
    if elsewhere is None and is_fingerprinted(entry.path):
        yield entry.path
    if entry.fingerprint and (elsewhere is None or entry.fingerprint != elsewhere.fingerprint):
        yield fingerprinted_name(entry.path, entry.fingerprint)


def _served_as(reader: ManifestReader, name: str) -> tuple[Entry, int] | None:
    """Return the entry that answers for `name`, and its header set's id; a file of that name comes first."""
    entry = reader.lookup(name)
    if entry is not None:
        return entry, entry.header_set
    plain = split_fingerprinted(name)
    entry = reader.lookup(plain[0]) if plain else None
    return (entry, entry.named_header_set) if entry and plain and entry.fingerprint == plain[1] else None


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
