"""What two path patterns have in common, decided for all paths at once and not by trying some. Pure.

A pattern is an automaton with a state a character or wildcard; whether two can both hold, or one holds
wherever the other does, is a walk over pairs of their states (Hopcroft, Motwani and Ullman, chapter 4).
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

from apps.caching.matching import glob_pieces

_MOST_PAIRS = 2_000  # what a walk may see before the answer is "not known"
_OTHER = "\0"  # stands for every character that neither pattern names


class Piece(NamedTuple):
    """One character (`kind` is "one"), in any case ("fold"), or a wildcard (`**/`, `**`, `*`, `?`)."""

    kind: str
    character: str = ""


type Pattern = tuple[Piece, ...]
type _State = tuple[int, bool]  # the place in the pattern; whether it is inside what `**/` stands for


@lru_cache(maxsize=4096)
def glob_pattern(glob: str) -> Pattern:
    """Return a glob, as `Match.paths` has them, as a pattern."""
    found: list[Piece] = []
    for piece in glob_pieces(glob):
        if piece in {"**/", "**", "*", "?"}:
            found.append(Piece(piece))
        else:
            found += (Piece("one", character) for character in piece)
    return tuple(found)


@lru_cache(maxsize=4096)
def folder_pattern(folder: str) -> Pattern:
    """Return the pattern of everything that lies in a folder."""
    return (*(Piece("one", character) for character in f"{folder}/"), Piece("**"))


@lru_cache(maxsize=4096)
def extension_pattern(extension: str) -> Pattern:
    """Return the pattern of every name that ends so, in any case."""
    return (Piece("**"), *(Piece("fold", character.lower()) for character in f".{extension}"))


@lru_cache(maxsize=65_536)
def can_meet(first: Pattern, second: Pattern) -> bool:
    """Say whether a path can fit both; yes where that is not known."""
    if not _can_ends_meet(first, second):
        return False
    # What begins as the one does and ends as the other: a folder and an ending need no walk.
    if (_is_open(first[-1:]) and _is_open(second[:1])) or (_is_open(second[-1:]) and _is_open(first[:1])):
        return True
    alphabet = _alphabet((first, second))
    start = [(one, two) for one in _closed(first, (0, False)) for two in _closed(second, (0, False))]
    seen, waiting = set(start), start
    while waiting:
        one, two = waiting.pop()
        if one[0] == len(first) and two[0] == len(second):
            return True
        if len(seen) > _MOST_PAIRS:
            return True
        for character in alphabet:
            for pair in (
                (next_one, next_two)
                for next_one in _steps(first, one, character)
                for next_two in _steps(second, two, character)
            ):
                if pair not in seen:
                    seen.add(pair)
                    waiting.append(pair)
    return False


@lru_cache(maxsize=65_536)
def is_within(inner: Pattern, outer: tuple[Pattern, ...]) -> bool:
    """Say whether every path that fits `inner` fits one of `outer`; no where that is not known."""
    if not any(_can_ends_meet(inner, pattern) for pattern in outer) or _is_wider_at_an_end(inner, outer):
        return False
    alphabet = _alphabet((inner, *outer))
    begun = frozenset(
        (at, state) for at, pattern in enumerate(outer) for state in _closed(pattern, (0, False))
    )
    waiting = [(state, begun) for state in _closed(inner, (0, False))]
    seen = set(waiting)
    while waiting:
        state, reached = waiting.pop()
        if len(seen) > _MOST_PAIRS:
            return False
        is_end = state[0] == len(inner)
        if is_end and not any(each[0] == len(outer[at]) for at, each in reached):
            return False
        for character in alphabet:
            following = list(_steps(inner, state, character))
            if not following:
                continue
            after = frozenset((at, new) for at, old in reached for new in _steps(outer[at], old, character))
            for new in following:
                if (new, after) not in seen:
                    seen.add((new, after))
                    waiting.append((new, after))
    return True


def _is_wider_at_an_end(inner: Pattern, outer: tuple[Pattern, ...]) -> bool:
    """Say whether `inner` begins or ends in any way, and every one of `outer` in a given one."""
    return any(
        _is_open(inner[end]) and all(pattern[end] and pattern[end][0].character for pattern in outer)
        for end in (slice(1), slice(-1, None))
    )


def _is_open(end: Pattern) -> bool:
    return end == (Piece("**"),)


def _can_ends_meet(first: Pattern, second: Pattern) -> bool:
    """Say no where the text before the first wildcards, or behind the last ones, cannot be the same."""
    for one, two in zip(_ends(first), _ends(second), strict=True):
        common = min(len(one), len(two))
        if one[:common] != two[:common]:
            return False
    return True


@lru_cache(maxsize=4096)
def _ends(pattern: Pattern) -> tuple[str, str]:
    """Return the text at the beginning and, backwards, at the end, both in lower case."""
    return _text(pattern), _text(pattern[::-1])


def _text(pattern: Iterable[Piece]) -> str:
    return "".join(piece.character for piece in takewhile(lambda piece: piece.character, pattern)).lower()


def _alphabet(patterns: Iterable[Pattern]) -> list[str]:
    named = {piece.character for pattern in patterns for piece in pattern if piece.character}
    return sorted({*named, *(character.upper() for character in named), "/", _OTHER})


def _closed(pattern: Pattern, state: _State) -> Iterator[_State]:
    """Yield `state`, and those that are reached from it without a character."""
    yield state
    place, is_inside = state
    while not is_inside and place < len(pattern) and pattern[place].kind in {"*", "**", "**/"}:
        place += 1
        yield place, False


def _steps(pattern: Pattern, state: _State, character: str) -> Iterator[_State]:
    place, _ = state
    if place == len(pattern):
        return
    piece = pattern[place]
    if piece.kind == "**/":
        yield place, True
        if character == "/":
            yield from _closed(pattern, (place + 1, False))
    elif piece.kind == "**" or (piece.kind == "*" and character != "/"):
        yield from _closed(pattern, (place, False))
    elif (
        (piece.kind == "?" and character != "/")
        or (piece.kind == "one" and character == piece.character)
        or (piece.kind == "fold" and character.lower() == piece.character)
    ):
        yield from _closed(pattern, (place + 1, False))
