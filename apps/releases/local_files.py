"""Files that this machine keeps because they were made once and never change: bounded, made again at need."""

import os
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from apps.assets import store

_KEPT_FILES = 20


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
    _remove_oldest(file.parent)
    return file


def kept_folder() -> Path:
    """Return the folder of these files; it may not be there yet."""
    return Path(settings.DATA_DIR) / "compared"


def _remove_oldest(folder: Path) -> None:
    by_use = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)
    for file in by_use[:-_KEPT_FILES]:
        file.unlink(missing_ok=True)
