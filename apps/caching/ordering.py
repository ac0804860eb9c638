"""Numbers for rules that are tried in another order, with as few of them changed as possible. Pure."""

from collections.abc import Mapping

MOST = 32_767
_STEP = 100


def moved(orders: Mapping[str, int], slug: str, before: str) -> dict[str, int]:
    """Return the numbers, by slug, that let `slug` be tried right before `before`, or last where that is "".

    Rules are tried by (number, slug). Where there is room between its neighbours only the number of `slug`
    changes; else all are numbered anew.
    """
    others = sorted((slug_ for slug_ in orders if slug_ != slug), key=lambda each: (orders[each], each))
    place = others.index(before) if before in others else len(others)
    if before == slug:
        return dict(orders)
    earlier = (orders[others[place - 1]], others[place - 1]) if place else None
    later = (orders[others[place]], others[place]) if place < len(others) else None
    if (earlier is None or earlier < (orders[slug], slug)) and (
        later is None or (orders[slug], slug) < later
    ):
        return dict(orders)
    number = _between(slug, earlier, later)
    if number is not None:
        return {**orders, slug: number}
    return _anew([*others[:place], slug, *others[place:]])


def _between(slug: str, earlier: tuple[int, str] | None, later: tuple[int, str] | None) -> int | None:
    """Return a number with which `slug` comes between the two, None where there is none."""
    low = earlier[0] if earlier else -1
    number = low + _STEP if later is None else (max(low, 0) + later[0]) // 2
    is_after = earlier is None or earlier < (number, slug)
    is_before = later is None or (number, slug) < later
    return number if is_after and is_before and 0 <= number <= MOST else None


def _anew(slugs: list[str]) -> dict[str, int]:
    step = max(1, min(_STEP, MOST // (len(slugs) + 1)))
    return {slug: place * step for place, slug in enumerate(slugs, start=1)}
