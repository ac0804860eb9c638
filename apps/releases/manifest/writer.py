import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from apps.caching.rules import HeaderSet
from apps.releases.manifest.digest import manifest_digest, redirects_digest, refresh_buckets
from apps.releases.manifest.format import (
    APPLICATION_ID,
    ENTRY_SQL,
    FIRST_FORMAT,
    FORMAT,
    SCHEMA,
    SCHEMA_SINCE_2,
    UPGRADE,
    Entry,
    Finding,
    ManifestFault,
    Redirect,
    Representation,
    entry_of,
    read_redirects,
)

_ENTRIES_AT_ONCE = 5_000
# What is derived from the content of a path, and the column that has the path.
_DERIVED = {"original": "path", "reference": "source", "page_link": "path", "finding": "path"}


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
        elif self._meta("format") == FIRST_FORMAT:
            self._db.executescript(UPGRADE)
        self._db.executescript(SCHEMA_SINCE_2)
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
        self._has_derived = base is not None and self._has_any(*_DERIVED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def put(
        self,
        path: str,
        *,
        blob: str,
        size: int,
        media_type: str,
        header_set: HeaderSet,
        release: int,
        fingerprint: str = "",
        named_header_set: HeaderSet | None = None,
    ) -> None:
        """Make `path` serve `blob` (SHA-256 in hex) of `size` bytes under `header_set`.

        With a `fingerprint` it is served under the fingerprinted name as well, with `named_header_set`.
        What was derived from the content before goes.
        """
        self._db.execute(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                path,
                bytes.fromhex(blob),
                size,
                self._media_type_id(media_type),
                self._header_set_id(header_set),
                release,
                fingerprint,
                self._named_id(fingerprint, named_header_set),
            ),
        )
        self._forget_derived(path)
        self._touch(path)

    def remove(self, path: str) -> bool:
        """Take `path` out; return False where it was not there."""
        removed = self._db.execute("DELETE FROM entry WHERE path = ?", (path,)).rowcount > 0
        if removed:
            self._forget_derived(path)
            self._touch(path)
        return removed

    def set_header_set(
        self, entry: Entry, header_set: HeaderSet, named_header_set: HeaderSet | None = None
    ) -> None:
        """Give a path other headers; its content stays that of the release which brought it."""
        number = self._header_set_id(header_set)
        named = self._named_id(entry.fingerprint, named_header_set)
        if (number, named or 0) != (entry.header_set, entry.named_header_set):
            self._db.execute(
                "UPDATE entry SET header_set = ?, named_header_set = ? WHERE path = ?",
                (number, named, entry.path),
            )
            self._touch(entry.path)

    def put_redirect(self, redirect: Redirect, *, release: int) -> None:
        """Let a path that is not served lead to another; one of the same source is replaced."""
        self._db.execute(
            "INSERT OR REPLACE INTO redirect VALUES (?, ?, ?, ?)",
            (redirect.source, redirect.target, redirect.status, release),
        )

    def remove_redirect(self, source: str) -> bool:
        """Take the redirect of `source` out; return False where there was none."""
        return self._db.execute("DELETE FROM redirect WHERE source = ?", (source,)).rowcount > 0

    def set_original(self, path: str, *, blob: str, size: int) -> None:
        """Note what was uploaded to `path`, where what it serves was made from that."""
        self._has_derived = True
        self._db.execute(
            "INSERT OR REPLACE INTO original VALUES (?, ?, ?)", (path, bytes.fromhex(blob), size)
        )
        self._touch(path)

    def put_references(self, source: str, targets: Iterable[str]) -> None:
        """Note the paths that the content of `source` refers to, in place of those noted before."""
        self._has_derived = True
        self._db.execute("DELETE FROM reference WHERE source = ?", (source,))
        self._db.executemany(
            "INSERT OR IGNORE INTO reference VALUES (?, ?)", [(target, source) for target in targets]
        )

    def set_page_link(self, path: str, value: str) -> None:
        """Note the value of the Link header of the page at `path`; "" for none."""
        self._has_derived = True
        if value:
            self._db.execute("INSERT OR REPLACE INTO page_link VALUES (?, ?)", (path, value))
        else:
            self._db.execute("DELETE FROM page_link WHERE path = ?", (path,))
        self._touch(path)

    def put_findings(self, path: str, findings: Iterable[Finding]) -> None:
        """Note what is wrong in the file at `path`, in place of what was noted before."""
        self._has_derived = True
        self._db.execute("DELETE FROM finding WHERE path = ?", (path,))
        self._db.executemany(
            "INSERT OR IGNORE INTO finding VALUES (?, ?, ?)",
            [(path, each.kind, each.detail) for each in findings],
        )

    def forget_references(self) -> None:
        """Forget all references, what was found wrong, and the Link headers of pages."""
        for (path,) in self._db.execute("SELECT path FROM page_link").fetchall():
            self._touch(path)
        for table in ("reference", "finding", "page_link"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - ours

    def set_manner(self, manner: str) -> None:
        """Note how references are treated, "" for not at all; a copy keeps its base's word."""
        self._set_meta("manner", manner)

    def add_representations(self, blob: str, representations: Iterable[Representation]) -> None:
        """Add content codings of `blob`. They are derived data: the manifest's digest stays."""
        self._db.executemany(
            "INSERT OR REPLACE INTO representation VALUES (?, ?, ?, ?)",
            [(bytes.fromhex(blob), r.coding, bytes.fromhex(r.encoded), r.size) for r in representations],
        )

    def set_released(self, release: int, at: int) -> None:
        """Note when a release first went live (seconds since 1970): its contents' Last-Modified."""
        self._db.execute("INSERT OR IGNORE INTO released VALUES (?, ?)", (release, at))

    @property
    def touched(self) -> frozenset[str] | None:
        """The paths outside of which it holds exactly what its base does; None where it has no base."""
        return None if self._is_new else frozenset(self._touched)

    @property
    def manner(self) -> str:
        """How references were treated in what it holds, as `set_manner` was told."""
        return self._meta("manner") or ""

    def lookup(self, path: str) -> Entry | None:
        """Return the entry of `path` as it is now, or None."""
        row = self._db.execute(ENTRY_SQL[FORMAT] + "WHERE entry.path = ?", (path,)).fetchone()
        return entry_of(row) if row else None

    def uploaded(self, path: str) -> Entry | None:
        """Return the entry of `path` with the blob and size of what was uploaded to it, or None."""
        entry = self.lookup(path)
        row = self._db.execute("SELECT blob, size FROM original WHERE path = ?", (path,)).fetchone()
        return replace(entry, blob=row[0].hex(), size=row[1]) if entry and row else entry

    def references_to(self, target: str) -> list[str]:
        """Return the paths whose content refers to `target`, as it is noted now."""
        rows = self._db.execute("SELECT source FROM reference WHERE target = ?", (target,))
        return [source for (source,) in rows]

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in the order of their paths; each may be changed when it has been yielded."""
        sql = ENTRY_SQL[FORMAT] + "WHERE entry.path > ? ORDER BY entry.path LIMIT ?"
        last = ""
        while rows := self._db.execute(sql, (last, _ENTRIES_AT_ONCE)).fetchall():
            yield from map(entry_of, rows)
            last = rows[-1][0]

    def finish(self, *, rules_digest: str) -> str:
        """Complete the file, sync it to disk and return the manifest's digest.

        Raises `ManifestFault` where SQLite finds the file damaged (a bad copy, a bad disk).
        """
        try:
            refresh_buckets(self._db, None if self._is_new else self._touched)
            buckets = self._db.execute("SELECT digest FROM bucket ORDER BY first_path").fetchall()
            redirects = redirects_digest(read_redirects(self._db))
            digest = manifest_digest((bucket for (bucket,) in buckets), redirects, self.manner)
            count = self._db.execute("SELECT count(*) FROM entry").fetchone()[0]
            self._set_meta("digest", digest)
            self._set_meta("path_count", str(count))
            self._set_meta("rules_digest", rules_digest)
            self._db.execute("COMMIT")
        except sqlite3.OperationalError:  # a full disk, which says nothing about the file
            raise
        except sqlite3.DatabaseError as error:
            raise ManifestFault(f"{self.file} could not be completed: {error}") from error
        self._db.close()
        with self.file.open("rb") as written:
            os.fsync(written.fileno())
        return digest

    def _touch(self, path: str) -> None:
        if not self._is_new:  # a new file's buckets are all computed, in one pass
            self._touched.add(path)

    def _forget_derived(self, path: str) -> None:
        if not self._has_derived:  # spares the building of a large site three statements a path
            return
        for table, column in _DERIVED.items():
            self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (path,))  # noqa: S608 - ours

    def _named_id(self, fingerprint: str, header_set: HeaderSet | None) -> int | None:
        if bool(fingerprint) != (header_set is not None):
            raise ValueError("a fingerprinted name and its headers come together")
        return self._header_set_id(header_set) if header_set else None

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

    def _has_any(self, *tables: str) -> bool:
        return any(
            self._db.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]  # noqa: S608 - ours
            for table in tables
        )

    def _meta(self, key: str) -> str | None:
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
