"""The room that a machine gives to what it fetched: bounded, and what was not used for longest goes first.

Every process of the machine fetches into one folder, so its size is kept in a file there. Only what
takes it above the bound looks at the folder, in a thread of its own, and then removes a tenth more
than it has to. The time of a file's last use is its access time, written by whoever serves it, at most
once a minute; so the order is kept to the minute, and finding the oldest takes memory by the minute
and not by the file.
"""

import fcntl
import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

from apps.delivery.files.locks import alone_if_free
from apps.delivery.pointer import BrokenPointer, Pointer, parse_pointer

logger = logging.getLogger(__name__)

MINUTE_SECONDS = 60
_JUST_USED_SECONDS = 10  # between finding a manifest and opening it nobody waits so long
_BETWEEN_SWEEPS_SECONDS = 5
_FILES_AT_ONCE = 100
_PAUSE_SECONDS = 0.001
_NOT_COUNTED = {"channels", "fetching"}


def note_use(file: Path | str | int, status: os.stat_result) -> None:
    """Say that a file (an open one by its number) is served, unless that was said within the last minute."""
    now = time.time()
    if now - status.st_atime > MINUTE_SECONDS:
        with suppress(OSError):  # it may have been removed this moment, or be another user's
            os.utime(file, ns=(int(now * 1e9), status.st_mtime_ns))


class Room:
    """What lies below `folder`, about `most_bytes` of it. The manifest that a channel serves stays."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._counter = folder / "size"
        self._swept_at = -math.inf

    @property
    def is_tight(self) -> bool:
        """Whether something has to be removed soon."""
        return self._count(lambda total: total) > self._most_bytes * 3 // 4

    def add(self, size_bytes: int) -> None:
        """Count a file that was fetched; make room, in a thread of its own, where there is too little.

        What nobody has counted yet, in a folder that was copied from elsewhere, is looked at as well.
        """
        is_uncounted = not self._counter.exists()
        is_full = self._count(lambda total: total + size_bytes) > self._most_bytes
        is_due = is_full and time.monotonic() - self._swept_at > _BETWEEN_SWEEPS_SECONDS
        if is_due:
            self._swept_at = time.monotonic()
        if is_due or is_uncounted:
            Thread(target=self.sweep, name="assetsite-node-room", daemon=True).start()

    def sweep(self) -> None:
        """Measure the folder, and remove what was not used for longest where it is too large.

        Does nothing while another thread or process of this machine does it.
        """
        with alone_if_free(self._folder / "fetching" / "sweeping") as is_mine:
            if is_mine:
                before = self._count(lambda total: total)
                left = self._sweep()
                self._count(lambda total: left + max(total - before, 0))

    def _sweep(self) -> int:
        used: Counter[int] = Counter()
        for _, status in self._files():
            used[_minute(status)] += status.st_size
        total = used.total()
        if total <= self._most_bytes:
            return total
        excess = total - self._most_bytes * 9 // 10
        removed = self._remove(_oldest(used, excess), excess)
        logger.info(
            "%d bytes were removed from %s, which may have %d.", removed, self._folder, self._most_bytes
        )
        return total - removed

    def _remove(self, newest_minute: int, excess: int) -> int:
        """Remove files last used up to that minute until `excess` bytes are gone; return how many are."""
        needed = {self._folder / name for name in self._names_in_use()}
        removed = 0
        for file, status in self._files():
            if removed >= excess:
                break
            is_just_used = time.time() - status.st_atime < _JUST_USED_SECONDS
            if _minute(status) <= newest_minute and not is_just_used and file not in needed:
                with suppress(FileNotFoundError):
                    file.unlink()
                removed += status.st_size
        return removed

    def _names_in_use(self) -> Iterator[str]:
        """Yield the manifests that the kept pointers name: a start needs them while storage is down."""
        for file in self._folder.glob("channels/*.json"):
            with suppress(OSError, BrokenPointer):
                pointer: Pointer = parse_pointer(file.read_bytes())
                yield pointer.manifest.name
                if pointer.retained:
                    yield pointer.retained.name

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Yield what was fetched, a little at a time: requests are served meanwhile."""
        for number, file in enumerate(
            Path(folder, name)
            for top in self._folder.iterdir()
            if top.is_dir() and top.name not in _NOT_COUNTED
            for folder, _, names in os.walk(top)
            for name in names
        ):
            if not number % _FILES_AT_ONCE:
                time.sleep(_PAUSE_SECONDS)
            with suppress(FileNotFoundError):
                yield file, file.stat()

    def _count(self, change: Callable[[int], int]) -> int:
        """Change the folder's size as this machine's processes have counted it, and return it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._counter, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            counted = os.pread(handle, 32, 0)
            size = change(int(counted) if counted.strip().isdigit() else 0)
            os.pwrite(handle, b"%020d" % size, 0)
        finally:
            os.close(handle)
        return size


def _minute(status: os.stat_result) -> int:
    return int(status.st_atime) // MINUTE_SECONDS


def _oldest(used: Counter[int], excess: int) -> int:
    """Return the minute up to which files have to go; `used` has the bytes last used in each."""
    gone = 0
    for minute in sorted(used):
        gone += used[minute]
        if gone >= excess:
            return minute
    return max(used)
