"""Clients that are slow on purpose, and how long others wait for an answer meanwhile."""

import http.client
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from itertools import cycle

from tests.bench.scenarios import Request, Wrong, ask
from tests.bench.servers import CLIENT_CORE, pinned

CLIENTS = 200
PAUSE_SECONDS = 0.02  # between two probes
SOON_MS = 100
NEVER_MS = 5_000  # as long as a probe waits
MOVED_AT_ONCE = 10  # slow clients that do something between two probes


@dataclass(frozen=True, slots=True)
class Probes:
    """What those saw who asked beside the slow clients; one that gets no right answer waits `NEVER_MS`."""

    waited_ms: list[float]

    @property
    def share_soon(self) -> float:
        return sum(waited <= SOON_MS for waited in self.waited_ms) / len(self.waited_ms)


class SlowClient:
    """Sends a head byte by byte and never ends it, or asks for a file and reads hardly any of it."""

    def __init__(self, port: int, wire: bytes, *, reads: bool) -> None:
        self._port = port
        self._wire = wire if reads else wire.removesuffix(b"\r\n") + b"X-Slow: "
        self._reads = reads
        self._connect()

    def _connect(self) -> None:
        self._sent = len(self._wire) if self._reads else 1
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        self._socket.sendall(self._wire[: self._sent])
        self._socket.setblocking(False)

    def go_on(self) -> None:
        """Send or read a little; come again where the server has had enough."""
        try:
            if self._reads:
                has_gone = not self._socket.recv(1_000)
            else:
                self._socket.send(self._wire[self._sent : self._sent + 1] or b"x")
                self._sent += 1
                has_gone = False
        except BlockingIOError:
            return
        except OSError:
            has_gone = True
        if has_gone:
            self.close()
            self._connect()

    def close(self) -> None:
        self._socket.close()


def probe(port: int, asked: Request, large: Request, *, seconds: float) -> Probes:
    """Ask for a small file, each time over a connection of its own, among slow clients of both kinds."""
    with pinned(CLIENT_CORE), ExitStack() as stack:
        clients = [
            stack.enter_context(closing(SlowClient(port, large.wire, reads=bool(number % 2))))
            for number in range(CLIENTS)
        ]
        moves: cycle[Callable[[], None]] = cycle(client.go_on for client in clients)
        waited = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            waited.append(_wait_for(port, asked))
            for _ in range(MOVED_AT_ONCE):
                with suppress(OSError):  # a server that takes no more connections
                    next(moves)()
            time.sleep(PAUSE_SECONDS)
        return Probes(waited)


def _wait_for(port: int, asked: Request) -> float:
    """Return how many milliseconds a right answer takes."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=NEVER_MS / 1e3)
    try:
        ask(connection, asked)
    except Wrong:
        return NEVER_MS
    finally:
        connection.close()
    return (time.perf_counter() - begun) * 1e3
