"""Says in storage which publications this node's workers serve, so that a receipt can name who followed.

Each worker keeps words of its own in the data directory; whoever has changed them puts those of all
workers together and writes them to storage, as one small file a node. That is done by a thread of its
own: no visitor and no switch waits for it, and where storage takes nothing it is only said, once.
"""

import hashlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from apps.assets import store
from apps.delivery.files.locks import alone, alone_if_free
from apps.delivery.node import Node
from apps.releases.channels.node_status import (
    FOLDER,
    HEARTBEAT,
    BrokenStatus,
    NodeStatus,
    Serving,
    WorkerStatus,
    dump,
    parse,
)

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
PAUSE_SECONDS = 5.0  # after storage has refused

type Clock = Callable[[], datetime]


def node_id(host: str, folder: Path) -> str:
    """Return the name of the node with this host name and data directory: the same after each start."""
    mark = hashlib.sha256(f"{host}\n{folder}".encode()).hexdigest()[:12]
    label = "".join(letter if letter.isalnum() else "-" for letter in host.lower())[:40].strip("-")
    return f"{label or 'node'}-{mark}"


def status_name(node: str) -> str:
    """Return the name in storage of what a node says."""
    return f"{FOLDER}/{node}.json"


def _now() -> datetime:
    return datetime.now(UTC)


class Reporter:
    """Tells of one worker, for as long as its process runs."""

    def __init__(self, node: Node, *, pid: int | None = None, clock: Clock = _now) -> None:
        data = Path(settings.DATA_DIR)
        self._node, self._clock = node, clock
        self._pid = pid or os.getpid()
        self._host = socket.gethostname()
        self._id = node_id(self._host, data)
        self._folder = data / "workers" / self._id
        self._own = self._folder / f"{self._pid}.json"
        self._told = self._folder / "told"
        self._said: NodeStatus | None = None  # of this worker
        self._is_told = True  # whether storage has what this worker said last
        self._is_failing = False
        self._rests_until = 0.0

    @property
    def name(self) -> str:
        """The name in storage of what this worker's node says."""
        return status_name(self._id)

    def start(self) -> None:
        """Tell from now on, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="assetsite-following", daemon=True).start()

    def turn(self) -> None:
        """Say what has changed, if anything has, or that nothing has if that is due."""
        status = self._status()
        said = self._said
        if said is None or status.says_more_than(said) or status.at - said.at >= HEARTBEAT:
            self._say(status)
        if not self._is_told:
            with alone_if_free(self._folder / "telling") as is_mine:  # else the next turn
                if is_mine:
                    self._tell()
                    self._is_told = True

    def leave(self) -> None:
        """Say that this worker ends; the last of a node takes its words out of storage."""
        try:
            self._own.unlink(missing_ok=True)
            with alone(self._folder / "telling"):  # whoever ends later counts fewer
                self._tell()
        except Exception:  # a storage raises its client library's own, and the process ends anyway
            logger.info("%s stays in storage until its heartbeats are missed.", self.name, exc_info=True)

    def _run(self) -> None:
        while True:
            if time.monotonic() >= self._rests_until:
                self._try_turn()
            time.sleep(LOOK_SECONDS)

    def _try_turn(self) -> None:
        try:
            self.turn()
        except Exception as error:  # noqa: BLE001 - whatever a storage raises: visitors are served all the same
            self._rests_until = time.monotonic() + PAUSE_SECONDS
            if not self._is_failing:
                logger.warning("Which publications this node follows cannot be written down: %r", error)
            self._is_failing = True
        else:
            self._is_failing = False

    def _status(self) -> NodeStatus:
        """Return what this worker serves; what it served when it was last asked has its moment from then."""
        now, said = self._clock(), self._said
        before = said.workers[0].channels if said else {}
        channels = {
            channel: self._serving(channel, before.get(channel), now)
            for channel in sorted(set(self._node.hosts.values()))
        }
        return NodeStatus(self._id, self._host, now, (WorkerStatus(self._pid, channels),))

    def _serving(self, channel: str, before: Serving | None, now: datetime) -> Serving | None:
        live = self._node.live.get(channel)
        if live is None:
            return None
        serving = Serving(live.sequence, live.digest, now)
        return before if before and replace(serving, since=before.since) == before else serving

    def _say(self, status: NodeStatus) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._own.with_suffix(".new")
        unfinished.write_bytes(dump(status))
        unfinished.replace(self._own)
        self._said, self._is_told = status, False

    def _tell(self) -> None:
        """Write the words of all workers to storage, unless that has them and was told lately."""
        now = self._clock()
        status = NodeStatus(self._id, self._host, now, tuple(self._workers(now)))
        if not status.workers:
            store.storage().delete(self.name)
            self._told.unlink(missing_ok=True)
            return
        told = _read(self._told)
        if told is None or status.says_more_than(told) or now - told.at >= HEARTBEAT:
            store.replace(self.name, dump(status))
            self._told.write_bytes(dump(status))

    def _workers(self, now: datetime) -> list[WorkerStatus]:
        """Return the workers of this node that run, by process; forget the others."""
        found: list[WorkerStatus] = []
        for file in sorted(self._folder.glob("*.json")):
            said = _read(file)
            if said is None or said.is_silent(now) or not _runs(said.workers[0].pid):
                file.unlink(missing_ok=True)
            else:
                found += said.workers
        return found


_reporter: Reporter | None = None


def report(node: Node) -> None:
    """Tell of this process's node from now on."""
    global _reporter  # noqa: PLW0603 - there is one for a process, which ends with it
    _reporter = Reporter(node)
    _reporter.start()


def leave() -> None:
    """Say that this process ends, if it was told of."""
    if _reporter is not None:
        _reporter.leave()


def _read(file: Path) -> NodeStatus | None:
    """Return what was written there, None for nothing, or for words that a crash has cut off."""
    with suppress(OSError, BrokenStatus):
        return parse(file.read_bytes())
    return None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # no signal: only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs as somebody else
    return True
