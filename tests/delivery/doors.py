"""Ways to ask for what is published, each behind the same function: in this process, and over a socket."""

import itertools
import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from django.test import Client

from apps.delivery.bodies import open_body
from apps.delivery.node import Node, current_node
from apps.delivery.respond import Request, respond
from tests.serving import FIRST_RELEASED, HOUR, Gunicorn, Published

CLIENT = Client()  # its first request lists the static files, which takes a while
NOW = FIRST_RELEASED + 10 * HOUR
OF_THE_SERVER = frozenset({"connection", "date", "keep-alive", "server"})
_numbers = itertools.count(1)

type Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, header names in lower case; without the fields that are the server's."""

    status: int
    headers: dict[str, str]
    body: bytes


class Ask(Protocol):
    """Ask for a target as it is sent; header names in lower case, `_` for `-`."""

    def __call__(self, target: str, *, method: str = "GET", **headers: str) -> Reply: ...


@dataclass
class Live(Published):
    """A site whose every publication is waited for: what is asked next is answered from it."""

    follow: Callable[[str], None] = lambda tag: None

    def write(self, pointer: Mapping[str, Any] | bytes) -> None:
        assert not isinstance(pointer, bytes)
        tag = f"{self.channel}-{next(_numbers)}"
        super().write({**pointer, "tag": tag})
        self.follow(tag)


def ask_respond(target: str, *, method: str = "GET", **headers: str) -> Reply:
    """Ask the pure function, and open what it names."""
    node = Node({"*": "production"})
    node.refresh()
    response = respond(Request(method, target, dict(_named(headers))), node.live["production"], now=NOW)
    body = open_body(response)
    content = b"" if body is None else b"".join(iter(body.read, b""))
    if body is not None:
        body.close()
    return Reply(response.status, {name.lower(): value for name, value in response.headers}, content)


def ask_middleware(target: str, *, method: str = "GET", **headers: str) -> Reply:
    """Ask the public door, as Django's test client does."""
    named = {"host": "localhost"} | dict(_named(headers))
    response = CLIENT.generic(method, "/", headers=named, RAW_URI=target)
    received = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, received, response.getvalue())


class Visitor:
    """A client that keeps its connection, and reads strictly: each answer ends where its head says."""

    def __init__(self, server: Gunicorn) -> None:
        self._server = server
        self._connection: socket.socket | None = None

    def send(self, method: str, target: str, fields: Fields) -> tuple[int, Fields, bytes]:
        """Return status, header fields as they came, and the body."""
        try:
            return self._send(method, target, fields)
        except BaseException:  # the next request must not read what is left of this answer
            self.close()
            raise

    def _send(self, method: str, target: str, fields: Fields) -> tuple[int, Fields, bytes]:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
        for _ in range(2):
            if self._connection is None:
                self._connection = self._server.connect()
                self._stream = self._connection.makefile("rb")
            with suppress(ConnectionError):
                self._connection.sendall("\r\n".join(lines).encode("latin-1"))
                if self._stream.peek(1):
                    break
            self.close()  # it was idle for longer than the server keeps one open
        status, received = self._head()
        says = {name.lower(): value for name, value in received}
        has_body = method != "HEAD" and status not in (204, 304)
        body = self._stream.read(int(says["content-length"])) if has_body else b""
        if says.get("connection", "").lower() == "close":
            assert self._stream.read() == b""
            self.close()
        return status, received, body

    def ask(self, target: str, *, method: str = "GET", **headers: str) -> Reply:
        """Ask twice, since the second answer comes from what the first has brought into memory."""
        fields = list(({"host": "localhost"} | dict(_named(headers))).items())
        first, second = (self._reply(method, target, fields) for _ in range(2))
        assert first == second, f"{first}, and then {second}"
        return first

    def close(self) -> None:
        if self._connection is not None:
            self._stream.close()
            self._connection.close()
            self._connection = None

    def _reply(self, method: str, target: str, fields: Fields) -> Reply:
        status, received, body = self.send(method, target, fields)
        own = [(name.lower(), value) for name, value in received if name.lower() not in OF_THE_SERVER]
        assert len(dict(own)) == len(own), f"a field was sent twice: {own}"
        return Reply(status, dict(own), body)

    def _head(self) -> tuple[int, Fields]:
        first, *lines = [line.decode("latin-1").removesuffix("\r\n") for line in iter(self._line, b"\r\n")]
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        pairs = (line.partition(": ") for line in lines)
        return int(status), [(name, value) for name, _, value in pairs]

    def _line(self) -> bytes:
        line = self._stream.readline()
        assert line.endswith(b"\r\n"), f"the answer ends in {line!r}"
        return line


@dataclass
class Door:
    """A way to ask, and how to prepare what is asked for."""

    ask: Ask
    follow: Callable[[str], None] = lambda tag: None

    def site(self, storage: Path) -> Live:
        """Return a site on which nothing is published yet; `storage` is the one of this process."""
        return Live(storage, follow=self.follow)

    def restore(self) -> None:
        """Serve what was served before, after a test has published something of its own."""


def respond_door() -> Door:
    return Door(ask_respond)


def middleware_door() -> Door:
    return Door(ask_middleware, _wait_for_the_node)


def _wait_for_the_node(tag: str) -> None:
    """Wait for the node's own thread: a second one that looks at the pointer could be overtaken by it."""
    node = current_node()
    node.follow()
    while (live := node.live.get("production")) is None or live.tag != tag:
        time.sleep(0.005)


@dataclass
class ServerDoor(Door):
    """A real gunicorn, which serves `home` but while a test has a site of its own."""

    ask: Ask = field(init=False)
    follow: Callable[[str], None] = field(init=False)
    server: Gunicorn = field(kw_only=True)
    home: Published = field(kw_only=True)

    def __post_init__(self) -> None:
        self._home_words = json.loads(self.home.pointer.read_bytes())
        self.visitor = Visitor(self.server)
        self.ask = self.visitor.ask
        self.follow = self._wait_for

    def site(self, storage: Path) -> Live:
        return Live(self.home.folder, follow=self.follow, manifests=f"manifests/{next(_numbers)}")

    def restore(self) -> None:
        Live(self.home.folder, follow=self.follow).write(self._home_words)

    def _wait_for(self, tag: str) -> None:
        deadline = time.monotonic() + 30
        while self.server.ready()["channels"].get("production", {}).get("tag") != tag:
            assert time.monotonic() < deadline, f"{tag} is not served: {self.server.ready()}"


def _named(headers: Mapping[str, str]) -> Fields:
    return [(name.replace("_", "-"), value) for name, value in headers.items()]
