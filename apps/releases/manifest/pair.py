"""Two manifests side by side: one statement reads both, a range of paths at a time.

Only ranges of paths whose buckets differ are read, and rows that are alike never leave SQLite. So a page
of differences costs what lies before its last row, and memory does not grow with either manifest.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from heapq import merge
from itertools import pairwise
from types import TracebackType
from typing import Self

from apps.releases.manifest.format import FIRST_FORMAT, LAST, Entry, ManifestFault
from apps.releases.manifest.reader import ManifestReader

KINDS = ("added", "changed", "removed", "headers", "following")
BUCKETS_AT_ONCE = 64

type Range = tuple[str, str]
type DifferingRow = tuple[str, str, Entry | None, Entry | None]
"""Path, kind, and the entry on either side."""

type Fact = tuple[str, str, int, int, int | None, int | None, int, bytes | None, str | None, str | None]
"""Path, kind, size on either side, header set's id on either side, whether these are other sets, the
blob that was uploaded, where the path came or went, and the fingerprint on either side."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which differences are wanted: of these kinds, below a prefix, behind a path or from one on, of a type.

    `media_type` may hold `*`. A path is of a type if it is so on either side.
    """

    kinds: frozenset[str] = frozenset(KINDS)
    below: str = ""
    after: str = ""
    media_type: str = "*"
    start: str = ""

    def within(self, ends: Range) -> Range | None:
        """Return the part of a range that can hold what is wanted, or None."""
        behind = f"{self.after}\0" if self.after else ""
        first, following = max(ends[0], self.below, behind, self.start), min(ends[1], self.below + LAST)
        return (first, following) if first < following else None


EVERYTHING = Wanted()
# Which paths of a side are read: those of a range, or those of a table.
_WITHIN = "{0}.path >= ? AND {0}.path < ?"
_AMONG = "{0}.path IN (SELECT path FROM temp.among)"


@dataclass(slots=True)
class Reach:
    """How far somebody reads who does not wait for the end: so many buckets that may differ, one or more.

    From `stopped_at` on nothing was read then; it is "" where everything was.
    """

    buckets: int = 400
    stopped_at: str = ""

    def has(self, first: str, buckets: int) -> bool:
        """Say whether the range that begins there is still read, and count its buckets."""
        if self.buckets <= 0:
            self.stopped_at = first
            return False
        self.buckets -= buckets
        return True


def changed_buckets(old: ManifestReader | None, new: ManifestReader | None) -> list[Range]:
    """Return the ranges of paths, each up to and without its end, outside which two manifests are alike."""
    before, after = (reader.buckets() if reader else [] for reader in (old, new))
    alike = {first for first, _ in set(before) & set(after)}
    firsts = sorted({first for first, _ in (*before, *after)})
    return [ends for ends in pairwise([*firsts, LAST]) if ends[0] not in alike]


def joined(buckets: list[Range]) -> list[Range]:
    """Return as few ranges as cover the same paths, none of them with more than some buckets."""
    ranges: list[Range] = []
    count = 0
    for first, following in buckets:
        if ranges and ranges[-1][1] == first and count < BUCKETS_AT_ONCE:
            ranges[-1] = (ranges[-1][0], following)
            count += 1
        else:
            ranges.append((first, following))
            count = 1
    return ranges


class Pair:
    """Two manifests, None for an empty one, read by one connection. A context manager.

    Raises `ManifestFault` where one of the files has gone.
    """

    def __init__(self, old: ManifestReader | None, new: ManifestReader | None) -> None:
        self.old, self.new = old, new
        self.buckets = changed_buckets(old, new)
        self.ranges = joined(self.buckets)
        self.db = sqlite3.connect(":memory:", uri=True, isolation_level=None)
        try:
            _attach(self.db, "old", old)
            _attach(self.db, "new", new)
            self._sets = _set_numbers(self.db, old, new)
        except sqlite3.Error as error:
            self.db.close()
            raise ManifestFault(f"{old and old.file} and {new and new.file}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.db.close()

    def rows(
        self,
        wanted: Wanted = EVERYTHING,
        within: list[Range] | None = None,
        reach: Reach | None = None,
    ) -> Iterator[DifferingRow]:
        """Yield what differs and is wanted, in the order of its paths, as far as `reach` goes.

        `within` are the buckets that hold all of it, where that is known: no others are read then.
        """
        nothing = ", ".join(["NULL"] * 8)
        both = f"o.path, {self._kind()} AS kind, {_columns('o')}, {_columns('n')}"
        changed = self._changed_sql(wanted, both)
        came = self._came_sql(wanted, f"n.path, 'added', {nothing}, {_columns('n')}")
        ranges = self.ranges if within is None else joined(within)
        for ends in filter(None, map(wanted.within, ranges)):
            if reach and not reach.has(ends[0], self._count(ends)):
                return
            yield from merge(self._read(changed, ends), self._read(came, ends), key=lambda row: row[0])

    def _count(self, ends: Range) -> int:
        """Return how many buckets that may differ a range holds, or part of them."""
        return max(1, bisect_left(self.buckets, ends[1:]) - bisect_left(self.buckets, ends[:1]))

    def facts(self, among: Iterable[str] | None = None) -> Iterator[Fact]:
        """Yield of everything that differs what it is counted by; in order where no path came or went.

        `among` are paths of which it is known that no others differ: no others are read then.
        """
        new_facts = (
            f"n.path, 'added', 0, n.size, NULL, n.header_set, 0, {self._uploaded('n')}, NULL, n.fingerprint"
        )
        if among is not None:
            self.db.execute("CREATE TEMP TABLE among (path TEXT PRIMARY KEY) WITHOUT ROWID")
            self.db.executemany("INSERT OR IGNORE INTO among VALUES (?)", ((path,) for path in among))
        those = _WITHIN if among is None else _AMONG
        changed = self._changed_sql(EVERYTHING, self._facts(), those)
        came = self._came_sql(EVERYTHING, new_facts, those)
        for ends in self.ranges if among is None else [()]:
            for sql in filter(None, (changed, came)):
                yield from self.db.execute(sql, ends)

    def _read(self, sql: str, ends: Range) -> Iterator[DifferingRow]:
        if not sql:
            return
        with closing(self.db.execute(sql, ends)) as found:
            for row in found:
                yield row[0], row[1], _entry(self.old, row[2:10]), _entry(self.new, row[10:18])

    def _facts(self) -> str:
        is_other_set = f"{self._set('o', 'header_set')} IS NOT {self._set('n', 'header_set')}"
        uploaded = f"CASE WHEN n.path IS NULL THEN {self._uploaded('o')} END"
        sizes = "o.size, coalesce(n.size, 0)"
        return (
            f"o.path, {self._kind()} AS kind, {sizes}, o.header_set, n.header_set, {is_other_set},"
            f" {uploaded}, o.fingerprint, n.fingerprint"
        )

    def _changed_sql(self, wanted: Wanted, columns: str, those: str = _WITHIN) -> str:
        """Return the statement for paths that were there before; empty where none is wanted."""
        kinds = wanted.kinds - {"added"}
        if not kinds or self.old is None:
            return ""
        first, both = "o", "old_paths AS o LEFT JOIN new_paths AS n ON n.path = o.path"
        differs = f"n.path IS NULL OR {self._differs()}"
        if "removed" not in kinds:  # then a path has to be on both sides: the side with fewer leads
            first, both = self._shorter_first()
            differs = self._differs()
        of_kind = "" if len(kinds) == len(KINDS) - 1 else f"AND kind IN ({_quoted(kinds)})"
        return f"""
            SELECT {columns} FROM {both}
            WHERE {those.format(first)} AND ({differs}) {of_kind} {self._of_type(wanted, "on")}
            ORDER BY {first}.path"""  # noqa: S608 - ours

    def _shorter_first(self) -> tuple[str, str]:
        """Return the side that has fewer paths, and what joins the other one to it in this order."""
        old, new = (reader.path_count if reader else 0 for reader in (self.old, self.new))
        if new < old:
            return "n", "new_paths AS n CROSS JOIN old_paths AS o ON o.path = n.path"
        return "o", "old_paths AS o CROSS JOIN new_paths AS n ON n.path = o.path"

    def _came_sql(self, wanted: Wanted, columns: str, those: str = _WITHIN) -> str:
        if "added" not in wanted.kinds or self.new is None:
            return ""
        return f"""
            SELECT {columns} FROM new_paths AS n
            WHERE {those.format("n")}
            AND NOT EXISTS (SELECT 1 FROM old_paths AS o WHERE o.path = n.path) {self._of_type(wanted, "n")}
            ORDER BY n.path"""  # noqa: S608 - ours

    def _differs(self) -> str:
        """Return a condition: whether the rows that digests are taken over are not the same."""
        conditions = [
            "o.blob <> n.blob",
            f"{self._set('o', 'header_set')} <> {self._set('n', 'header_set')}",
            "o.fingerprint <> n.fingerprint",
            f"{self._set('o', 'named_header_set')} IS NOT {self._set('n', 'named_header_set')}",
        ]
        for table, column in (("original", "blob"), ("page_link", "value")):
            old, new = (self._derived(side, table, column) for side in "on")
            if (old, new) != ("NULL", "NULL"):
                conditions.append(f"{old} IS NOT {new}")
        return " OR ".join(conditions)

    def _kind(self) -> str:
        old, new = map(self._uploaded, "on")
        return (
            f"CASE WHEN n.path IS NULL THEN 'removed' WHEN {old} <> {new} THEN 'changed'"
            " WHEN o.blob <> n.blob THEN 'following' ELSE 'headers' END"
        )

    def _uploaded(self, side: str) -> str:
        return f"coalesce({self._derived(side, 'original', 'blob')}, {side}.blob)"

    def _derived(self, side: str, table: str, column: str) -> str:
        reader = self.old if side == "o" else self.new
        if reader is None or not reader.has_rows(table):
            return "NULL"
        schema = "old" if side == "o" else "new"
        return f"(SELECT d.{column} FROM {schema}.{table} AS d WHERE d.path = {side}.path)"  # noqa: S608 - ours

    def _set(self, side: str, column: str) -> str:
        """Return an expression that is equal on both sides where the header sets are."""
        if not self._sets:
            return f"{side}.{column}"
        return f"(SELECT number FROM {self._sets[side]} AS s WHERE s.id = {side}.{column})"  # noqa: S608 - ours

    def _of_type(self, wanted: Wanted, sides: str) -> str:
        if wanted.media_type == "*":
            return ""
        readers = {"o": self.old, "n": self.new}
        tests = [
            f"{side}.media_type IN ({_ids(reader, wanted.media_type)})"
            for side, reader in readers.items()
            if side in sides and reader
        ]
        return f"AND ({' OR '.join(tests)})"


_SIDE = "SELECT path, blob, size, media_type, header_set, release, {named} FROM {schema}.entry"
_NAMED = {
    True: "'' AS fingerprint, NULL AS named_header_set",
    False: "fingerprint, named_header_set",
}
_EMPTY = """SELECT NULL AS path, NULL AS blob, NULL AS size, NULL AS media_type, NULL AS header_set,
    NULL AS release, NULL AS fingerprint, NULL AS named_header_set WHERE 0"""


def _attach(db: sqlite3.Connection, schema: str, reader: ManifestReader | None) -> None:
    """Give `db` the view `old_paths` or `new_paths` of a manifest of any format."""
    select = _EMPTY
    if reader is not None:
        db.execute(f"ATTACH ? AS {schema}", (reader.uri,))
        select = _SIDE.format(schema=schema, named=_NAMED[reader.meta["format"] == FIRST_FORMAT])
    db.execute(f"CREATE TEMP VIEW {schema}_paths AS {select}")


def _set_numbers(
    db: sqlite3.Connection, old: ManifestReader | None, new: ManifestReader | None
) -> dict[str, str]:
    """Make tables that number header sets alike on both sides, where their ids are not alike already.

    A manifest begins as a copy of its base, so mostly they are, and nothing has to be looked up.
    """
    if old is None or new is None or _are_alike(old, new):
        return {}
    numbers: dict[str, int] = {}
    tables = {"o": "temp.old_sets", "n": "temp.new_sets"}
    for table, reader in zip(tables.values(), (old, new), strict=True):
        db.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, number INTEGER NOT NULL)")
        rows = [
            (number, numbers.setdefault(header_set.digest, len(numbers)))
            for number, header_set in reader.header_sets.items()
        ]
        db.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)  # noqa: S608 - ours
    return tables


def _are_alike(old: ManifestReader, new: ManifestReader) -> bool:
    """Say whether header sets have the same id in both exactly if they are the same."""
    before = {number: each.digest for number, each in old.header_sets.items()}
    after = {number: each.digest for number, each in new.header_sets.items()}
    same_ids = before.keys() & after.keys()
    same_digests = set(before.values()) & set(after.values())
    return all(before[number] == after[number] for number in same_ids) and len(same_digests) == len(same_ids)


def _columns(side: str) -> str:
    names = (
        "path",
        "blob",
        "size",
        "media_type",
        "header_set",
        "release",
        "fingerprint",
        "named_header_set",
    )
    return ", ".join(f"{side}.{name}" for name in names)


def _entry(
    reader: ManifestReader | None, row: tuple[str, bytes, int, int, int, int, str, int]
) -> Entry | None:
    if reader is None or row[0] is None:
        return None
    path, blob, size, media_type, header_set, release, fingerprint, named = row
    return Entry(
        path, blob.hex(), size, reader.media_types[media_type], header_set, release, fingerprint, named or 0
    )


def _quoted(words: frozenset[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words & set(KINDS)))


def _ids(reader: ManifestReader, pattern: str) -> str:
    found = (number for number, name in reader.media_types.items() if fnmatchcase(name, pattern))
    return ", ".join(map(str, found))
