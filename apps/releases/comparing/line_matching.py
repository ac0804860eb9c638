"""Which lines of one text are still there in another: in bounded time. Knows no Django."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile

_MAX_CELLS = 250_000  # lines by lines that difflib, cubic at its worst, is asked to match


def kept_lines(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the places (old, new) of the lines that stay, both increasing.

    Lines are matched at those which occur once on either side (patience diff); what lies between two
    of them is left to difflib, or, where that would take long, counts as replaced as a whole.
    """
    head = shared_beginning(old, new)
    tail = shared_beginning(old[head:][::-1], new[head:][::-1])
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


def shared_beginning(old: Sequence[str], new: Sequence[str]) -> int:
    """Count the lines, or the characters, that both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


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
