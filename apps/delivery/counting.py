"""Writes down what a worker has counted: once a minute, when an hour is over, and when the worker ends.

The requests only add to numbers (`tally`); everything else is done by a thread of its own. The files lie
in storage, where the background worker finds those of every node.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from apps.assets import store
from apps.delivery.counts import FOLDER, MOST_LINES, Counted, dump
from apps.delivery.node import Node
from apps.delivery.tally import Figures

logger = logging.getLogger(__name__)

PERIOD = timedelta(minutes=1)
LOOK_SECONDS = 1.0
LAST_WORDS_SECONDS = 5.0  # a worker that ends waits so long for a file that is just being written

type Clock = Callable[[], datetime]
type Line = tuple[str, int, str, int, datetime]


def _now() -> datetime:
    return datetime.now(UTC)


class CountWriter:
    """Writes what the publications of a node were asked for, as long as its process runs.

    Where storage takes nothing, that is said once, and what was counted is kept: at most `MOST_LINES`
    lines, and the numbers themselves beyond.
    """

    def __init__(self, node: Node, *, clock: Clock = _now) -> None:
        self._node, self._clock = node, clock
        self._since = clock()
        self._gathered: dict[Line, Figures] = {}
        self._unwritten: tuple[str, bytes] | None = None  # a name in storage and its content
        self._is_failing = False
        self._turn = threading.Lock()

    def start(self) -> None:
        """Write from now on, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="assetsite-counting", daemon=True).start()

    def turn(self) -> None:
        """Write what was counted, if that is due."""
        now = self._clock()
        if now - self._since >= PERIOD or now.hour != self._since.hour:
            self.write()

    def write(self) -> None:
        """Write what was counted since the last time; never raise."""
        with self._alone() as is_mine:
            if is_mine:
                self._gather()
                self._try_to_write()

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        is_mine = self._turn.acquire(timeout=LAST_WORDS_SECONDS)
        try:
            yield is_mine
        finally:
            if is_mine:
                self._turn.release()

    def _run(self) -> None:
        while True:
            self.turn()
            time.sleep(LOOK_SECONDS)

    def _gather(self) -> None:
        """Take what was counted; let go of publications that have had a minute to answer their last."""
        hour = self._since.replace(minute=0, second=0, microsecond=0)
        self._since = self._clock()
        serving = {id(live.tallies) for live in list(self._node.live.values())}
        for counted in list(self._node.counted):
            for (rule, version), tally in list(counted.tallies.by_rule.items()):
                line = counted.channel, counted.sequence, rule, version, hour
                if rule and (line in self._gathered or len(self._gathered) < MOST_LINES):
                    new = tally.take()
                    if any(new):
                        self._gathered[line] = self._gathered.get(line, Figures()).plus(new)
            if counted.tallies.was_let_go and len(self._gathered) < MOST_LINES:
                self._node.counted.remove(counted)
            counted.tallies.was_let_go = id(counted.tallies) not in serving

    def _try_to_write(self) -> None:
        try:
            while self._unwritten or self._gathered:
                self._write_next()
        except Exception as error:  # noqa: BLE001 - whatever a storage raises: visitors are served all the same
            if not self._is_failing:
                logger.warning("What was asked for cannot be written down; it is kept in memory: %r", error)
            self._is_failing = True
        else:
            self._is_failing = False

    def _write_next(self) -> None:
        """Write one file: the same under the same name until storage has it, so that none counts twice."""
        if self._unwritten is None:
            lines = [_counted(line, figures) for line, figures in self._gathered.items()]
            self._unwritten = f"{FOLDER}/{uuid4().hex}.json", dump(lines)
            self._gathered = {}
        store.replace(*self._unwritten)
        self._unwritten = None


def _counted(line: Line, figures: Figures) -> Counted:
    requests = figures.sent + figures.not_modified + figures.failed
    return Counted(*line, requests, figures.body_bytes, figures.not_modified, figures.failed)


_writer: CountWriter | None = None


def count(node: Node) -> None:
    """Write down what this process's node counts from now on."""
    global _writer  # noqa: PLW0603 - there is one for a process, which ends with it
    _writer = CountWriter(node)
    _writer.start()


def leave() -> None:
    """Write what is left, before this process ends."""
    if _writer is not None:
        _writer.write()
