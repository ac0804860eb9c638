import itertools
import json
import sqlite3
import threading
import weakref
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import quote

from apps.caching.rules import HeaderSet
from apps.releases.manifest.digest import (
    FIRST_BUCKET,
    Row,
    bucket_rows,
    manifest_digest,
    redirects_digest,
    row_digest,
)
from apps.releases.manifest.format import (
    APPLICATION_ID,
    ENTRY_SQL,
    FIRST_FORMAT,
    FORMATS,
    LAST,
    MISSING_REFERENCE,
    Entry,
    Finding,
    ManifestFault,
    Redirect,
    Representation,
    entry_of,
    read_redirects,
    redirect_sources,
)
from apps.releases.manifest.names import fingerprinted_name, split_fingerprinted


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


# Blob (SHA-256), header set's id, release: what tells one answer from another, read for a visitor, for
# whom every further column would be read in vain.
type ServedRow = tuple[bytes, int, int]


class Index(Protocol):
    """Answers what a manifest does, quicker."""

    def served(self, path: str) -> ServedRow | None: ...


_SERVED_SQL = "SELECT blob, header_set, release FROM entry WHERE path = ?"
_NAMED_SQL = "SELECT blob, named_header_set, release FROM entry WHERE path = ? AND fingerprint = ?"
_MAPPED_BYTES = 1 << 30
_PATHS_AT_ONCE = 500
_PLACES = 250
_BUCKETS_CHOSEN_AMONG = 10_000


class ManifestReader:
    """Looks paths up in one manifest file. Safe for use by several threads at once.

    Raises `ManifestFault` if the file is missing, damaged or of another format. The file never
    changes, so it is opened as immutable: no lock is taken and nothing is written beside it.
    `index`, where it is set, is asked in its place for what visitors ask most (see `path_index`).
    `is_mapped` reads through a memory map, which is quicker for whom reads much of it; without, a
    reader takes 2 MB however large the file is. `inode` tells the file that it has opened from another that
    may have taken its place since.
    """

    def __init__(self, file: Path, *, is_mapped: bool = True) -> None:
        self.file = file
        self.index: Index | None = None
        self._mapped_bytes = _MAPPED_BYTES if is_mapped else 0
        self.uri = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        # A reader is let go of while other threads may still look something up in it: its files are
        # closed when the last of them has finished, not before.
        weakref.finalize(self, _close_all, self._connections)
        try:
            self._check_format()
            self.meta: dict[str, str] = dict(self._db.execute("SELECT key, value FROM meta"))
            self._entries_sql = ENTRY_SQL[self.meta["format"]]
            self._lookup_sql = self._entries_sql + "WHERE entry.path = ?"
            self.media_types: dict[int, str] = dict(self._db.execute("SELECT id, name FROM media_type"))
            self._has_links = self.has_rows("page_link")
            self._redirect_depth = self._deepest_wildcard() if self.has_rows("redirect") else None
            self.header_sets: dict[int, HeaderSet] = dict(self._read_header_sets())
            # Ids of the header sets that a page with a Link header may have: nothing else has one.
            self.linking = frozenset(self._sets_of_pages() if self._has_links else ())
            self.released: dict[int, int] = dict(self._db.execute("SELECT release, at FROM released"))
            self.inode = file.stat().st_ino
        except (sqlite3.Error, ValueError, OSError) as error:
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
        row = self._db.execute(self._lookup_sql, (path,)).fetchone()
        return entry_of(row) if row else None

    def served(self, path: str) -> ServedRow | None:
        """Return the row of `path` (no leading slash) as delivery needs it, or None."""
        index = self.index
        return self._first(_SERVED_SQL, (path,)) if index is None else index.served(path)

    def all_served(self) -> Iterator[tuple[str, ServedRow]]:
        """Yield every path with what `served` returns of it, in order."""
        rows = self._db.execute("SELECT path, blob, header_set, release FROM entry ORDER BY path")
        return ((path, (blob, header_set, release)) for path, blob, header_set, release in rows)

    def served_as(self, path: str, fingerprint: str) -> ServedRow | None:
        """Return the row of `path` under its fingerprinted name, None if that is not its fingerprint."""
        return None if self._is_first_format else self._first(_NAMED_SQL, (path, fingerprint))

    def size_of(self, path: str) -> int:
        """Return how many bytes `path` serves. Raises `KeyError` where it is not served."""
        row = self._db.execute("SELECT size FROM entry WHERE path = ?", (path,)).fetchone()
        if row is None:
            raise KeyError(path)
        return int(row[0])

    def representations(self, blob: str) -> tuple[Representation, ...]:
        """Return the content codings that are kept of `blob`, smallest first."""
        rows = self._db.execute(
            "SELECT coding, encoded, size FROM representation WHERE blob = ? ORDER BY size, coding",
            (bytes.fromhex(blob),),
        )
        return tuple(Representation(coding, encoded.hex(), size) for coding, encoded, size in rows)

    def coded(self, blobs: Collection[str]) -> Iterator[tuple[str, int]]:
        """Yield (SHA-256 in hex, size in bytes) of each content coding of `blobs`, some hundreds of them."""
        marks = ", ".join("?" * len(blobs))
        rows = self._db.execute(
            f"SELECT encoded, size FROM representation WHERE blob IN ({marks})",  # noqa: S608 - marks
            list(map(bytes.fromhex, blobs)),
        )
        return ((encoded.hex(), size) for encoded, size in rows)

    def served_among(self, blobs: Collection[str]) -> set[str]:
        """Return those of these blobs (hex) that some path serves: one pass over all paths."""
        wanted = frozenset(map(bytes.fromhex, blobs))
        served = self._db.execute("SELECT blob FROM entry")
        return {blob.hex() for (blob,) in served if blob in wanted}

    def entries(self, *, prefix: str = "") -> Iterator[Entry]:
        """Yield the entries below `prefix` in the order of their paths."""
        return self.range(prefix, prefix + LAST)

    def spread(self, most: int) -> list[tuple[str, str]]:
        """Return (path, media type) of at most `most` files: of all, or of some here and there.

        However many there are, a bounded number of rows is read.
        """
        if self.path_count <= most:
            return self._paths_from("", most)
        rows = self._db.execute(
            "SELECT first_path FROM bucket ORDER BY first_path LIMIT ?", (_BUCKETS_CHOSEN_AMONG,)
        ).fetchall()
        places = rows[:: max(len(rows) // _PLACES, 1)]
        each = max(most // len(places), 1)
        found = (row for (first,) in places for row in self._paths_from(first, each))
        return list(dict.fromkeys(found))[:most]

    def buckets(self) -> list[tuple[str, bytes]]:
        """Return (first path, digest) of every bucket in order: about one for 256 paths."""
        return self._db.execute("SELECT first_path, digest FROM bucket ORDER BY first_path").fetchall()

    def range(self, first: str, following: str = LAST) -> Iterator[Entry]:
        """Yield the entries from `first` up to, not including, `following`, in order."""
        rows = self._db.execute(
            self._entries_sql + "WHERE entry.path >= ? AND entry.path < ? ORDER BY entry.path",
            (first, following),
        )
        return map(entry_of, rows)

    def canonical_row(self, path: str) -> Row | None:
        """Return the row of `path` that the digest is taken over, or None."""
        rows = bucket_rows(self._db, path, f"{path}\0", file_format=self.meta["format"])
        return next(rows, None)

    def redirect_for(self, path: str) -> Redirect | None:
        """Return the redirect that `path` (decoded, no leading slash) meets, or None.

        One of exactly this path comes before wildcards, a longer wildcard before a shorter one. That a
        file is served at `path` is for the caller to see first.
        """
        if self._redirect_depth is None:
            return None
        sources = redirect_sources(path, self._redirect_depth)
        marks = ", ".join("?" * len(sources))
        rows = self._db.execute(
            f"SELECT source, target, status FROM redirect WHERE source IN ({marks})",  # noqa: S608 - marks
            sources,
        )
        found = {row[0]: row for row in rows}
        return next((Redirect(*found[source]) for source in sources if source in found), None)

    def redirects(self, *, prefix: str = "") -> Iterator[Redirect]:
        """Yield the redirects whose source begins with `prefix`, in the order of their sources."""
        return iter(()) if self._redirect_depth is None else read_redirects(self._db, prefix=prefix)

    @property
    def has_redirects(self) -> bool:
        return self._redirect_depth is not None

    @property
    def has_fingerprints(self) -> bool:
        """Whether it was built with fingerprinted names."""
        return self.manner.startswith("fingerprints ")

    def fingerprinted_name_of(self, path: str) -> str:
        """Return the fingerprinted name under which `path` is served as well, or ""."""
        entry = self.lookup(path)
        return fingerprinted_name(path, entry.fingerprint) if entry and entry.fingerprint else ""

    def link_of(self, path: str) -> str:
        """Return the value of the Link header that the page at `path` is sent with, or ""."""
        if not self._has_links:
            return ""
        row = self._db.execute("SELECT value FROM page_link WHERE path = ?", (path,)).fetchone()
        return row[0] if row else ""

    def original_of(self, path: str) -> tuple[str, int] | None:
        """Return (blob, size) of what was uploaded to `path` where what is served was rewritten."""
        if self._is_first_format:
            return None
        row = self._db.execute("SELECT blob, size FROM original WHERE path = ?", (path,)).fetchone()
        return (row[0].hex(), row[1]) if row else None

    def uploaded(self, path: str) -> Entry | None:
        """Return the entry of `path` with the blob and size of what was uploaded to it, or None."""
        entry = self.lookup(path)
        original = self.original_of(path) if entry else None
        return replace(entry, blob=original[0], size=original[1]) if entry and original else entry

    def uploaded_many(self, paths: Iterable[str]) -> dict[str, Entry]:
        """Return the entries of those `paths` that there are, as `uploaded` does."""
        found: dict[str, Entry] = {}
        for some in itertools.batched(paths, _PATHS_AT_ONCE):
            marks = ", ".join("?" * len(some))
            rows = self._db.execute(f"{self._entries_sql} WHERE entry.path IN ({marks})", some)
            found |= {entry.path: entry for entry in map(entry_of, rows)}
            if not self._is_first_format:
                among = f"SELECT path, blob, size FROM original WHERE path IN ({marks})"  # noqa: S608 - marks
                for path, blob, size in self._db.execute(among, some):
                    found[path] = replace(found[path], blob=blob.hex(), size=size)
        return found

    @property
    def manner(self) -> str:
        """How references between files were treated, and by which version of the rules; "" for not at all."""
        return self.meta.get("manner", "")

    def findings(self, *, prefix: str = "") -> Iterator[Finding]:
        """Yield what was found wrong in files below `prefix` when it was built, in order.

        A file that refers to a path which a redirect or another form of its name answers is not wrong.
        """
        if not self.manner:
            return
        rows = self._db.execute(
            "SELECT path, kind, detail FROM finding WHERE path >= ? AND path < ? ORDER BY path, kind, detail",
            (prefix, prefix + LAST),
        )
        for finding in itertools.starmap(Finding, rows):
            if finding.kind != MISSING_REFERENCE or not self.is_answered(finding.detail):
                yield finding

    def is_answered(self, path: str) -> bool:
        """Say whether `path`, which is no entry, is answered in another way: see docs/delivery.md."""
        if named := split_fingerprinted(path):
            entry = self.lookup(named[0])
            if entry and entry.fingerprint == named[1]:
                return True
        return any(map(self.lookup, (f"{path}.html", f"{path}/index.html"))) or bool(self.redirect_for(path))

    def references_of(self, source: str) -> list[str]:
        """Return the paths that the content of `source` refers to, sorted, be they served or not."""
        return self._references("SELECT target FROM reference WHERE source = ? ORDER BY target", source)

    def references_to(self, target: str) -> list[str]:
        """Return the paths whose content refers to `target`, sorted."""
        return self._references("SELECT source FROM reference WHERE target = ? ORDER BY source", target)

    def has_rows(self, table: str) -> bool:
        """Say whether a table that came with the second format has any row."""
        if self._is_first_format:
            return False
        found = self._db.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()  # noqa: S608 - ours
        return bool(found[0])

    def verify(self) -> None:
        """Compute every digest again from the rows; raise `ManifestFault` at the first that differs."""
        try:
            self._verify()
        except sqlite3.DatabaseError as error:
            raise ManifestFault(f"{self.file} is damaged: {error}") from error

    def close(self) -> None:
        """Close every thread's connection. A lookup afterwards fails."""
        _close_all(self._connections)

    def _paths_from(self, first: str, most: int) -> list[tuple[str, str]]:
        rows = self._db.execute(
            "SELECT path, media_type FROM entry WHERE path >= ? ORDER BY path LIMIT ?", (first, most)
        )
        return [(path, self.media_types[number]) for path, number in rows]

    def _first(self, sql: str, values: tuple[str, ...]) -> ServedRow | None:
        """Ask by the thread's own cursor: to make one for each question takes a quarter of the time."""
        try:
            execute = self._local.execute
        except AttributeError:
            execute = self._local.execute = self._db.cursor().execute
        row: ServedRow | None = execute(sql, values).fetchone()
        return row

    @property
    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.uri, uri=True, check_same_thread=False)
            connection.execute(f"PRAGMA mmap_size = {self._mapped_bytes}")
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def _verify(self) -> None:
        buckets = self.buckets()
        if not buckets or buckets[0][0] != FIRST_BUCKET:
            raise ManifestFault(f"{self.file}: its first bucket is missing")
        ends = [first for first, _ in buckets[1:]] + [LAST]
        for (first, digest), end in zip(buckets, ends, strict=True):
            rows = bucket_rows(self._db, first, end, file_format=self.meta["format"])
            if row_digest(rows) != digest:
                raise ManifestFault(f"{self.file}: the rows from {first!r} on are not what was built")
        redirects = redirects_digest(self.redirects())
        if manifest_digest((digest for _, digest in buckets), redirects, self.manner) != self.digest:
            raise ManifestFault(f"{self.file}: its digest is not the digest of its rows")

    def _check_format(self) -> None:
        if self._db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise ValueError("it is a SQLite file, but not of Assetsite")
        found = self._db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        if not found or found[0] not in FORMATS:
            raise ValueError(f"its format is {found and found[0]}, this program reads {', '.join(FORMATS)}")

    @property
    def _is_first_format(self) -> bool:
        return self.meta["format"] == FIRST_FORMAT

    def _sets_of_pages(self) -> Iterator[int]:
        for number, header_set in self.header_sets.items():
            if dict(header_set.headers).get("content-type", "").startswith("text/html"):
                yield number

    def _deepest_wildcard(self) -> int:
        """Return how many slashes a wildcard's source has at most, so that a lookup tries no deeper."""
        deepest = self._db.execute(
            "SELECT max(length(source) - length(replace(source, '/', ''))) FROM redirect"
            " WHERE source = '*' OR source LIKE '%/*'"
        ).fetchone()[0]
        return -1 if deepest is None else int(deepest)

    def _references(self, sql: str, path: str) -> list[str]:
        return [] if self._is_first_format else [found for (found,) in self._db.execute(sql, (path,))]

    def _read_header_sets(self) -> Iterator[tuple[int, HeaderSet]]:
        rows = self._db.execute("SELECT id, digest, rule, rule_version, headers FROM header_set")
        for number, digest, rule, rule_version, headers in rows:
            pairs = tuple((name, value) for name, value in json.loads(headers))
            yield number, HeaderSet(rule, rule_version, pairs, digest.hex())
