"""What differs between two manifests, counted once and kept in a file: it never changes.

It takes one pass over what differs. Moves, and the groups of header changes, are rows of the file, so that
neither counting nor reading takes more memory where there are more of them.
"""

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import batched, takewhile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from apps.caching.matching import is_fingerprinted
from apps.caching.rules import HeaderSet
from apps.releases.manifest.format import LAST, ManifestFault
from apps.releases.manifest.pair import KINDS, Fact, Pair, Range, Wanted
from apps.releases.manifest.reader import ManifestReader

_VERSION = 2
_MOST_FOLDERS = 1_000  # of one change of headers; what lies in others is counted as one group
_ROWS_AT_ONCE = 5_000
_SCHEMA = """
CREATE TABLE counted (kind TEXT PRIMARY KEY, paths INTEGER, old_bytes INTEGER, new_bytes INTEGER);
CREATE TABLE header_change (old TEXT, new TEXT, folder TEXT, paths INTEGER, first TEXT, last TEXT);
CREATE TABLE move (old TEXT NOT NULL, new TEXT NOT NULL);
CREATE TABLE place (kind TEXT, first TEXT, following TEXT, PRIMARY KEY (kind, first)) WITHOUT ROWID;
CREATE TABLE names (old INTEGER, new INTEGER);
CREATE TEMP TABLE went (blob BLOB, path TEXT);
CREATE TEMP TABLE came (blob BLOB, path TEXT);
"""
# Of several paths with one content the first that went is the first that came, and so on.
_MATCH = """
INSERT INTO move SELECT w.path, c.path
FROM (SELECT blob, path, row_number() OVER (PARTITION BY blob ORDER BY path) AS place FROM went) AS w
JOIN (SELECT blob, path, row_number() OVER (PARTITION BY blob ORDER BY path) AS place FROM came) AS c
USING (blob, place);
CREATE UNIQUE INDEX move_by_old ON move (old);
CREATE UNIQUE INDEX move_by_new ON move (new);
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many paths differ in one way, and how many bytes they have on either side."""

    paths: int = 0
    old_bytes: int = 0
    new_bytes: int = 0


@dataclass(frozen=True, slots=True)
class HeaderChange:
    """Paths that get other headers, all the same ones: how many, below which prefix all of them lie.

    `folders` are the first parts of that by the number of their paths, each with that number, where there is
    more than one; `unnamed` counts the paths of the others.
    """

    old: HeaderSet
    new: HeaderSet
    paths: int
    prefix: str
    folders: tuple[tuple[str, int], ...] = ()

    @property
    def unnamed(self) -> int:
        return self.paths - sum(paths for _, paths in self.folders) if self.folders else 0


def write_tally(
    file: Path,
    old: ManifestReader | None,
    new: ManifestReader | None,
    *,
    among: Collection[str] | None = None,
) -> None:
    """Count what differs between two manifests, None for an empty one, into a new file.

    `among` are paths outside of which they are known to be alike: nothing else is looked at then.
    """
    with closing(sqlite3.connect(file, isolation_level=None)) as db, Pair(old, new) as pair:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(_SCHEMA)
        db.execute("BEGIN")
        counting = _Counting(pair)
        moving = (row for row in map(counting.take, pair.facts(among)) if row)
        for some in batched(moving, _ROWS_AT_ONCE):
            for table in ("went", "came"):
                rows = [row[1:] for row in some if row[0] == table]
                db.executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)  # noqa: S608 - ours
        db.executemany("INSERT INTO counted VALUES (?, ?, ?, ?)", counting.rows())
        db.executemany("INSERT INTO header_change VALUES (?, ?, ?, ?, ?, ?)", counting.header_changes())
        db.executemany("INSERT INTO place VALUES (?, ?, ?)", counting.places())
        db.execute("INSERT INTO names VALUES (?, ?)", counting.names)
        db.execute("COMMIT")
        db.executescript(_MATCH)
        db.execute(f"PRAGMA user_version = {_VERSION}")


class Tally:
    """What `write_tally` has written, or the way back where `is_reversed`. A context manager.

    Raises `ManifestFault` where the file is not one.
    """

    def __init__(self, file: Path, *, is_reversed: bool = False) -> None:
        uri = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
        self._old, self._new = ("new", "old") if is_reversed else ("old", "new")
        self._is_reversed = is_reversed
        try:
            self._db = sqlite3.connect(uri, uri=True)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            raise ManifestFault(f"{file} is not a readable tally: {error}") from error
        if version != _VERSION:
            self._db.close()
            raise ManifestFault(f"{file} is a tally of another version.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def counts(self) -> dict[str, Counted]:
        """Return every kind's count; what was moved is among what was added and removed, too."""
        opposite = self._opposite
        rows = self._db.execute(f"SELECT kind, paths, {self._old}_bytes, {self._new}_bytes FROM counted")  # noqa: S608 - ours
        found = {opposite.get(kind, kind): Counted(*counted) for kind, *counted in rows}
        return {kind: found.get(kind, Counted()) for kind in KINDS}

    def lost_names(self) -> int:
        """Return how many fingerprinted names the old side has and the new one does not."""
        return int(self._db.execute(f"SELECT {self._old} FROM names").fetchone()[0])  # noqa: S608 - ours

    def narrowed(self, wanted: Wanted) -> tuple[Wanted, list[Range]]:
        """Return what is wanted without kinds that there are none of, and the buckets that hold the rest."""
        counts = self.counts()
        kinds = frozenset(kind for kind in wanted.kinds if counts[kind].paths)
        opposite = self._opposite
        names = [opposite.get(kind, kind) for kind in sorted(kinds)]
        marks = ", ".join("?" * len(names))
        rows = self._db.execute(
            f"SELECT DISTINCT first, following FROM place WHERE kind IN ({marks}) ORDER BY first",  # noqa: S608 - marks
            names,
        )
        return replace(wanted, kinds=kinds), rows.fetchall()

    def move_count(self) -> int:
        """Return how many paths have content that another path had before."""
        return int(self._db.execute("SELECT count(*) FROM move").fetchone()[0])

    def moves(self, *, below: str = "", after: str = "") -> Iterator[tuple[str, str]]:
        """Yield (old path, new path) of what was moved to paths below a prefix, behind a path, by them."""
        first = max(below, f"{after}\0" if after else "")
        sql = (
            f"SELECT {self._old}, {self._new} FROM move"  # noqa: S608 - ours
            f" WHERE {self._new} >= ? AND {self._new} < ? ORDER BY {self._new}"
        )
        yield from self._db.execute(sql, (first, below + LAST))

    def moved_from(self, path: str) -> str:
        """Return the path that had the content of a path that was added, or ""."""
        return self._first(f"SELECT {self._old} FROM move WHERE {self._new} = ?", path)  # noqa: S608 - ours

    def moved_to(self, path: str) -> str:
        """Return the path that has the content of a path that was removed, or ""."""
        return self._first(f"SELECT {self._new} FROM move WHERE {self._old} = ?", path)  # noqa: S608 - ours

    def header_changes(self, *, limit: int, folders: int = 5) -> list[HeaderChange]:
        """Return what changes headers, that of most paths first, each with its largest folders."""
        rows = self._db.execute(
            f"SELECT {self._old}, {self._new}, sum(paths), min(first), max(last)"  # noqa: S608 - ours
            " FROM header_change GROUP BY old, new ORDER BY sum(paths) DESC, min(first) LIMIT ?",
            (limit,),
        ).fetchall()
        return [
            HeaderChange(
                _set_of(old), _set_of(new), paths, _shared(first, last), self._folders(old, new, folders)
            )
            for old, new, paths, first, last in rows
        ]

    def header_change_count(self) -> tuple[int, int]:
        """Return how many changes of headers there are, and of how many paths."""
        changes, paths = self._db.execute(
            "SELECT count(DISTINCT old || new), coalesce(sum(paths), 0) FROM header_change"
        ).fetchone()
        return changes, paths

    @property
    def _opposite(self) -> dict[str, str]:
        return {"added": "removed", "removed": "added"} if self._is_reversed else {}

    def _folders(self, old: str, new: str, limit: int) -> tuple[tuple[str, int], ...]:
        rows = self._db.execute(
            f"SELECT first, last, paths FROM header_change WHERE {self._old} = ? AND {self._new} = ?"  # noqa: S608 - ours
            " AND folder <> '' ORDER BY paths DESC, folder LIMIT ?",
            (old, new, limit),
        ).fetchall()
        return tuple((_shared(first, last), paths) for first, last, paths in rows) if len(rows) > 1 else ()

    def _first(self, sql: str, path: str) -> str:
        row = self._db.execute(sql, (path,)).fetchone()
        return str(row[0]) if row else ""


@dataclass(slots=True)
class _Group:
    paths: int
    first: str
    last: str


@dataclass(slots=True)
class _Counting:
    """The counts so far: of kinds, and of header changes by the two sets and the folder at the top."""

    pair: Pair
    _counts: dict[str, list[int]] = field(default_factory=dict)
    _changes: dict[tuple[int, int], dict[str, _Group]] = field(default_factory=dict)
    _places: dict[str, set[Range]] = field(default_factory=dict)
    _firsts: list[str] = field(init=False)
    _old_names: int = 0
    _new_names: int = 0

    def __post_init__(self) -> None:
        self._firsts = [first for first, _ in self.pair.buckets]

    @property
    def names(self) -> tuple[int, int]:
        """How many fingerprinted names only the old side has, and only the new one."""
        return self._old_names, self._new_names

    def take(self, row: Fact) -> tuple[str, bytes | None, str] | None:
        """Count a row; return where it belongs if it may be an end of a move."""
        path, kind, old_size, new_size, old_set, new_set, is_other_set, blob, old_name, new_name = row
        self._take_names(path, kind, old_name, new_name)
        self._places.setdefault(kind, set()).add(self.pair.buckets[bisect_right(self._firsts, path) - 1])
        counted = self._counts.setdefault(kind, [0, 0, 0])
        counted[0] += 1
        counted[1] += old_size
        counted[2] += new_size
        if kind == "removed":
            return "went", blob, path
        if kind == "added":
            return "came", blob, path
        if is_other_set and old_set is not None and new_set is not None:
            self._take_header_change((old_set, new_set), path)
        return None

    def rows(self) -> Iterable[tuple[str, int, int, int]]:
        return [(kind, paths, old, new) for kind, (paths, old, new) in self._counts.items()]

    def header_changes(self) -> Iterator[tuple[str, str, str, int, str, str]]:
        for (old, new), folders in self._changes.items():
            before, after = (_words_of(reader, number) for reader, number in self._sides(old, new))
            for folder, group in folders.items():
                yield before, after, folder, group.paths, group.first, group.last

    def places(self) -> Iterator[tuple[str, str, str]]:
        """Yield each kind with the buckets that hold some of it."""
        for kind, buckets in self._places.items():
            yield from ((kind, first, following) for first, following in buckets)

    def _take_names(self, path: str, kind: str, old: str | None, new: str | None) -> None:
        if old != new:
            self._old_names += bool(old)
            self._new_names += bool(new)
        if kind in {"added", "removed"} and is_fingerprinted(path):
            self._old_names += kind == "removed"
            self._new_names += kind == "added"

    def _take_header_change(self, sets: tuple[int, int], path: str) -> None:
        folders = self._changes.setdefault(sets, {})
        folder = path.partition("/")[0] + "/" if "/" in path else ""
        if folder not in folders and len(folders) >= _MOST_FOLDERS:
            folder = ""
        group = folders.get(folder)
        if group is None:
            folders[folder] = _Group(1, path, path)
        else:  # paths come in order
            group.paths += 1
            group.last = path

    def _sides(self, old: int, new: int) -> Iterator[tuple[ManifestReader, int]]:
        if self.pair.old and self.pair.new:
            yield from ((self.pair.old, old), (self.pair.new, new))


def _words_of(reader: ManifestReader, number: int) -> str:
    header_set = reader.header_sets[number]
    return json.dumps([header_set.rule, header_set.rule_version, header_set.headers, header_set.digest])


def _set_of(words: str) -> HeaderSet:
    rule, version, headers, digest = json.loads(words)
    return HeaderSet(rule, version, tuple((name, value) for name, value in headers), digest)


def _shared(first: str, last: str) -> str:
    """Return the folder that two paths, and what lies between them, have in common; the path where alike."""
    if first == last:
        return first
    folders = zip(first.split("/")[:-1], last.split("/")[:-1], strict=False)
    return "".join(f"{one}/" for one, _ in takewhile(lambda pair: pair[0] == pair[1], folders))
