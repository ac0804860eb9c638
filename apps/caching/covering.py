"""How the files of two matches lie to each other: one within the other, or with some in common. Pure."""

from functools import lru_cache

from apps.caching.globs import (
    Pattern,
    can_meet,
    extension_pattern,
    folder_pattern,
    glob_pattern,
    is_within,
)
from apps.caching.rules import Match
from apps.media_types import type_by_name


@lru_cache(maxsize=65_536)
def covers(outer: Match, inner: Match) -> bool:
    """Say whether `outer` holds for every file that `inner` holds for; no where that is not known."""
    return (
        _are_types_within(inner.media_types, outer.media_types)
        and outer.is_fingerprinted in {None, inner.is_fingerprinted}
        and _at_least(inner.min_size_bytes, outer.min_size_bytes)
        and _at_most(inner.max_size_bytes, outer.max_size_bytes)
        and (not outer.expressions or _is_subset(inner.expressions, outer.expressions))
        and (not outer.tags or _is_subset(inner.tags, outer.tags))
        and all(
            any(all(is_within(one, wide) for one in narrow) for narrow in _patterns(inner))
            for wide in _patterns(outer)
        )
    )


@lru_cache(maxsize=65_536)
def may_meet(one: Match, other: Match) -> bool:
    """Say whether both can hold for one file, as far as that follows without looking at expressions."""
    if {one.is_fingerprinted, other.is_fingerprinted} == {True, False}:
        return False
    smallest = max(one.min_size_bytes or 0, other.min_size_bytes or 0)
    largest = [size for size in (one.max_size_bytes, other.max_size_bytes) if size is not None]
    if largest and min(largest) < smallest:
        return False
    if not _can_types_meet(_types(one), _types(other)):
        return False
    return all(
        any(can_meet(first, second) for first in some for second in others)
        for some in _patterns(one)
        for others in _patterns(other)
    )


@lru_cache(maxsize=4096)
def _patterns(match: Match) -> tuple[tuple[Pattern, ...], ...]:
    """Return the conditions on paths: each is several patterns, of which one has to fit."""
    found = (
        tuple(map(glob_pattern, match.paths)),
        tuple(map(folder_pattern, match.folders)),
        tuple(map(extension_pattern, match.extensions)),
    )
    return tuple(patterns for patterns in found if patterns)


def _types(match: Match) -> tuple[str, ...]:
    """Return the types that files of `match` can have; none for any. Most ends of a name say the type."""
    if match.media_types:
        return match.media_types
    types = tuple(dict.fromkeys(type_by_name(f"x.{extension}") for extension in match.extensions))
    return () if None in types else tuple(filter(None, types))


def _are_types_within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    if not outer:
        return True
    return bool(inner) and all(any(_is_type_within(one, wide) for wide in outer) for one in inner)


def _is_type_within(inner: str, outer: str) -> bool:
    return inner == outer or (outer.endswith("/*") and inner.startswith(outer.removesuffix("*")))


def _can_types_meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if not one or not other:
        return True
    return any(_is_type_within(a, b) or _is_type_within(b, a) for a in one for b in other)


def _at_least(inner: int | None, outer: int | None) -> bool:
    return not outer or (inner is not None and inner >= outer)


def _at_most(inner: int | None, outer: int | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)


def _is_subset(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return bool(inner) and set(inner) <= set(outer)
