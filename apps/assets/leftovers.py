"""What storage holds and nothing refers to: first it is noted, and removed once that was so for long enough.

Whoever is about to refer to bytes says so, and the note goes (`store.on_use`). The
note is locked while its bytes are removed: who comes a moment too late waits, and then finds them gone. A
removal that is interrupted is done again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.assets import store
from apps.assets.models import Leftover

_AT_ONCE = 100  # are removed in one transaction: others who write wait for it
_TOLD_FOR = timedelta(days=1)  # longer than anybody holds bytes that were found in storage
_VALUES_AT_ONCE = 1_000

type Sizes = Mapping[str, int]
"""Names in storage, with how many bytes each has."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed from storage, or would be."""

    name: str
    size_bytes: int


def keep(names: Iterable[str]) -> set[str]:
    """Say that these names in storage are about to be referred to; return those that were noted before.

    They may be gone by now. Within a transaction nobody removes them before it ends.
    """
    noted: set[str] = set()
    for some in batched(names, _VALUES_AT_ONCE):
        found = Leftover.objects.filter(name__in=some).values_list("name", flat=True)
        if known := sorted(found):
            Leftover.objects.filter(name__in=known).delete()
            noted.update(known)
    return noted


def note(folder: str, unneeded: Sizes) -> None:
    """Note what of a folder of storage nothing refers to; forget what is needed after all, or gone."""
    noted = set(_noted_in(folder))
    now = timezone.now()
    rows = [
        Leftover(name=name, size_bytes=size, since=now)
        for name, size in sorted(unneeded.items())
        if name not in noted
    ]
    Leftover.objects.bulk_create(rows, batch_size=_VALUES_AT_ONCE, ignore_conflicts=True)
    for some in batched(sorted(noted - unneeded.keys()), _VALUES_AT_ONCE):
        Leftover.objects.filter(name__in=some, removed_at=None).delete()


def parts_noted(folder: str) -> set[str]:
    """Return the folders just below a folder of storage in which anything is noted, at any depth."""
    depth = folder.count("/") + 2
    return {"/".join(name.split("/", depth)[:depth]) for name in _noted_in(folder)}


def due(unneeded: Iterable[str]) -> set[str]:
    """Return those names whose grace time is over."""
    found: set[str] = set()
    for some in batched(unneeded, _VALUES_AT_ONCE):
        rows = Leftover.objects.filter(name__in=some, removed_at=None, since__lte=_noted_until())
        found.update(rows.values_list("name", flat=True))
    return found


def waiting(folder: str) -> int:
    """Return how many names in a folder are not needed and stay until their grace time is over."""
    return Leftover.objects.filter(name__startswith=f"{folder}/", removed_at=None).count()


def remove_due(folder: str, forget: Callable[[list[str]], set[str]]) -> Iterator[Removed]:
    """Remove what was noted in a folder before the grace time; yield each that is gone.

    `forget` gets some names within a transaction, looks again whether they are needed, removes the rows
    that describe them, and returns those that may go.
    """
    after = ""
    while some := _next_due(folder, after):
        after = some[-1]
        yield from _remove(some, forget)
    Leftover.objects.filter(removed_at__lte=timezone.now() - _TOLD_FOR).delete()


@transaction.atomic
def _remove(names: list[str], forget: Callable[[list[str]], set[str]]) -> list[Removed]:
    rows = Leftover.objects.select_for_update(skip_locked=True, no_key=True).filter(
        name__in=names, removed_at=None, since__lte=_noted_until()
    )
    locked = {row.name: row.size_bytes for row in rows}
    gone = forget(sorted(locked))
    for name in gone:
        store.remove(name)
    Leftover.objects.filter(name__in=gone).update(removed_at=timezone.now())
    return [Removed(name, locked[name]) for name in sorted(gone)]


def _next_due(folder: str, after: str) -> list[str]:
    rows = Leftover.objects.filter(
        name__startswith=f"{folder}/", name__gt=after, removed_at=None, since__lte=_noted_until()
    )
    return list(rows.order_by("name").values_list("name", flat=True)[:_AT_ONCE])


def _noted_in(folder: str) -> Iterable[str]:
    rows = Leftover.objects.filter(name__startswith=f"{folder}/", removed_at=None)
    return rows.values_list("name", flat=True).iterator()


def _noted_until() -> datetime:
    return timezone.now() - timedelta(days=settings.UNNEEDED_KEPT_DAYS)
