"""Files that this machine keeps because they were made once and never change: bounded, made again at need."""

import os
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from apps.assets import store

# By what their names begin with: one of a draft may have 87 MB, one of counts has 2 MB at the most.
_KEPT_FILES = {"draft": 20, "tally": 200, "verified": 2_000}


def kept_file(name: str) -> Path | None:
    """Return the file of that name if it was made before, and count it as used."""
    file = kept_folder() / name
    try:
        os.utime(file)
    except FileNotFoundError:
        return None
    return file


def keep_file(name: str, write: Callable[[Path], object]) -> Path:
    """Let `write` make the file of that name, and return it; those not used for longest go.

    Of two that make it at once either is right. One that is interrupted leaves no file of that name. Raises
    `StorageFull`.
    """
    file = kept_folder() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with store.refusing_no_room(), store.temporary_file() as unfinished:
        write(unfinished)
        unfinished.replace(file)
    _remove_oldest(file.parent, _sort_of(name))
    return file


def kept_folder() -> Path:
    """Return the folder of these files; it may not be there yet."""
    return Path(settings.DATA_DIR) / "compared"


def _remove_oldest(folder: Path, sort: str) -> None:
    files = [file for file in folder.iterdir() if _sort_of(file.name) == sort]
    most = _KEPT_FILES[sort]
    if len(files) <= most:
        return
    for file in sorted(files, key=lambda file: file.stat().st_mtime)[:-most]:
        file.unlink(missing_ok=True)


def _sort_of(name: str) -> str:
    return name.partition("-")[0]
