"""What lies in storage, by name."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

from apps.assets.store import local_path, storage


@runtime_checkable
class _Listing(Protocol):
    """A storage that lists all below a folder at once."""

    def listed(self, folder: str) -> Iterator[tuple[str, int]]: ...


def names_in(folder: str) -> list[str]:
    """Return the names of the files in a folder of storage, without the folder; none where there is none."""
    try:
        return sorted(storage().listdir(folder)[1])
    except FileNotFoundError:
        return []


def listed(folder: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the size in bytes of each file in a folder of storage and below, in no order."""
    place, here = storage(), local_path(folder)
    if here is not None:
        yield from _listed_here(here, folder)
    elif isinstance(place, _Listing):
        yield from place.listed(folder)
    else:
        folders, files = place.listdir(folder)
        for file in files:
            yield f"{folder}/{file}", place.size(f"{folder}/{file}")
        for each in folders:
            yield from listed(f"{folder}/{each}")


def _listed_here(here: Path, folder: str) -> Iterator[tuple[str, int]]:
    with suppress(FileNotFoundError), os.scandir(here) as entries:
        for entry in entries:
            name = f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _listed_here(here / entry.name, name)
            else:
                with suppress(FileNotFoundError):
                    yield name, entry.stat(follow_symlinks=False).st_size
