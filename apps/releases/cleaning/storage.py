from collections.abc import Callable, Iterable, Mapping

from apps.assets import leftovers
from apps.jobs.cleaning import NAMES_KEPT, Cleaned

type Part = tuple[str, Mapping[str, int]]
"""A folder of storage, and what in it nobody needs: name → bytes."""


def clear(
    folder: str, parts: Iterable[Part], *, forget: Callable[[list[str]], set[str]], is_dry_run: bool
) -> Cleaned:
    """Note what of a folder of storage nobody needs, part by part; remove what was noted long enough ago.

    `forget` is as in `leftovers.remove_due`.
    """
    if is_dry_run:
        return _would_clear(parts)
    noted = leftovers.parts_noted(folder)
    for part, unneeded in parts:
        if unneeded or part == folder or part in noted:
            leftovers.note(part, unneeded)
    removed, size_bytes = 0, 0
    names: list[str] = []
    for each in leftovers.remove_due(folder, forget):
        removed += 1
        size_bytes += each.size_bytes
        if len(names) < NAMES_KEPT:
            names.append(each.name)
    return Cleaned(removed, size_bytes, leftovers.waiting(folder), tuple(names))


def _would_clear(parts: Iterable[Part]) -> Cleaned:
    removed, size_bytes, waiting = 0, 0, 0
    names: list[str] = []
    for _, unneeded in parts:
        due = sorted(leftovers.due(unneeded))
        removed += len(due)
        size_bytes += sum(unneeded[name] for name in due)
        waiting += len(unneeded) - len(due)
        names += due[: NAMES_KEPT - len(names)]
    return Cleaned(removed, size_bytes, waiting, tuple(names))
