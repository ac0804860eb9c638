"""Two texts side by side, line by line: bounded in time and in what is shown. Knows no Django."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from apps.releases.comparing.line_matching import kept_lines, shared_beginning

MAX_TEXT_BYTES = 256 * 1024  # a side; more than that is told by its size
MAX_LINE_CHARACTERS = 400
MAX_SHOWN_LINES = 2_000
CONTEXT_LINES = 3
_CHARACTERS_BEFORE_DIFFERENCE = 80
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
    for kept_old, kept_new in [*kept_lines(old, new), (len(old), len(new))]:
        yield from _replaced(old[at_old:kept_old], new[at_new:kept_new], at_old, at_new)
        if kept_old < len(old):
            yield Line(LineKind.SAME, kept_old + 1, kept_new + 1, _excerpt(old[kept_old], 0))
        at_old, at_new = kept_old + 1, kept_new + 1


def _replaced(old: Sequence[str], new: Sequence[str], at_old: int, at_new: int) -> Iterator[Line]:
    """Yield the lines that go, then those that come; long ones are cut to where the two part."""
    parts = [
        shared_beginning(before, after) if max(len(before), len(after)) > MAX_LINE_CHARACTERS else 0
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
