"""How the digest of a manifest is taken: over what visitors get, and what that was made from.

The canonical row of a path is three lines, each ended by a line feed: the path, the blob's SHA-256
and the header set's SHA-256, both in lower-case hex. More follow, in this order, where they apply: the
fingerprint of its fingerprinted name, a space, and the SHA-256 of the header set under that name;
`original`, a space, and the SHA-256 of what was uploaded, where what is served was made from that; `link`,
a space, and the value of the Link header.

Paths are sorted by their UTF-8 bytes and cut into buckets: the first begins before every path, and each
path whose own SHA-256 begins with a zero byte begins another. A bucket's digest is the SHA-256 of its
rows; the manifest's digest is the SHA-256 of the line `assetsite manifest 1` and of every bucket's
digest, in order, in hex, a line each. Where there are redirects, one more line follows: `redirects`, a
space, and the SHA-256 of their rows (source, target and status, a line each, sorted by source). Where
references between files were followed, the last line is `manner`, a space, and in which manner.

Where a bucket begins depends on the paths alone, never on how the file came about, so equal content
has an equal digest; and a change of one path touches one bucket (two, where a boundary comes or goes).
"""

import hashlib
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import pairwise

from apps.releases.manifest.format import (
    FIRST_FORMAT,
    FORMAT,
    LAST,
    Redirect,
)

FIRST_BUCKET = ""  # the first bucket, empty or not, begins before every path
_HEAD = b"assetsite manifest 1\n"


def starts_bucket(path: str) -> bool:
    """Say whether `path` is one of the boundaries, about one path in 256."""
    return hashlib.sha256(path.encode()).digest()[0] == 0


type Row = tuple[str, bytes, bytes, str, bytes | None, bytes | None, str | None]
"""Path, blob, header set's digest, fingerprint, digest of the header set under that name, blob of what was
uploaded, Link header's value: the last three are None where there is none."""


def row_digest(rows: Iterable[Row]) -> bytes:
    """Return the SHA-256 over the canonical rows, in their order."""
    digest = hashlib.sha256()
    for path, blob, header_set, fingerprint, named, original, link in rows:
        digest.update(f"{path}\n{blob.hex()}\n{header_set.hex()}\n".encode())
        if fingerprint:
            digest.update(f"{fingerprint} {(named or b'').hex()}\n".encode())
        if original:
            digest.update(f"original {original.hex()}\n".encode())
        if link:
            digest.update(f"link {link}\n".encode())
    return digest.digest()


def redirects_digest(redirects: Iterable[Redirect]) -> str:
    """Return the SHA-256 in hex over redirects in the order of their sources; empty where there are none."""
    digest, has_any = hashlib.sha256(), False
    for redirect in redirects:
        has_any = True
        digest.update(f"{redirect.source}\n{redirect.target}\n{redirect.status}\n".encode())
    return digest.hexdigest() if has_any else ""


def manifest_digest(buckets: Iterable[bytes], redirects: str, manner: str) -> str:
    """Return the manifest's digest, in hex, from its buckets' digests in order and that of its redirects.

    `manner` says how references between its files were treated, "" where they were not.
    """
    digest = hashlib.sha256(_HEAD)
    for bucket in buckets:
        digest.update(bucket.hex().encode() + b"\n")
    if redirects:
        digest.update(f"redirects {redirects}\n".encode())
    if manner:
        digest.update(f"manner {manner}\n".encode())
    return digest.hexdigest()


_ROW_COLUMNS = {
    FIRST_FORMAT: "entry.path, entry.blob, header_set.digest, '', NULL, NULL, NULL",
    FORMAT: "entry.path, entry.blob, header_set.digest,"
    " entry.fingerprint, named.digest, original.blob, page_link.value",
}
ROW_JOINS = {
    FIRST_FORMAT: "JOIN header_set ON header_set.id = entry.header_set",
    FORMAT: """JOIN header_set ON header_set.id = entry.header_set
LEFT JOIN header_set AS named ON named.id = entry.named_header_set
LEFT JOIN original ON original.path = entry.path
LEFT JOIN page_link ON page_link.path = entry.path""",
}
_RANGE = "WHERE entry.path >= ? AND entry.path < ? ORDER BY entry.path"


def bucket_rows(
    db: sqlite3.Connection, first: str, following: str = LAST, *, file_format: str = FORMAT
) -> Iterator[Row]:
    """Yield the canonical rows from `first` up to, not including, `following`."""
    sql = f"SELECT {_ROW_COLUMNS[file_format]} FROM entry {ROW_JOINS[file_format]} {_RANGE}"  # noqa: S608 - ours
    yield from db.execute(sql, (first, following))


# Of path, blob, header set, fingerprint, and the header set under that name: what most rows are made of.
_PLAIN = "SELECT path, blob, header_set, fingerprint, named_header_set FROM entry"
_WITHIN = "WHERE path >= ? AND path < ?"


class _Digests:
    """Computes digests of buckets as `row_digest` does, many of them: what sets and names are is asked once.

    A million rows are read without a join and written as one text a bucket, in half of the time that SQLite
    takes to join and write them.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        # Not from the index, which has both as well: a table that is damaged has to be noticed.
        sets = db.execute("SELECT id, digest FROM header_set NOT INDEXED")
        self._sets: dict[int | None, str] = {number: digest.hex() for number, digest in sets}
        found = "SELECT EXISTS (SELECT 1 FROM original) OR EXISTS (SELECT 1 FROM page_link)"
        self._has_derived = bool(db.execute(found).fetchone()[0])

    def of(self, first: str, following: str) -> bytes:
        """Return the digest of the rows from `first` up to, not including, `following`."""
        rows = self._db.execute(f"{_PLAIN} {_WITHIN} ORDER BY path", (first, following)).fetchall()
        sets = self._sets
        texts = [
            f"{path}\n{blob.hex()}\n{sets[number]}\n{fingerprint} {sets.get(named, '')}\n"
            if fingerprint
            else f"{path}\n{blob.hex()}\n{sets[number]}\n"
            for path, blob, number, fingerprint, named in rows
        ]
        if self._has_derived:
            tails = self._tails(first, following)
            texts = [text + tails(row[0]) for row, text in zip(rows, texts, strict=True)]
        return hashlib.sha256("".join(texts).encode()).digest()

    def _tails(self, first: str, following: str) -> Callable[[str], str]:
        """Return what tells how the row of a path between these two ends: what it was made from, its link."""
        originals, links = (
            dict(self._db.execute(f"SELECT path, {column} FROM {table} {_WITHIN}", (first, following)))  # noqa: S608 - ours
            for table, column in (("original", "blob"), ("page_link", "value"))
        )

        def tail(path: str) -> str:
            original, link = originals.get(path), links.get(path)
            return (f"original {original.hex()}\n" if original else "") + (f"link {link}\n" if link else "")

        return tail


def refresh_buckets(db: sqlite3.Connection, touched: Collection[str] | None) -> None:
    """Compute the digests of the buckets whose rows may have changed: of the paths `touched`, or all."""
    if touched is None:
        paths = (path for (path,) in db.execute("SELECT path FROM entry ORDER BY path"))
        firsts = [FIRST_BUCKET, *filter(starts_bucket, paths)]
        stale = set(firsts)
    else:
        firsts = _moved_boundaries(db, touched)
        stale = _stale_buckets(firsts, touched)
    following = dict(pairwise(firsts))
    digests = _Digests(db)
    db.executemany(
        "INSERT OR REPLACE INTO bucket VALUES (?, ?)",
        [(first, digests.of(first, following.get(first, LAST))) for first in sorted(stale)],
    )


def _moved_boundaries(db: sqlite3.Connection, touched: Iterable[str]) -> list[str]:
    """Bring the boundaries up to date with the touched paths; return all of them, in order."""
    firsts = {first for (first,) in db.execute("SELECT first_path FROM bucket")}
    for path in filter(starts_bucket, touched):
        if db.execute("SELECT 1 FROM entry WHERE path = ?", (path,)).fetchone():
            firsts.add(path)
        elif path in firsts:
            firsts.remove(path)
            db.execute("DELETE FROM bucket WHERE first_path = ?", (path,))
    return sorted(firsts)


def _stale_buckets(firsts: list[str], touched: Iterable[str]) -> set[str]:
    stale = set()
    for path in touched:
        place = bisect_right(firsts, path) - 1
        stale.add(firsts[place])
        if firsts[place] == path and place:  # it took its rows from the bucket before it, if it is new
            stale.add(firsts[place - 1])
    return stale
