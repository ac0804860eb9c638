"""Two texts side by side, line by line: bounded in time and in what is shown. Knows no Django."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import takewhile, zip_longest

MAX_TEXT_BYTES = 256 * 1024  # a side; more than that is told by its size
MAX_LINE_CHARACTERS = 400
MAX_SHOWN_LINES = 2_000
CONTEXT_LINES = 3
_CHARACTERS_BEFORE_DIFFERENCE = 80
_MAX_CELLS = 250_000  # lines by lines that difflib, cubic at its worst, is asked to match
_TEXT_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/javascript",
        "application/json",
        "application/sql",
        "application/toml",
        "application/x-javascript",
        "application/x-sh",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
        "image/svg+xml",
    }
)
# What a reviewer would not see: control characters, and those that turn the direction of writing round.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_NO_LAST_BREAK = " ⟨no line break at the end⟩"


class LineKind(StrEnum):
    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Line:
    """A line to show, with its number on each side (from 1), or None where that side lacks it.

    For skipped lines `text` says how many there are.
    """

    kind: LineKind
    old_number: int | None
    new_number: int | None
    text: str

    @property
    def sign(self) -> str:
        return {LineKind.REMOVED: "\N{MINUS SIGN}", LineKind.ADDED: "+"}.get(self.kind, "")


@dataclass(frozen=True, slots=True)
class TextComparison:
    """What differs between two texts, with some context; `is_cut` where there is more than is shown."""

    lines: tuple[Line, ...]
    added: int
    removed: int
    is_cut: bool


def is_text(media_type: str) -> bool:
    """Say whether content of this type can be read as lines of text."""
    return (
        media_type.startswith("text/") or media_type.endswith(("+json", "+xml")) or media_type in _TEXT_TYPES
    )


def as_text(content: bytes) -> str | None:
    """Return content as text, or None where it is not UTF-8."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def compare(old: str, new: str, *, max_lines: int = MAX_SHOWN_LINES) -> TextComparison:
    """Compare two texts by lines. Lines that stay are shown around those that do not.

    Lines are matched at those which occur once on either side (patience diff); what lies between two
    of them is left to difflib, or, where that would take long, counts as replaced as a whole.
    """
    before, after = _lines(old), _lines(new)
    if all(line.endswith("\r") for line in before + after):
        before, after = ([line.removesuffix("\r") for line in lines] for lines in (before, after))
    rows = list(_rows(before, after))
    shown = list(_with_context(rows))
    kinds = Counter(row.kind for row in rows)
    return TextComparison(
        tuple(shown[:max_lines]),
        added=kinds[LineKind.ADDED],
        removed=kinds[LineKind.REMOVED],
        is_cut=len(shown) > max_lines,
    )


def visible(text: str) -> str:
    """Return `text` with its hidden characters named, so that nobody approves what they cannot see."""
    return _HIDDEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[-1]:
        lines[-1] += _NO_LAST_BREAK
        return lines
    return lines[:-1]


def _rows(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    at_old = at_new = 0
    for kept_old, kept_new in [*_kept(old, new), (len(old), len(new))]:
        yield from _replaced(old[at_old:kept_old], new[at_new:kept_new], at_old, at_new)
        if kept_old < len(old):
            yield Line(LineKind.SAME, kept_old + 1, kept_new + 1, _excerpt(old[kept_old], 0))
        at_old, at_new = kept_old + 1, kept_new + 1


def _replaced(old: Sequence[str], new: Sequence[str], at_old: int, at_new: int) -> Iterator[Line]:
    """Yield the lines that go, then those that come; long ones are cut to where the two part."""
    parts = [
        _shared(before, after) if max(len(before), len(after)) > MAX_LINE_CHARACTERS else 0
        for before, after in zip_longest(old, new, fillvalue="")
    ]
    for place, line in enumerate(old):
        yield Line(LineKind.REMOVED, at_old + place + 1, None, _excerpt(line, parts[place]))
    for place, line in enumerate(new):
        yield Line(LineKind.ADDED, None, at_new + place + 1, _excerpt(line, parts[place]))


def _excerpt(line: str, difference: int) -> str:
    """Return a line as it is shown: whole, or the part of it around `difference`."""
    if len(line) <= MAX_LINE_CHARACTERS:
        return visible(line)
    start = max(0, min(difference - _CHARACTERS_BEFORE_DIFFERENCE, len(line) - MAX_LINE_CHARACTERS))
    end = start + MAX_LINE_CHARACTERS
    return f"{'…' if start else ''}{visible(line[start:end])}{'…' if end < len(line) else ''}"


def _with_context(rows: Sequence[Line]) -> Iterator[Line]:
    """Yield the changed rows and those near to them, and one row for each run that is left out."""
    last_shown = -1
    for place, row in enumerate(rows):
        near = rows[max(0, place - CONTEXT_LINES) : place + CONTEXT_LINES + 1]
        if row.kind is LineKind.SAME and all(other.kind is LineKind.SAME for other in near):
            continue
        if place > last_shown + 1:
            yield _skipped(place - last_shown - 1)
        yield row
        last_shown = place
    if 0 <= last_shown < len(rows) - 1:
        yield _skipped(len(rows) - 1 - last_shown)


def _skipped(count: int) -> Line:
    return Line(LineKind.SKIPPED, None, None, f"{count} unchanged line{'' if count == 1 else 's'}")


def _kept(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the places (old, new) of the lines that stay, both increasing."""
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    end_old, end_new = len(old) - tail, len(new) - tail
    yield from zip(range(head), range(head), strict=True)
    at_old = at_new = head
    for anchor_old, anchor_new in _anchors(old[head:end_old], new[head:end_new]):
        stop_old, stop_new = head + anchor_old, head + anchor_new
        yield from _kept_between(old[at_old:stop_old], new[at_new:stop_new], at_old, at_new)
        yield stop_old, stop_new
        at_old, at_new = stop_old + 1, stop_new + 1
    yield from _kept_between(old[at_old:end_old], new[at_new:end_new], at_old, at_new)
    yield from zip(range(end_old, len(old)), range(end_new, len(new)), strict=True)


def _kept_between(
    old: Sequence[str], new: Sequence[str], at_old: int, at_new: int
) -> Iterator[tuple[int, int]]:
    if len(old) * len(new) > _MAX_CELLS:
        return
    for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        for step in range(block.size):
            yield at_old + block.a + step, at_new + block.b + step


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return the longest increasing run of places of lines that occur once on either side."""
    counts_old, counts_new = Counter(old), Counter(new)
    place_in_new = {line: place for place, line in enumerate(new) if counts_new[line] == 1}
    places = [
        (place, place_in_new[line])
        for place, line in enumerate(old)
        if counts_old[line] == 1 and line in place_in_new
    ]
    ends: list[int] = []  # the smallest place in `new` at which a run of each length ends
    heads: list[int] = []  # which of `places` that is
    previous: list[int | None] = []
    for number, (_, place) in enumerate(places):
        length = bisect_left(ends, place)
        previous.append(heads[length - 1] if length else None)
        ends[length : length + 1] = [place]
        heads[length : length + 1] = [number]
    run: list[tuple[int, int]] = []
    at = heads[-1] if heads else None
    while at is not None:
        run.append(places[at])
        at = previous[at]
    return run[::-1]


def _shared(old: Sequence[str], new: Sequence[str]) -> int:
    """Count the lines, or the characters, that both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
