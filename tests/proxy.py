"""A TCP proxy in front of a server that is read over HTTP, which can fail in the ways that networks do."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Self

type Fault = Callable[["Exchange"], None]


@dataclass
class Exchange:
    """One answer on its way to the client: its head and its body are both here already."""

    client: socket.socket
    head: bytes
    body: bytes

    def pass_on(self) -> None:
        self.client.sendall(self.head + self.body)

    def begin(self) -> None:
        """Send the head and half of the body."""
        self.client.sendall(self.head + self.body[: len(self.body) // 2])

    def reset(self) -> None:
        """End the connection with RST."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()


def cut(exchange: Exchange) -> None:
    """End in the midst of the body, as if that were all."""
    exchange.begin()
    exchange.client.close()


def gone(exchange: Exchange) -> None:
    """Close the connection without a word, as a server that has just died."""
    exchange.client.shutdown(socket.SHUT_RDWR)


def reset(exchange: Exchange) -> None:
    """Break the connection in the midst of the body."""
    exchange.begin()
    exchange.reset()


@dataclass
class Held:
    """A fault which holds answers back until they are released; then they come whole."""

    has_come: threading.Event = field(default_factory=threading.Event)
    may_go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, exchange: Exchange) -> None:
        self.has_come.set()
        assert self.may_go.wait(120)
        exchange.pass_on()


def stalled(exchange: Exchange) -> None:
    """Send half of the body, and never the rest."""
    exchange.begin()
    with suppress(OSError):
        while exchange.client.recv(1000):  # until the client has had enough
            pass


def silent(exchange: Exchange) -> None:
    """Never answer."""
    with suppress(OSError):
        while exchange.client.recv(1000):
            pass


class Proxy:
    """Passes on what is read from `port` of this machine; used as a context manager.

    `faults` has a part of a request's target → what becomes of its answer; `asked` the targets that came,
    in heads without `uncounted`.
    """

    def __init__(self, port: int, *, uncounted: str = "") -> None:
        self._uncounted = uncounted.encode()
        self._target = ("127.0.0.1", port)
        self.faults: dict[str, Fault] = {}
        self.asked: list[str] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def count(self, part: str) -> int:
        """Return how many requests came whose target has this in it."""
        return len([target for target in self.asked if part in target])

    def _accept(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, client.makefile("rb") as asking:
            while (request := _head(asking)).count(b" ") >= 2:  # a client may leave in the middle of one
                target = request.split(b" ", 2)[1].decode()
                if not self._uncounted or self._uncounted not in request:
                    self.asked.append(target)
                exchange = Exchange(client, *self._answer(_with_body(request, asking, client)))
                fault = next((fault for part, fault in self.faults.items() if part in target), None)
                (fault or Exchange.pass_on)(exchange)

    def _answer(self, request: bytes) -> tuple[bytes, bytes]:
        with socket.create_connection(self._target) as server, server.makefile("rb") as answering:
            server.sendall(request)
            head = _head(answering)
            length = _length(head)
            has_body = b" 304 " not in head.split(b"\r\n")[0] and not request.startswith(b"HEAD ")
            return head, answering.read(length) if has_body else b""


def _with_body(head: bytes, asking: BinaryIO, client: socket.socket) -> bytes:
    """Return a request with its body, which some clients send only when they are told to."""
    wanted = b"\r\nExpect: 100-continue\r\n"
    if wanted in head:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    return head.replace(wanted, b"\r\n") + asking.read(_length(head))


def _length(head: bytes) -> int:
    fields = head.lower().split(b"\r\ncontent-length: ")
    return int(fields[1].split(b"\r\n")[0]) if len(fields) > 1 else 0


def _head(stream: BinaryIO) -> bytes:
    """Return a message up to its body; b"" at the end."""
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            break
    return b"".join(lines)
