"""Source maps of files that became longer in places (ECMA-426): only columns move, line by line."""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}

_LINE_BREAK = re.compile(r"\r\n|[\n\r\u2028\u2029]")

type Column = tuple[int, int]
"""A line and a column in UTF-16 code units, both from 0, at which something was inserted."""


class MapFault(ValueError):
    """A source map that cannot be moved with its file: it is unreadable, or (`kind`) something else."""

    def __init__(self, message: str, *, kind: str = "unreadable_map") -> None:
        super().__init__(message)
        self.kind = kind


def columns(text: str, places: Iterable[int]) -> list[Column]:
    """Return the columns of places in a text, given and returned in ascending order."""
    found: list[Column] = []
    line = column = start = 0
    for place in sorted(places):
        passed = text[start:place]
        breaks = list(_LINE_BREAK.finditer(passed))
        if breaks:
            line, column = line + len(breaks), 0
            passed = passed[breaks[-1].end() :]
        column += len(passed.encode("utf-16-le")) // 2
        found.append((line, column))
        start = place
    return found


def shifted(source_map: bytes, inserted: Sequence[Column], width: int) -> bytes:
    """Return the map of a file into which `width` characters were inserted at each of these columns.

    Raises `MapFault` for what is no source map.
    """
    try:
        document = json.loads(source_map.decode().removeprefix(")]}'"))
        _shift(document, inserted, width)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise MapFault(str(error) or type(error).__name__) from error
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _shift(document: dict[str, Any], inserted: Sequence[Column], width: int) -> None:
    if "sections" not in document:
        document["mappings"] = _shifted_mappings(document["mappings"], inserted, width)
        return
    offsets = [(section["offset"]["line"], section["offset"]["column"]) for section in document["sections"]]
    # A section begins behind what is inserted at its place, and ends where the next one begins.
    bounds = [bisect_right(inserted, offset) for offset in offsets] + [len(inserted)]
    for section, (line, column), (first, end) in zip(
        document["sections"], offsets, pairwise(bounds), strict=True
    ):
        within = [(at - line, place - column if at == line else place) for at, place in inserted[first:end]]
        _shift(section["map"], within, width)
        section["offset"]["column"] = column + (first - bisect_left(inserted, (line, 0))) * width


def _shifted_mappings(mappings: str, inserted: Sequence[Column], width: int) -> str:
    by_line: dict[int, list[int]] = {}
    for line, column in inserted:
        by_line.setdefault(line, []).append(column)
    lines = mappings.split(";")
    for line, places in by_line.items():
        if line < len(lines):
            lines[line] = _shifted_line(lines[line], sorted(places), width)
    return ";".join(lines)


def _shifted_line(segments: str, places: list[int], width: int) -> str:
    """Move the segments behind each place: of each it is the first number, a difference, that grows."""
    moved = []
    column = passed = 0
    for segment in segments.split(","):
        if segment:
            difference, rest = _first_number(segment)
            column += difference
            now = bisect_right(places, column)
            moved.append(_encoded(difference + (now - passed) * width) + rest)
            passed = now
        else:
            moved.append(segment)
    return ",".join(moved)


def _first_number(segment: str) -> tuple[int, str]:
    """Return the first variable-length number of a segment, and what follows it."""
    number = 0
    for place, digit in enumerate(segment):
        value = _VALUES[digit]
        number |= (value & 31) << (5 * place)
        if not value & 32:
            return -(number >> 1) if number & 1 else number >> 1, segment[place + 1 :]
    raise ValueError("a number in its mappings does not end")


def _encoded(number: int) -> str:
    rest = -number << 1 | 1 if number < 0 else number << 1
    digits = ""
    while True:
        digits += _DIGITS[rest & 31 | (32 if rest > 31 else 0)]
        rest >>= 5
        if not rest:
            return digits
