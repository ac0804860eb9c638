"""What the connections of one worker share: the releases, the bodies at hand, the clock, the limits."""

import asyncio
import time
from email.utils import formatdate
from typing import Any, Protocol

from django.conf import settings

from apps.delivery.access_log import AccessLog
from apps.delivery.body_cache import BodyCache
from apps.delivery.bringing import Bringing
from apps.delivery.files import current_files
from apps.delivery.node import Node, current_node
from apps.delivery.release import LiveRelease

TICK_SECONDS = 0.5
HEAD_SECONDS = 15.0  # for a request to arrive whole, once it has begun


class Connection(Protocol):
    """A connection, as far as its time is watched."""

    @property
    def since(self) -> float: ...
    @property
    def patience_seconds(self) -> float: ...
    @property
    def is_idle(self) -> bool: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Front:
    """One worker's front. `worker` is gunicorn's: it says when to stop, and how many requests it takes."""

    def __init__(self, worker: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.worker = worker
        self.loop = loop
        self.node: Node = current_node()
        files = current_files()
        self.bodies = BodyCache(settings.BODY_CACHE_BYTES, files)
        files.in_use.append(self.bodies.used)
        self.bringing = Bringing(loop, files)
        self.log = AccessLog(settings.ACCESS_LOG) if settings.ACCESS_LOG else None
        self.head_seconds = HEAD_SECONDS
        self.idle_seconds = float(worker.cfg.keepalive)
        self.stall_seconds = float(worker.cfg.timeout or 60)
        self._watched: set[Connection] = set()
        self.requests = 0
        self.most_requests = worker.max_requests
        self.is_ending = False  # each further answer has to look whether it is the last on its connection
        self.clock = 0.0
        self.date = b""
        self.tick()

    def release_at(self, host: bytes | None) -> LiveRelease | None:
        """Return what is live under the Host header's value, if that host was asked for before."""
        channel = self.node.routes.known.get(host) if host else None
        return self.node.live.get(channel) if channel else None

    def note_host(self, host: bytes) -> None:
        """Know a host from now on, which has been found to be one, until hosts change."""
        self.node.routes.note(host)

    def count(self) -> bool:
        """Count a request; return whether the worker ends with it (gunicorn's max_requests)."""
        self.requests += 1
        if self.requests >= self.most_requests - 1:
            self.is_ending = True
        if self.requests >= self.most_requests:
            self.worker.nr = self.requests
            self.worker.alive = False
        return not self.worker.alive

    def watch(self, connection: Connection) -> None:
        """Watch the time of a connection from now on."""
        self._watched.add(connection)

    def forget(self, connection: Connection) -> None:
        """Watch a connection no more, which has ended or is somebody else's."""
        self._watched.discard(connection)

    def tick(self) -> None:
        """Do, twice a second, what no request should have to: the clock, the Date header, the limits."""
        self.clock = time.monotonic()
        self.date = f"Date: {formatdate(usegmt=True)}\r\n\r\n".encode()
        self.is_ending = self.is_ending or not self.worker.alive
        for connection in list(self._watched):
            if self.clock - connection.since > connection.patience_seconds:
                connection.abort()
            elif not self.worker.alive and connection.is_idle:
                connection.close()

    async def keep_time(self) -> None:
        """Tick until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.tick()

    def close(self) -> None:
        """Write what is left of the access log; wait for no blob any more."""
        self.bringing.close()
        if self.log is not None:
            self.log.close()
