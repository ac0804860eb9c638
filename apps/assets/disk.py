"""What a local folder needs so that files in it are still there, whole, after a power cut (pure)."""

import ctypes
import os
import platform
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# A sync waits for the disk, not for the processor: several at once share one turn of its journal.
_AT_ONCE = 8
# From here on one sync of the whole file system is quicker than one of each file, also where other
# programs write to it. Fewer files should not have to wait for them.
_MANY = 64
# Before this version of Linux, syncfs(2) says that all went well where a write has failed.
_TELLS_ERRORS = (5, 17)


def sync_all(files: Sequence[Path], *, below: Path) -> None:
    """Bring files and folders, all on the file system of the folder `below`, to disk. Raises `OSError`."""
    if len(files) >= _MANY and _syncfs:
        _sync_file_system(below, _syncfs)
    else:
        in_parallel(_sync, files)


def in_parallel[T](work: Callable[[T], object], items: Sequence[T]) -> None:
    """Do `work`, which waits for a disk or a network, for all items; raise the first error."""
    at_once = min(_AT_ONCE, len(items))
    if at_once <= 1:  # a thread more would only have to be begun and waited for
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda start: [work(item) for item in items[start::at_once]], range(at_once)))


def make_folders(folder: Path) -> set[Path]:
    """Make a folder and those above it; return the folders that got an entry, which have to be synced."""
    try:
        folder.mkdir()
    except FileExistsError:
        return set()
    except FileNotFoundError:
        return make_folders(folder.parent) | make_folders(folder)
    return {folder.parent}


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_file_system(folder: Path, syncfs: Callable[[int], int]) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(handle):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(folder))
    finally:
        os.close(handle)


def _find_syncfs() -> Callable[[int], int] | None:
    """Return the C library's syncfs, which Python does not offer, where it can be relied on."""
    if not sys.platform.startswith("linux"):
        return None
    version = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2] if part.isdigit())
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if version >= _TELLS_ERRORS else None


_syncfs = _find_syncfs()
