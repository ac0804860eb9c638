"""Progress for people at a terminal: one line that counts. A log file gets none of it."""

import sys
import time
from typing import TextIO

_PAUSE_SECONDS = 0.1


class Counter:
    """Counts on one line of a terminal, at most ten times a second."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream if stream.isatty() else None
        self._shown_at = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._stream and (done == total or now - self._shown_at > _PAUSE_SECONDS):
            self._shown_at = now
            end = "\n" if done == total else ""
            self._stream.write(f"\r  {step}: {done:,} of {total:,} files{end}")
            self._stream.flush()


def show_nothing(step: str, done: int, total: int) -> None:
    """Take progress and say nothing of it."""
