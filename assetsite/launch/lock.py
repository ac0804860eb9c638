"""One start at a time on a data folder; the lock lasts as long as any process of the site."""

import fcntl
import os
import time
from pathlib import Path

from assetsite.launch.exceptions import CannotStart

_REST_SECONDS = 20.0


def take_lock(file: Path) -> int:
    """Lock `file` and return the file descriptor, which the site's processes inherit.

    Where the process that started the site was killed, the rest of it is ending: that is waited for.
    Raises `CannotStart` where a site is running, `OSError` where the file cannot be written.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + _REST_SECONDS
    while not _is_taken(handle):
        holder = _holder(handle)
        if _is_alive(holder) or time.monotonic() > deadline:
            os.close(handle)
            raise _running(file, holder)
        time.sleep(0.05)
    os.truncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle


def _is_taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> int:
    words = os.pread(handle, 32, 0).decode(errors="replace").strip()
    return int(words) if words.isdigit() else 0


def _is_alive(process: int) -> bool:
    if not process:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, and alive
    return True


def _running(file: Path, holder: int) -> CannotStart:
    who = f" (process {holder})" if holder else ""
    return CannotStart(
        f"A site is running on {file.parent} already{who}.",
        next_step=f"Stop it with `kill {holder or 'PID'}`, or set DATA_DIR to start another one.",
    )
