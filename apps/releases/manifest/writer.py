import hashlib
import itertools
import json
import os
import shutil
import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from apps.caching.rules import HeaderSet
from apps.releases.manifest.format import (
    APPLICATION_ID,
    FIRST_BUCKET,
    FORMAT,
    LAST,
    SCHEMA,
    Entry,
    ManifestFault,
    Representation,
    bucket_rows,
    manifest_digest,
    row_digest,
    starts_bucket,
)


class ManifestWriter:
    """Builds a manifest file: a copy of the base's with changes applied, or a new one.

    Nothing exists under `file` that a reader could take for a manifest until `finish` has returned;
    where it is not reached, the caller removes the file. Used as a context manager, it closes the
    file either way.
    """

    def __init__(self, file: Path, *, base: Path | None = None) -> None:
        self.file = file
        if base is not None:
            shutil.copyfile(base, file)
        self._db = sqlite3.connect(file, isolation_level=None)
        # The file is thrown away after a crash, so it needs no journal; `finish` syncs it.
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA cache_size = -65536")
        if base is None:
            self._db.executescript(SCHEMA)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._set_meta("format", FORMAT)
        self._db.execute("BEGIN")
        self._media_types: dict[str, int] = {
            name: number for number, name in self._db.execute("SELECT id, name FROM media_type")
        }
        self._header_sets: dict[str, int] = {
            digest.hex(): number for number, digest in self._db.execute("SELECT id, digest FROM header_set")
        }
        self._is_new = base is None
        self._touched: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def put(
        self, path: str, *, blob: str, size: int, media_type: str, header_set: HeaderSet, release: int
    ) -> None:
        """Make `path` serve `blob` (SHA-256 in hex) of `size` bytes under `header_set`."""
        self._db.execute(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?)",
            (
                path,
                bytes.fromhex(blob),
                size,
                self._media_type_id(media_type),
                self._header_set_id(header_set),
                release,
            ),
        )
        self._touch(path)

    def remove(self, path: str) -> bool:
        """Take `path` out; return False where it was not there."""
        removed = self._db.execute("DELETE FROM entry WHERE path = ?", (path,)).rowcount > 0
        if removed:
            self._touch(path)
        return removed

    def set_header_set(self, entry: Entry, header_set: HeaderSet) -> None:
        """Give a path other headers; its content stays that of the release which brought it."""
        number = self._header_set_id(header_set)
        if number != entry.header_set:
            self._db.execute("UPDATE entry SET header_set = ? WHERE path = ?", (number, entry.path))
            self._touch(entry.path)

    def add_representations(self, blob: str, representations: Iterable[Representation]) -> None:
        """Add content codings of `blob`. They are derived data: the manifest's digest stays."""
        self._db.executemany(
            "INSERT OR REPLACE INTO representation VALUES (?, ?, ?, ?)",
            [(bytes.fromhex(blob), r.coding, bytes.fromhex(r.encoded), r.size) for r in representations],
        )

    def set_released(self, release: int, at: int) -> None:
        """Note when a release first went live (seconds since 1970): its contents' Last-Modified."""
        self._db.execute("INSERT OR IGNORE INTO released VALUES (?, ?)", (release, at))

    def entries(self) -> Iterator[Entry]:
        """Yield the entries as they are now, in the order of their paths."""
        rows = self._db.execute(
            "SELECT path, blob, size, media_type.name, header_set, release"
            " FROM entry JOIN media_type ON media_type.id = entry.media_type ORDER BY path"
        ).fetchall()
        return (
            Entry(p, blob.hex(), size, media, headers, rel) for p, blob, size, media, headers, rel in rows
        )

    def finish(self, *, rules_digest: str) -> str:
        """Complete the file, sync it to disk and return the manifest's digest.

        Raises `ManifestFault` where SQLite finds the file damaged (a bad copy, a bad disk).
        """
        try:
            self._refresh_buckets()
            digest = manifest_digest(
                d for (d,) in self._db.execute("SELECT digest FROM bucket ORDER BY first_path")
            )
            count = self._db.execute("SELECT count(*) FROM entry").fetchone()[0]
            self._set_meta("digest", digest)
            self._set_meta("path_count", str(count))
            self._set_meta("rules_digest", rules_digest)
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise ManifestFault(f"{self.file} could not be completed: {error}") from error
        self._db.close()
        with self.file.open("rb") as written:
            os.fsync(written.fileno())
        return digest

    def _touch(self, path: str) -> None:
        if not self._is_new:  # a new file's buckets are all computed, in one pass
            self._touched.add(path)

    def _media_type_id(self, name: str) -> int:
        if name not in self._media_types:
            cursor = self._db.execute("INSERT INTO media_type (name) VALUES (?)", (name,))
            self._media_types[name] = cursor.lastrowid or 0
        return self._media_types[name]

    def _header_set_id(self, header_set: HeaderSet) -> int:
        if header_set.digest not in self._header_sets:
            cursor = self._db.execute(
                "INSERT INTO header_set (digest, rule, rule_version, headers) VALUES (?, ?, ?, ?)",
                (
                    bytes.fromhex(header_set.digest),
                    header_set.rule,
                    header_set.rule_version,
                    json.dumps(header_set.headers, ensure_ascii=False),
                ),
            )
            self._header_sets[header_set.digest] = cursor.lastrowid or 0
        return self._header_sets[header_set.digest]

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _refresh_buckets(self) -> None:
        """Compute the digests of the buckets whose rows may have changed, and of no other."""
        if self._is_new:
            paths = (path for (path,) in self._db.execute("SELECT path FROM entry ORDER BY path"))
            firsts = [FIRST_BUCKET, *filter(starts_bucket, paths)]
            stale = set(firsts)
        else:
            firsts = self._moved_boundaries()
            stale = self._stale_buckets(firsts)
        following = dict(itertools.pairwise(firsts))
        self._db.executemany(
            "INSERT OR REPLACE INTO bucket VALUES (?, ?)",
            [
                (first, row_digest(bucket_rows(self._db, first, following.get(first, LAST))))
                for first in sorted(stale)
            ],
        )

    def _moved_boundaries(self) -> list[str]:
        """Bring the boundaries up to date with the touched paths; return all of them, in order."""
        firsts = {first for (first,) in self._db.execute("SELECT first_path FROM bucket")}
        for path in filter(starts_bucket, self._touched):
            if self._db.execute("SELECT 1 FROM entry WHERE path = ?", (path,)).fetchone():
                firsts.add(path)
            elif path in firsts:
                firsts.remove(path)
                self._db.execute("DELETE FROM bucket WHERE first_path = ?", (path,))
        return sorted(firsts)

    def _stale_buckets(self, firsts: list[str]) -> set[str]:
        stale = set()
        for path in self._touched:
            place = bisect_right(firsts, path) - 1
            stale.add(firsts[place])
            if firsts[place] == path and place:  # it took its rows from the bucket before it, if it is new
                stale.add(firsts[place - 1])
        return stale


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
