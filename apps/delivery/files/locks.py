"""Locks between the threads and processes of one machine, which end with their holder however it ends."""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.delivery.files.faults import FileFault

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.02


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Hold the lock `file`, which is removed afterwards.

    Raises `FileFault` where somebody else holds it for 20 s, `OSError` where it cannot be made.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with alone_if_free(file) as is_mine:
            if is_mine:
                yield
                return
        if time.monotonic() > deadline:
            fault = FileFault(f"{file} has been held by somebody else for {PATIENCE_SECONDS:.0f} s")
            logger.warning("%s.", fault)
            raise fault
        time.sleep(_LOOK_AGAIN_SECONDS)


@contextmanager
def alone_if_free(file: Path) -> Iterator[bool]:
    """Hold the lock `file`, and give True; give False where somebody else holds it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if _is_taken(handle, file):
            yield False
            return
        try:
            yield True
        finally:
            file.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _is_taken(handle: int, file: Path) -> bool:
    """Try to lock; whoever had it before has removed its file, and a lock on a file without name is none."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return not os.path.samestat(os.fstat(handle), file.stat())
    except (BlockingIOError, FileNotFoundError):
        return True
