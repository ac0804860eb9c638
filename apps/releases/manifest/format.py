"""What a manifest file looks like, and how its digest is taken.

The canonical row of a path is three lines, each ended by a line feed: the path, the blob's SHA-256
and the header set's SHA-256, both in lower-case hex. Paths are sorted by their UTF-8 bytes and cut
into buckets: the first begins before every path, and each path whose own SHA-256 begins with a zero
byte begins another. A bucket's digest is the SHA-256 of its rows; the manifest's digest is the SHA-256
of the line `assetsite manifest 1` and of every bucket's digest, in order, in hex, a line each.

Where a bucket begins depends on the paths alone, never on how the file came about, so equal content
has an equal digest; and a change of one path touches one bucket (two, where a boundary comes or goes).
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

FORMAT = "1"
APPLICATION_ID = 0x41535345  # "ASSE", in the file's header: `file` and a person with a hex viewer see it
FIRST_BUCKET = ""  # the first bucket, empty or not, begins before every path
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
    release INTEGER NOT NULL
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


class ManifestFault(Exception):
    """A manifest file is not what it should be: damaged, of another format, or not there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a manifest knows about one path.

    `blob` is a SHA-256 in hex, `size` counts bytes, `release` is the number of the release that
    brought this content to this path, `header_set` the id of its headers within the file.
    """

    path: str
    blob: str
    size: int
    media_type: str
    header_set: int
    release: int


@dataclass(frozen=True, slots=True)
class Representation:
    """A content coding of a blob: `encoded` names the coded bytes (SHA-256 in hex), `size` counts them."""

    coding: str
    encoded: str
    size: int


def starts_bucket(path: str) -> bool:
    """Say whether `path` is one of the boundaries, about one path in 256."""
    return hashlib.sha256(path.encode()).digest()[0] == 0


def row_digest(rows: Iterable[tuple[str, bytes, bytes]]) -> bytes:
    """Return the SHA-256 over the canonical rows of (path, blob, header set digest), in their order."""
    digest = hashlib.sha256()
    for path, blob, header_set in rows:
        digest.update(f"{path}\n{blob.hex()}\n{header_set.hex()}\n".encode())
    return digest.digest()


def manifest_digest(buckets: Iterable[bytes]) -> str:
    """Return the manifest's digest, in hex, from its buckets' digests in the order of their paths."""
    digest = hashlib.sha256(DIGEST_HEAD)
    for bucket in buckets:
        digest.update(bucket.hex().encode() + b"\n")
    return digest.hexdigest()


LAST = "\U0010ffff"  # sorts behind every path: no path may contain it

_ROWS = """
    SELECT entry.path, entry.blob, header_set.digest
    FROM entry JOIN header_set ON header_set.id = entry.header_set
    WHERE entry.path >= ? AND entry.path < ?
    ORDER BY entry.path
"""


def bucket_rows(
    db: sqlite3.Connection, first: str, following: str = LAST
) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield the canonical rows from `first` up to, not including, `following`."""
    yield from db.execute(_ROWS, (first, following))
