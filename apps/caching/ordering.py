"""Numbers for rules that are tried in another order, with as few of them changed as possible. Pure."""

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

MOST = 32_767
_STEP = 100

type _Key = tuple[int, str]  # rules are tried by (number, slug)

_FIRST: _Key = (0, "")
_LAST: _Key = (MOST + 1, "")


def moved(orders: Mapping[str, int], slug: str, before: str) -> dict[str, int]:
    """Return the numbers, by slug, that let `slug` be tried right before `before`, or last where that is "".

    Each number that changes is a new version of its rule, so the fewest do: that of `slug` alone where there
    is room between its neighbours, and else those of the rules that have to make some.
    """
    if before == slug:
        return dict(orders)
    others = sorted((each for each in orders if each != slug), key=lambda each: (orders[each], each))
    place = others.index(before) if before in others else len(others)
    wanted = [*others[:place], slug, *others[place:]]
    keys = [_FIRST, *((orders[each], each) for each in wanted), _LAST]
    changed = {
        name: number
        for earlier, later in pairwise(_kept(keys, slug))
        for name, number in _spread(wanted[earlier : later - 1], keys[earlier], keys[later])
    }
    return {**orders, **changed}


def neighbours(orders: Mapping[str, int], slug: str, number: int) -> tuple[str, str]:
    """Return which rules `slug` would be tried right after and right before with this number; "" for none."""
    others = sorted((order, each) for each, order in orders.items() if each != slug)
    place = bisect(others, (number, slug))
    after = others[place - 1][1] if place else ""
    return after, others[place][1] if place < len(others) else ""


def number_before(orders: Mapping[str, int], before: str) -> int:
    """Return a number for a new rule: one that is tried right before `before`, or last where that is ""."""
    earlier = [order for slug, order in orders.items() if not before or order < orders[before]]
    last = max(earlier, default=0)
    room = (orders[before] if before else MOST + 1) - last
    return last + min(_STEP, room // 2)


def _kept(keys: Sequence[_Key], slug: str) -> list[int]:
    """Return the places of the most keys that can stay, with both ends, so that all others fit between.

    Where it makes no difference, `slug` is not among them.
    """
    weights = [len(keys) + (key[1] != slug) for key in keys]
    best = {0: 0}
    came_from: dict[int, int] = {}
    for place in range(len(keys) - 1):
        if place not in best:
            continue
        reached = keys[place]
        for later in range(place + 1, len(keys)):
            if reached < keys[later] and best[place] + weights[later] > best.get(later, -1):
                best[later], came_from[later] = best[place] + weights[later], place
            reached = _next(reached, keys[later][1])
    kept = [len(keys) - 1]
    while kept[-1]:
        kept.append(came_from[kept[-1]])
    return kept[::-1]


def _next(key: _Key, slug: str) -> _Key:
    """Return the first key of `slug` behind another one."""
    number, name = key
    return (number if slug > name else number + 1, slug)


def _spread(slugs: Sequence[str], earlier: _Key, later: _Key) -> Iterator[tuple[str, int]]:
    """Yield each of `slugs` with a number between the two keys: far apart where there is room."""
    is_open = later == _LAST and earlier[0] + _STEP * len(slugs) <= MOST
    step = _STEP if is_open else 0
    width = later[0] - earlier[0]
    apart = [
        (earlier[0] + (place * step or place * width // (len(slugs) + 1)), slug)
        for place, slug in enumerate(slugs, start=1)
    ]
    if all(one < other for one, other in pairwise([earlier, *apart, later])):
        yield from ((slug, number) for number, slug in apart)
        return
    reached = earlier
    for slug in slugs:
        reached = _next(reached, slug)
        yield slug, reached[0]
