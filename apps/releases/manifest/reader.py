import json
import sqlite3
import threading
import weakref
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from apps.caching.rules import HeaderSet
from apps.releases.manifest.format import (
    APPLICATION_ID,
    FIRST_BUCKET,
    FORMAT,
    LAST,
    Entry,
    ManifestFault,
    Representation,
    bucket_rows,
    manifest_digest,
    row_digest,
)

_ENTRY = """
    SELECT entry.path, entry.blob, entry.size, media_type.name, entry.header_set, entry.release
    FROM entry JOIN media_type ON media_type.id = entry.media_type
"""


def _entry(row: tuple[str, bytes, int, str, int, int]) -> Entry:
    path, blob, size, media_type, header_set, release = row
    return Entry(path, blob.hex(), size, media_type, header_set, release)


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


class ManifestReader:
    """Looks paths up in one manifest file. Safe for use by several threads at once.

    Raises `ManifestFault` if the file is missing, damaged or of another format. The file never
    changes, so it is opened as immutable: no lock is taken and nothing is written beside it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._uri = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        # A reader is let go of while other threads may still look something up in it: its files are
        # closed when the last of them has finished, not before.
        weakref.finalize(self, _close_all, self._connections)
        try:
            self._check_format()
            self.meta: dict[str, str] = dict(self._db.execute("SELECT key, value FROM meta"))
            self.header_sets: dict[int, HeaderSet] = dict(self._read_header_sets())
            self.released: dict[int, int] = dict(self._db.execute("SELECT release, at FROM released"))
        except (sqlite3.Error, ValueError) as error:
            self.close()
            raise ManifestFault(f"{file} is not a readable manifest: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def digest(self) -> str:
        """The manifest's digest, as its writer recorded it (`verify` computes it again)."""
        return self.meta["digest"]

    @property
    def path_count(self) -> int:
        return int(self.meta["path_count"])

    @property
    def rules_digest(self) -> str:
        """The digest of the rules that the header sets were compiled from."""
        return self.meta["rules_digest"]

    def lookup(self, path: str) -> Entry | None:
        """Return the entry of `path` (no leading slash), or None."""
        row = self._db.execute(_ENTRY + "WHERE entry.path = ?", (path,)).fetchone()
        return _entry(row) if row else None

    def lookup_many(self, paths: list[str]) -> dict[str, Entry]:
        """Return the entries of those `paths` that there are."""
        found = (self.lookup(path) for path in paths)
        return {entry.path: entry for entry in found if entry}

    def representations(self, blob: str) -> tuple[Representation, ...]:
        """Return the content codings that are kept of `blob`, smallest first."""
        rows = self._db.execute(
            "SELECT coding, encoded, size FROM representation WHERE blob = ? ORDER BY size, coding",
            (bytes.fromhex(blob),),
        )
        return tuple(Representation(coding, encoded.hex(), size) for coding, encoded, size in rows)

    def served_among(self, blobs: Collection[str]) -> set[str]:
        """Return those of these blobs (hex) that some path serves: one pass over all paths."""
        wanted = frozenset(map(bytes.fromhex, blobs))
        served = self._db.execute("SELECT blob FROM entry")
        return {blob.hex() for (blob,) in served if blob in wanted}

    def entries(self, *, prefix: str = "") -> Iterator[Entry]:
        """Yield the entries below `prefix` in the order of their paths."""
        return self.range(prefix, prefix + LAST)

    def buckets(self) -> list[tuple[str, bytes]]:
        """Return (first path, digest) of every bucket in order: about one for 256 paths."""
        return self._db.execute("SELECT first_path, digest FROM bucket ORDER BY first_path").fetchall()

    def range(self, first: str, following: str = LAST) -> Iterator[Entry]:
        """Yield the entries from `first` up to, not including, `following`, in order."""
        rows = self._db.execute(
            _ENTRY + "WHERE entry.path >= ? AND entry.path < ? ORDER BY entry.path", (first, following)
        )
        return map(_entry, rows)

    def verify(self) -> None:
        """Compute every digest again from the rows; raise `ManifestFault` at the first that differs."""
        try:
            self._verify()
        except sqlite3.DatabaseError as error:
            raise ManifestFault(f"{self.file} is damaged: {error}") from error

    def close(self) -> None:
        """Close every thread's connection. A lookup afterwards fails."""
        _close_all(self._connections)

    @property
    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._uri, uri=True, check_same_thread=False)
            connection.execute("PRAGMA mmap_size = 1073741824")
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def _verify(self) -> None:
        buckets = self.buckets()
        if not buckets or buckets[0][0] != FIRST_BUCKET:
            raise ManifestFault(f"{self.file}: its first bucket is missing")
        ends = [first for first, _ in buckets[1:]] + [LAST]
        for (first, digest), end in zip(buckets, ends, strict=True):
            if row_digest(bucket_rows(self._db, first, end)) != digest:
                raise ManifestFault(f"{self.file}: the rows from {first!r} on are not what was built")
        if manifest_digest(digest for _, digest in buckets) != self.digest:
            raise ManifestFault(f"{self.file}: its digest is not the digest of its rows")

    def _check_format(self) -> None:
        if self._db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise ValueError("it is a SQLite file, but not of Assetsite")
        found = self._db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        if found != (FORMAT,):
            raise ValueError(f"its format is {found and found[0]}, this program reads {FORMAT}")

    def _read_header_sets(self) -> Iterator[tuple[int, HeaderSet]]:
        rows = self._db.execute("SELECT id, digest, rule, rule_version, headers FROM header_set")
        for number, digest, rule, rule_version, headers in rows:
            pairs = tuple((name, value) for name, value in json.loads(headers))
            yield number, HeaderSet(rule, rule_version, pairs, digest.hex())
