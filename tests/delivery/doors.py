"""Ways to ask for what is published, each behind the same function: in this process, and over a socket."""

import itertools
import json
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Protocol

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


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it came over a socket, header fields in their order."""

    status: int
    fields: Fields
    body: bytes

    def all_of(self, name: str) -> list[str]:
        """Return the values of every field with this name, given in lower case."""
        return [value for field, value in self.fields if field.lower() == name]


def read_answer(stream: IO[bytes], method: str) -> Answered:
    """Read one answer strictly: every line has its end, and a body the length that its head says."""
    first, *lines = [line.decode("latin-1").removesuffix("\r\n") for line in iter(_line(stream), b"\r\n")]
    version, status, _ = first.split(" ", 2)
    assert version in ("HTTP/1.0", "HTTP/1.1")
    fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    answer = Answered(int(status), fields, b"")
    if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
        return answer
    (length,) = answer.all_of("content-length")
    body = stream.read(int(length))
    assert len(body) == int(length)
    return Answered(answer.status, fields, body)


def _line(stream: IO[bytes]) -> Callable[[], bytes]:
    def line() -> bytes:
        read = stream.readline()
        assert read.endswith(b"\r\n"), f"the answer ends in {read!r}"
        return read

    return line


def read_answers(received: bytes, sent: bytes) -> list[Answered]:
    """Read everything that came for `sent` until the connection was closed."""
    methods = iter(re.findall(r"(?m)^([A-Z]+) [^ \r\n]+ HTTP/[0-9]", sent.decode("latin-1")))
    stream, answers = BytesIO(received), []
    method = next(methods, "GET")
    while stream.tell() < len(received):
        answers.append(read_answer(stream, method))
        if answers[-1].status >= 200:
            method = next(methods, "GET")
    return answers


class Visitor:
    """A client that keeps its connection, and reads strictly: each answer ends where its head says."""

    def __init__(self, server: Gunicorn) -> None:
        self._server = server
        self._connection: socket.socket | None = None

    def send(self, method: str, target: str, fields: Fields) -> Answered:
        """Return what is answered."""
        try:
            return self._send(method, target, fields)
        except BaseException:  # the next request must not read what is left of this answer
            self.close()
            raise

    def _send(self, method: str, target: str, fields: Fields) -> Answered:
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
        answer = read_answer(self._stream, method)
        if answer.all_of("connection") == ["close"]:
            assert self._stream.read() == b""
            self.close()
        return answer

    def ask(self, target: str, *, method: str = "GET", **headers: str) -> Reply:
        """Ask twice, since the second answer comes from what the first has brought into memory."""
        fields = list(({"host": "localhost"} | dict(_named(headers))).items())
        if not target.isascii():
            self.close()  # a connection that Django has answered on is gunicorn's, which refuses it otherwise
        first, second = (self._reply(method, target, fields) for _ in range(2))
        assert first == second, f"{first}, and then {second}"
        return first

    def close(self) -> None:
        if self._connection is not None:
            self._stream.close()
            self._connection.close()
            self._connection = None

    def _reply(self, method: str, target: str, fields: Fields) -> Reply:
        answer = self.send(method, target, fields)
        own = [(name.lower(), value) for name, value in answer.fields if name.lower() not in OF_THE_SERVER]
        assert len(dict(own)) == len(own), f"a field was sent twice: {own}"
        return Reply(answer.status, dict(own), answer.body)


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
