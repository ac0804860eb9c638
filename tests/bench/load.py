"""Load on a server: keep-alive connections that each ask, take the whole answer, and ask again.

`wrk` does that faster where it is installed. A client in Python is slower than the servers, which then
idle: the server's processor time per request says what it costs all the same.
"""

import heapq
import json
import random
import re
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.scenarios import Request, Scenario, Wrong
from tests.bench.servers import CLIENT_CORE, find, pinned

LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
RIGHT = {b"200", b"206", b"304"}
REPLAY = Path(__file__).with_name("replay.lua")
MOST_SILENCE = 10.0  # seconds without any answer


@dataclass(frozen=True, slots=True)
class Load:
    """What a client saw: whole answers, seconds, bytes, answers with a wrong status, and latencies."""

    requests: int
    seconds: float
    bytes: int
    failures: int
    p50_ms: float
    p99_ms: float
    longest_ms: float


type Every = tuple[float, Callable[[], None]]  # seconds, and what is done each time they have passed


def drive(
    port: int, asked: Sequence[Request], scenario: Scenario, *, seconds: float, at: float, file: Path
) -> Load:
    """Put load on a server with the best client there is. `at` (0 to 1) says where in the list to begin."""
    with pinned(CLIENT_CORE):
        if find("wrk"):
            return _wrk(port, asked, scenario, seconds=seconds, at=at, file=file)
        return drive_here(port, asked, scenario, seconds=seconds, at=at)


def drive_here(
    port: int,
    asked: Sequence[Request],
    scenario: Scenario,
    *,
    seconds: float,
    at: float = 0,
    every: Every | None = None,
) -> Load:
    """Put load on a server from this program. Raises `Wrong` where it closes a connection or falls silent."""
    return _Client(port, [request.wire for request in asked], scenario, at).run(seconds, every)


def _wrk(
    port: int, asked: Sequence[Request], scenario: Scenario, *, seconds: float, at: float, file: Path
) -> Load:
    lines = ("\t".join((request.path, *map(": ".join, request.headers))) for request in asked)
    file.write_text("\n".join(lines) + "\n")
    command = [
        find("wrk"),
        "-t1",
        f"-c{scenario.connections}",
        f"-d{max(round(seconds), 1)}s",
        "--timeout",
        "10s",
    ]
    command += [
        "-s",
        str(REPLAY),
        f"http://127.0.0.1:{port}",
        "--",
        str(file),
        str(at),
        str(scenario.pause_ms),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    result = next((line[7:] for line in done.stdout.splitlines() if line.startswith("RESULT ")), "")
    if not result:
        raise Wrong(f"wrk: {(done.stdout + done.stderr).strip()[-200:]}")
    return Load(**json.loads(result))


class _Connection:
    __slots__ = ("begun", "left", "received", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.begun = 0.0
        self.left = -1  # bytes of the body that are still to come, -1 while the head is
        self.received = b""


class _Client:
    """Some connections, and one list that they all take their requests from."""

    def __init__(self, port: int, wires: list[bytes], scenario: Scenario, at: float) -> None:
        self._wires = wires
        self._next = int(len(wires) * at)
        self._pause = scenario.pause_ms / 1000
        self._rng = random.Random(7)
        self._selector = selectors.DefaultSelector()
        self._connections = [_Connection(port) for _ in range(scenario.connections)]
        self._due: list[tuple[float, int]] = []  # when a connection that pauses asks again
        self._buffer = memoryview(bytearray(1 << 20))
        self._latencies: list[float] = []
        self._bytes = self._failures = 0

    def run(self, seconds: float, every: Every | None) -> Load:
        for number, connection in enumerate(self._connections):
            self._selector.register(connection.socket, selectors.EVENT_READ, number)
            self._ask(number)
        begun = last = time.perf_counter()
        again = begun + every[0] if every else float("inf")
        try:
            while (now := time.perf_counter()) < begun + seconds:
                if every and now >= again:
                    again = now + every[0]
                    every[1]()
                while self._due and self._due[0][0] <= now:
                    self._ask(heapq.heappop(self._due)[1])
                wait = min(self._due[0][0] - now if self._due else 0.1, 0.1)
                for key, _ in self._selector.select(max(wait, 0)):
                    self._receive(key.data)
                    last = now
                if now - last > MOST_SILENCE:
                    raise Wrong(f"no answer for {MOST_SILENCE:.0f} s")
            return self._load(time.perf_counter() - begun)
        finally:
            self._selector.close()
            for connection in self._connections:
                connection.socket.close()

    def _load(self, seconds: float) -> Load:
        if not self._latencies:
            raise Wrong("no whole answer while timed")
        waited = sorted(self._latencies)
        p50, p99 = waited[len(waited) // 2], waited[len(waited) * 99 // 100]
        return Load(len(waited), seconds, self._bytes, self._failures, p50 * 1e3, p99 * 1e3, waited[-1] * 1e3)

    def _ask(self, number: int) -> None:
        connection = self._connections[number]
        self._next = (self._next + 1) % len(self._wires)
        connection.begun = time.perf_counter()
        connection.socket.send(self._wires[self._next])

    def _receive(self, number: int) -> None:
        connection = self._connections[number]
        size = connection.socket.recv_into(self._buffer)
        if not size:
            raise Wrong("a connection was closed while timed")
        self._bytes += size
        if connection.left < 0:
            connection.received += self._buffer[:size]
            head, found, rest = connection.received.partition(b"\r\n\r\n")
            if not found:
                return
            connection.received = b""
            connection.left = self._length(head) - len(rest)
        else:
            connection.left -= size
        if connection.left <= 0:
            self._done(number, connection)

    def _length(self, head: bytes) -> int:
        """Return how many bytes follow a head."""
        self._failures += head[9:12] not in RIGHT
        found = LENGTH.search(head)
        return int(found[1]) if found and head[9:12] != b"304" else 0

    def _done(self, number: int, connection: _Connection) -> None:
        now = time.perf_counter()
        self._latencies.append(now - connection.begun)
        connection.left = -1
        if self._pause:
            heapq.heappush(self._due, (now + self._rng.uniform(0, self._pause), number))
        else:
            self._ask(number)
