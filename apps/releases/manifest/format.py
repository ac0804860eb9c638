"""What a manifest file looks like: its tables, and the values that its rows are. See docs/manifest.md."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

FORMAT = "2"
FIRST_FORMAT = "1"  # without redirects, fingerprints and what is derived from references; still read
FORMATS = (FIRST_FORMAT, FORMAT)
APPLICATION_ID = 0x41535345  # "ASSE", in the file's header: `file` and a person with a hex viewer see it
MISSING_REFERENCE = "missing_reference"  # the kind of finding whose detail is a path
LAST = "\U0010ffff"  # sorts behind every path: no path may contain it

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE header_set (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    rule TEXT NOT NULL,
    rule_version INTEGER NOT NULL,
    headers TEXT NOT NULL
);
CREATE TABLE media_type (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE entry (
    path TEXT PRIMARY KEY,
    blob BLOB NOT NULL,
    size INTEGER NOT NULL,
    media_type INTEGER NOT NULL REFERENCES media_type,
    header_set INTEGER NOT NULL REFERENCES header_set,
    release INTEGER NOT NULL,
    fingerprint TEXT NOT NULL DEFAULT '',
    named_header_set INTEGER REFERENCES header_set
) WITHOUT ROWID;
CREATE TABLE representation (
    blob BLOB NOT NULL,
    coding TEXT NOT NULL,
    encoded BLOB NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (blob, coding)
) WITHOUT ROWID;
CREATE TABLE bucket (first_path TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE released (release INTEGER PRIMARY KEY, at INTEGER NOT NULL);
"""
SCHEMA_SINCE_2 = """
CREATE TABLE IF NOT EXISTS redirect (
    source TEXT PRIMARY KEY,
    target TEXT NOT NULL,
    status INTEGER NOT NULL,
    release INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS original (
    path TEXT PRIMARY KEY,
    blob BLOB NOT NULL,
    size INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reference (
    target TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (target, source)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reference_by_source ON reference (source);
CREATE TABLE IF NOT EXISTS page_link (path TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finding (
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (path, kind, detail)
) WITHOUT ROWID;
"""
UPGRADE = """
ALTER TABLE entry ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
ALTER TABLE entry ADD COLUMN named_header_set INTEGER REFERENCES header_set;
"""

# By format; a lookup is one statement by primary key, whichever it is.
_COLUMNS = "entry.path, entry.blob, entry.size, media_type.name, entry.header_set, entry.release"
ENTRY_COLUMNS = {
    FIRST_FORMAT: f"{_COLUMNS}, '', NULL",
    FORMAT: f"{_COLUMNS}, entry.fingerprint, entry.named_header_set",
}
ENTRY_TABLES = "entry JOIN media_type ON media_type.id = entry.media_type"
ENTRY_SQL = {
    name: f"SELECT {columns} FROM {ENTRY_TABLES} "  # noqa: S608 - ours
    for name, columns in ENTRY_COLUMNS.items()
}

type EntryRow = tuple[str, bytes, int, str, int, int, str, int | None]
"""A row of `ENTRY_SQL`."""


class ManifestFault(Exception):
    """A manifest file is not what it should be: damaged, of another format, or not there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a manifest knows about one path.

    `blob` is a SHA-256 in hex, `size` counts bytes, `release` is the number of the release that
    brought this content to this path, `header_set` the id of its headers within the file. With a
    `fingerprint` (12 hex digits) the content is served under the fingerprinted name as well, with the
    headers `named_header_set`; without one they are "" and 0.
    """

    path: str
    blob: str
    size: int
    media_type: str
    header_set: int
    release: int
    fingerprint: str = ""
    named_header_set: int = 0


def entry_of(row: EntryRow) -> Entry:
    """Return the entry that a row of `ENTRY_SQL` is."""
    path, blob, size, media_type, header_set, release, fingerprint, named = row
    return Entry(path, blob.hex(), size, media_type, header_set, release, fingerprint, named or 0)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where a path leads that is not served itself.

    `source` is a path as paths are, without a leading slash; ending in `/*` (or being `*`) it stands for
    everything below. `target` is what goes into Location, percent-encoded, but for `:splat`, which stands
    for what the `*` matched. See `apps.releases.redirects.values`.
    """

    source: str
    target: str
    status: int = 308


@dataclass(frozen=True, slots=True)
class Representation:
    """A content coding of a blob: `encoded` names the coded bytes (SHA-256 in hex), `size` counts them."""

    coding: str
    encoded: str
    size: int


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something about the file at `path` that its author will want to know.

    `kind` is a word for programs, `detail` the path or the words that it is about: see
    docs/fingerprints.md.
    """

    path: str
    kind: str
    detail: str


def redirect_sources(path: str, depth: int) -> list[str]:
    """Return the sources of redirects that `path` may meet, the first of them to be preferred.

    `depth` is how many slashes a wildcard has at most, -1 where there is none: it spares tries.
    """
    wildcards = ["*"] if depth >= 0 else []
    place = -1
    while len(wildcards) <= depth and (place := path.find("/", place + 1)) >= 0:
        wildcards.append(path[: place + 1] + "*")
    return list(dict.fromkeys([path, *reversed(wildcards)]))


def read_redirects(db: sqlite3.Connection, *, prefix: str = "") -> Iterator[Redirect]:
    """Yield the redirects whose source begins with `prefix`, in the order of their sources."""
    rows = db.execute(
        "SELECT source, target, status FROM redirect WHERE source >= ? AND source < ? ORDER BY source",
        (prefix, prefix + LAST),
    )
    return (Redirect(*row) for row in rows)
