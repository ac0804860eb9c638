"""Two things compared path by path: filtered, a page at a time, with what was moved named as such."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Self

from apps.releases.comparing.comparables import Comparable
from apps.releases.comparing.impact import kind_of
from apps.releases.comparing.looks import Limits, Look, Side, look_at
from apps.releases.exceptions import ManifestMissing
from apps.releases.manifest import (
    Difference,
    Entry,
    ManifestFault,
    Reach,
    RedirectDifference,
    Wanted,
    diff,
    diff_redirects,
)
from apps.releases.manifest.pair import KINDS
from apps.releases.manifest.tally import Tally

MOVED = "moved"
KIND_CHOICES = ("added", "changed", "removed", MOVED, "headers", "following")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted: of one kind ("" for all), below a prefix, of a media type, behind a path, or
    from one on.
    """

    kind: str = ""
    below: str = ""
    media_type: str = ""
    after: str = ""
    start: str = ""

    @property
    def pattern(self) -> str:
        """The media type as a pattern: `image` stands for `image/*`."""
        typed = self.media_type.strip().lower()
        return f"{typed}/*" if typed and "/" not in typed else typed or "*"

    @property
    def wanted(self) -> Wanted:
        kinds = frozenset({self.kind} if self.kind else KINDS)
        return Wanted(kinds, self.below, self.after, self.pattern, self.start)


@dataclass(frozen=True, slots=True)
class Row:
    """A path that differs. One that came has where its content was before, one that went where it is now."""

    difference: Difference
    moved_from: str = ""
    moved_to: str = ""

    @property
    def path(self) -> str:
        return self.difference.path

    @property
    def kind(self) -> str:
        return kind_of(self.difference)

    @property
    def media_type(self) -> str:
        entry = self.difference.new or self.difference.old
        return entry.media_type if entry else ""


class Comparison:
    """Two things, and what differs between them. A context manager.

    Without a `tally` nothing is known of what was moved: it counts as removed and added.
    """

    def __init__(self, old: Comparable, new: Comparable, tally: Tally | None) -> None:
        self.old, self.new, self.tally = old, new, tally

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.tally:
            self.tally.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What cannot be known of either side yet."""
        return (*self.old.notes, *self.new.notes)

    def rows(self, choice: Filter, reach: Reach | None = None) -> Iterator[Row]:
        """Yield the rows that are wanted, by path, as far as `reach` goes.

        What was moved is neither among what was added nor among what was removed, if one of these is asked
        for; if everything is, both of its paths are. Raises `ManifestMissing` where a file has gone.
        """
        if choice.kind == MOVED:
            yield from self._moves(choice)
            return
        wanted, within = self.tally.narrowed(choice.wanted) if self.tally else (choice.wanted, None)
        try:
            for difference in diff(self.old.reader, self.new.reader, wanted, within=within, reach=reach):
                row = self._row(difference)
                if not (choice.kind and (row.moved_from or row.moved_to)):
                    yield row
        except ManifestFault as fault:
            raise ManifestMissing(str(fault), next_step="Restore that file from a backup.") from fault

    def redirects(self) -> list[RedirectDifference]:
        """Return the redirects that differ, by source."""
        return list(diff_redirects(self.old.reader, self.new.reader))

    def at(self, path: str) -> Row | None:
        """Return what differs at one path, None where nothing does."""
        found = next(self.rows(Filter(below=path)), None)
        return found if found and found.path == path else None

    def _row(self, difference: Difference) -> Row:
        row = Row(difference)
        if self.tally and difference.old is None:
            return replace(row, moved_from=self.tally.moved_from(difference.path))
        if self.tally and difference.new is None:
            return replace(row, moved_to=self.tally.moved_to(difference.path))
        return row

    def _moves(self, choice: Filter) -> Iterator[Row]:
        if self.tally is None or self.old.reader is None or self.new.reader is None:
            return
        for old, new in self.tally.moves(below=choice.below, after=choice.after):
            difference = Difference(new, None, self.new.reader.lookup(new), is_content_changed=True)
            row = Row(difference, moved_from=old)
            if fnmatchcase(row.media_type, choice.pattern):
                yield row


def look_of(row: Row, limits: Limits, *, is_affordable: bool = True) -> Look:
    """Return what there is to see of a row: its old and new content side by side.

    What was uploaded is not compared but what is served: that is what visitors get.
    """
    old, new = row.difference.old, row.difference.new
    return look_at(_side(old), _side(new), row.media_type, limits, is_affordable=is_affordable)


def _side(entry: Entry | None) -> Side | None:
    return Side(entry.blob, entry.size) if entry else None
