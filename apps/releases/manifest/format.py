"""What a manifest file looks like, and how its digest is taken.

The canonical row of a path is three lines, each ended by a line feed: the path, the blob's SHA-256
and the header set's SHA-256, both in lower-case hex. A path that is served under a fingerprinted name
as well has a fourth line: the fingerprint, a space, and the SHA-256 of the header set under that name.
Paths are sorted by their UTF-8 bytes and cut into buckets: the first begins before every path, and each
path whose own SHA-256 begins with a zero byte begins another. A bucket's digest is the SHA-256 of its
rows; the manifest's digest is the SHA-256 of the line `assetsite manifest 1` and of every bucket's
digest, in order, in hex, a line each. Where there are redirects, one more line follows: `redirects`, a
space, and the SHA-256 of their rows (source, target and status, a line each, sorted by source).

Where a bucket begins depends on the paths alone, never on how the file came about, so equal content
has an equal digest; and a change of one path touches one bucket (two, where a boundary comes or goes).
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

FORMAT = "2"
FIRST_FORMAT = "1"  # without redirects, fingerprints and what is derived from references; still read
FORMATS = (FIRST_FORMAT, FORMAT)
APPLICATION_ID = 0x41535345  # "ASSE", in the file's header: `file` and a person with a hex viewer see it
FIRST_BUCKET = ""  # the first bucket, empty or not, begins before every path
MISSING_REFERENCE = "missing_reference"  # the kind of finding whose detail is a path
DIGEST_HEAD = b"assetsite manifest 1\n"

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
_ENTRY = """
    SELECT entry.path, entry.blob, entry.size, media_type.name, entry.header_set, entry.release, {named}
    FROM entry JOIN media_type ON media_type.id = entry.media_type
"""
ENTRY_SQL = {
    FIRST_FORMAT: _ENTRY.format(named="'', NULL"),
    FORMAT: _ENTRY.format(named="entry.fingerprint, entry.named_header_set"),
}


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


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where a path leads that is not served itself.

    `source` is a path as paths are, without a leading slash; ending in `/*` (or being `*`) it stands for
    everything below. `target` is what goes into Location, percent-encoded, but for `:splat`, which stands
    for what the `*` matched. See `apps.releases.redirects`.
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


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the file at `path` that its author will want to know.

    `kind` is a word for programs, `detail` the path or the words that it is about: see
    docs/fingerprints.md.
    """

    path: str
    kind: str
    detail: str


def starts_bucket(path: str) -> bool:
    """Say whether `path` is one of the boundaries, about one path in 256."""
    return hashlib.sha256(path.encode()).digest()[0] == 0


type Row = tuple[str, bytes, bytes, str, bytes | None]


def entry_of(row: tuple[str, bytes, int, str, int, int, str, int | None]) -> Entry:
    """Return the entry that a row of `ENTRY_SQL` is."""
    path, blob, size, media_type, header_set, release, fingerprint, named = row
    return Entry(path, blob.hex(), size, media_type, header_set, release, fingerprint, named or 0)


def row_digest(rows: Iterable[Row]) -> bytes:
    """Return the SHA-256 over the canonical rows, in their order.

    A row is (path, blob, header set digest, fingerprint, digest of the header set under that name).
    """
    digest = hashlib.sha256()
    for path, blob, header_set, fingerprint, named in rows:
        digest.update(f"{path}\n{blob.hex()}\n{header_set.hex()}\n".encode())
        if fingerprint:
            digest.update(f"{fingerprint} {(named or b'').hex()}\n".encode())
    return digest.digest()


def redirects_digest(redirects: Iterable[Redirect]) -> str:
    """Return the SHA-256 in hex over redirects in the order of their sources; empty where there are none."""
    digest, has_any = hashlib.sha256(), False
    for redirect in redirects:
        has_any = True
        digest.update(f"{redirect.source}\n{redirect.target}\n{redirect.status}\n".encode())
    return digest.hexdigest() if has_any else ""


def manifest_digest(buckets: Iterable[bytes], redirects: str) -> str:
    """Return the manifest's digest, in hex, from its buckets' digests in order and that of its redirects."""
    digest = hashlib.sha256(DIGEST_HEAD)
    for bucket in buckets:
        digest.update(bucket.hex().encode() + b"\n")
    if redirects:
        digest.update(f"redirects {redirects}\n".encode())
    return digest.hexdigest()


LAST = "\U0010ffff"  # sorts behind every path: no path may contain it

_ROWS = """
    SELECT entry.path, entry.blob, header_set.digest, {named}
    WHERE entry.path >= ? AND entry.path < ?
    ORDER BY entry.path
"""
_ROWS_SQL = {
    FIRST_FORMAT: _ROWS.format(
        named="'', NULL FROM entry JOIN header_set ON header_set.id = entry.header_set"
    ),
    FORMAT: _ROWS.format(
        named="""entry.fingerprint, named.digest
    FROM entry JOIN header_set ON header_set.id = entry.header_set
    LEFT JOIN header_set AS named ON named.id = entry.named_header_set"""
    ),
}


def bucket_rows(
    db: sqlite3.Connection, first: str, following: str = LAST, *, file_format: str = FORMAT
) -> Iterator[Row]:
    """Yield the canonical rows from `first` up to, not including, `following`."""
    yield from db.execute(_ROWS_SQL[file_format], (first, following))


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
