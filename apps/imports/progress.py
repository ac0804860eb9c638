"""How far an import is, for whoever waits: a bar at a terminal, now and then a line in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from apps.imports.comparison import Progress

_PAUSE_SECONDS = 5.0


@contextmanager
def shown_on(stream: TextIO) -> Iterator[Progress]:
    """Give the callback that shows progress on `stream`, for as long as the block runs."""
    if not stream.isatty():
        yield Lines(stream.write)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(file=stream), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done)

        yield show


class Lines:
    """Writes a line when a step begins, and one every five seconds while it lasts."""

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._step = ""
        self._written_at = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        now = self._clock()
        if step != self._step:
            self._write(f"{step} {total:,} file{'' if total == 1 else 's'}\n")
        elif now - self._written_at >= _PAUSE_SECONDS:
            self._write(f"{step}: {done:,} of {total:,}\n")
        else:
            return
        self._step, self._written_at = step, now
