"""Files that this machine keeps because they were made once and never change: bounded, made again at need."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from apps.assets import store
from apps.assets.room import refusing_full

# By what their names begin with: one of a draft may have 87 MB, one of counts has 2 MB at the most.
# What a process that was killed had begun is of no use; of those that others are writing there are few.
_KEPT_FILES = {"draft": 20, "tally": 200, "verified": 2_000, "unfinished": 20}


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
    # Beside it, not where storage writes its files: that may be another file system.
    unfinished = file.parent / f"unfinished-{secrets.token_hex(8)}"
    try:
        with refusing_full(store.temporary_folder()):
            write(unfinished)
            unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    _remove_oldest(file.parent, _sort_of(name))
    _remove_oldest(file.parent, _sort_of(unfinished.name))
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
