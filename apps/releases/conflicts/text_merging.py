"""Three texts into one: what two sides made of what both began with, line by line. Knows no Django.

Lines that only one side has changed are taken from it; where both have changed the same lines, the text
shows either, and what was there before, between markers (the form of `diff3 -m` and of git).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from apps.releases.comparing.line_matching import kept_lines
from apps.releases.conflicts.merging import Outcome, merge

MAX_MERGED_BYTES = 256 * 1024  # a side; more than that is decided as a whole
_BEFORE, _BASE, _BETWEEN, _AFTER = "<" * 7, "|" * 7, "=" * 7, ">" * 7


@dataclass(frozen=True, slots=True)
class Labels:
    """What the markers call the sides."""

    ours: str = "this release"
    base: str = "both began with"
    theirs: str = "live"


@dataclass(frozen=True, slots=True)
class TextMerge:
    """The outcome; with `clashes` its text holds markers, so many of each kind."""

    text: str
    clashes: int

    @property
    def is_clean(self) -> bool:
        return self.clashes == 0


def merge_texts(base: str, ours: str, theirs: str, labels: Labels | None = None) -> TextMerge:
    """Merge what two sides made of `base`.

    Line ends, LF or CRLF, and a line break at the end are merged as things of their own: a side that
    changed nothing but them changes no line. In time and size it is bounded by the texts' sizes, as
    `kept_lines` is.
    """
    texts = base, ours, theirs
    line_end = _line_end_of(texts)
    lines = [_lines(text, line_end) for text in texts]
    ends = [not text or text.endswith("\n") for text in texts]
    ends_in_break = ends[2] if merge(*ends) is Outcome.THEIRS else ends[1]
    merged, clashes = _merged(lines[0], lines[1], lines[2], labels or Labels())
    text = (line_end or "\n").join(merged)
    if merged and (ends_in_break or clashes):
        text += line_end or "\n"
    return TextMerge(text, clashes)


def leftover_markers(text: str, sources: Iterable[str] = ()) -> list[int]:
    """Return the numbers (from 1) of the lines of `text` that are markers, unless a source has them too."""
    known = {line for source in sources for line in _lines(source, "\r\n" if "\r\n" in source else None)}
    lines = text.replace("\r\n", "\n").split("\n")
    return [number for number, line in enumerate(lines, 1) if _is_marker(line) and line not in known]


def _is_marker(line: str) -> bool:
    return line == _BETWEEN or line.startswith((f"{_BEFORE} ", f"{_BASE} ", f"{_AFTER} "))


def _line_end_of(texts: Sequence[str]) -> str | None:
    """Return the line end of the outcome; None where a text mixes them, so that each line keeps its own."""
    found = [_only_line_end(text) for text in texts]
    if any(end == "" for end in found):
        return None
    base = found[0] or found[1] or found[2] or "\n"
    ours, theirs = found[1] or base, found[2] or base
    return theirs if merge(base, ours, theirs) is Outcome.THEIRS else ours


def _only_line_end(text: str) -> str | None:
    """Return the one line end that a text has, "" where it has both, None where it has none."""
    breaks, windows = text.count("\n"), text.count("\r\n")
    if not breaks:
        return None
    return "\r\n" if breaks == windows else "" if windows else "\n"


def _lines(text: str, line_end: str | None) -> list[str]:
    if line_end:
        text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def _merged(
    base: Sequence[str], ours: Sequence[str], theirs: Sequence[str], labels: Labels
) -> tuple[list[str], int]:
    lines: list[str] = []
    clashes = 0
    for before, mine, other in _chunks(base, ours, theirs):
        match merge(before, mine, other):
            case Outcome.CONFLICT:
                clashes += 1
                lines += _marked(before, mine, other, labels)
            case Outcome.THEIRS:
                lines += other
            case _:
                lines += mine
    return lines, clashes


def _chunks(
    base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]
) -> Iterator[tuple[Sequence[str], Sequence[str], Sequence[str]]]:
    """Yield what lies between the lines that all three share, and those lines, in order."""
    in_ours, in_theirs = dict(kept_lines(base, ours)), dict(kept_lines(base, theirs))
    at_base = at_ours = at_theirs = 0
    for place, line in enumerate(base):
        if place in in_ours and place in in_theirs:
            mine, other = in_ours[place], in_theirs[place]
            yield base[at_base:place], ours[at_ours:mine], theirs[at_theirs:other]
            yield [line], [line], [line]
            at_base, at_ours, at_theirs = place + 1, mine + 1, other + 1
    yield base[at_base:], ours[at_ours:], theirs[at_theirs:]


def _marked(base: Sequence[str], ours: Sequence[str], theirs: Sequence[str], labels: Labels) -> Iterator[str]:
    yield f"{_BEFORE} {labels.ours}"
    yield from ours
    yield f"{_BASE} {labels.base}"
    yield from base
    yield _BETWEEN
    yield from theirs
    yield f"{_AFTER} {labels.theirs}"
