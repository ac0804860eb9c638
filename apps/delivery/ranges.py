"""Which bytes a client asks for (RFC 9110 section 14)."""

import re
from dataclasses import dataclass

MOST_RANGES = 16
_RANGES = re.compile(r"bytes\s*=\s*(.*)", re.IGNORECASE)
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_FAR = 18  # digits: a position with more is beyond every file


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Unsatisfiable(Exception):
    """No range that was asked for lies within the representation: 416."""


def parse_range(value: str, size: int) -> list[Span] | None:
    """Return the spans that a Range header asks of a representation of `size` bytes, in its order.

    None means that the whole is to be sent: for another unit, a malformed header, more than 16 ranges,
    or ranges that together are larger than the representation (section 14.2 lets a server do so).
    Raises `Unsatisfiable` where no range can be satisfied (section 15.5.17).
    """
    match = _RANGES.fullmatch(value.strip())
    specs = [spec.strip() for spec in match[1].split(",")] if match else []
    parsed = [_SPEC.fullmatch(spec) for spec in specs if spec]
    if not parsed or not all(parsed) or len(parsed) > MOST_RANGES:
        return None
    spans: list[Span] = []
    for spec in parsed:
        first, last = (spec[1], spec[2]) if spec else ("", "")
        if not _is_valid(first, last):
            return None
        span = _span(first, last, size)
        if span:
            spans.append(span)
    if not spans:
        if size == 0 and any(spec and not spec[1] and int(spec[2]) for spec in parsed):
            return None  # the end of nothing is the whole of it
        raise Unsatisfiable
    return spans if sum(span.length for span in spans) <= size else None


def _is_valid(first: str, last: str) -> bool:
    if not first:
        return bool(last)
    return not last or _number(first) <= _number(last)


def _span(first: str, last: str, size: int) -> Span | None:
    if not first:
        length = min(_number(last), size)
        return Span(size - length, size) if length else None
    start = _number(first)
    end = min(_number(last) + 1, size) if last else size
    return Span(start, end) if start < size else None


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _FAR else 10**_FAR
