"""How long a connection may be in the way, and how a worker ends."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.delivery.connection import LINGER_SECONDS, PublicConnection
from apps.delivery.front import HEAD_SECONDS, Front
from apps.delivery.worker import DjangoConnection
from tests.delivery.conftest import TEN
from tests.serving import Published

ASK = b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class Transport:
    """What a connection does to its transport, noted."""

    written: list[bytes] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    unsent_bytes: int = 0

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, parts: Any) -> None:
        self.written.append(b"".join(parts))

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def get_extra_info(self, name: str) -> object:
        return None

    def set_write_buffer_limits(self, high: int) -> None:
        """Take any."""

    def __getattr__(self, name: str) -> Any:
        return lambda: self.done.append(name)


@pytest.fixture
def front(published: Published) -> Front:
    cfg = SimpleNamespace(keepalive=75, timeout=60)
    worker = SimpleNamespace(cfg=cfg, nr=0, nr_conns=0, alive=True, max_requests=sys.maxsize)
    return Front(worker, asyncio.new_event_loop())


def connect(front: Front) -> tuple[PublicConnection, Transport]:
    connection, transport = PublicConnection(front), Transport()
    connection.connection_made(transport)  # type: ignore[arg-type]
    return connection, transport


def pass_time(front: Front, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    later = front.clock + seconds
    monkeypatch.setattr("time.monotonic", lambda: later)
    front.tick()
    monkeypatch.undo()


def test_a_request_has_its_time_from_its_first_byte_on(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, transport = connect(front)
    for byte in ASK[:5]:
        connection.data_received(bytes([byte]))
        pass_time(front, monkeypatch, HEAD_SECONDS / 6)
    assert transport.done == []
    pass_time(front, monkeypatch, HEAD_SECONDS / 3)
    assert transport.done == ["abort"]


def test_an_idle_connection_stays_as_long_as_keepalive_says(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, transport = connect(front)
    connection.data_received(ASK)
    assert transport.written[0].endswith(TEN)
    pass_time(front, monkeypatch, 74)
    assert transport.done == []
    pass_time(front, monkeypatch, 2)
    assert transport.done == ["abort"]


def test_an_answer_that_nobody_takes_has_gunicorns_timeout(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, transport = connect(front)
    connection.data_received(ASK)
    transport.unsent_bytes = 10
    pass_time(front, monkeypatch, 59)
    assert transport.done == []
    pass_time(front, monkeypatch, 2)
    assert transport.done == ["abort"]


def test_who_was_refused_has_a_moment_to_read_why(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, transport = connect(front)
    connection.data_received(b"GET /a HTTP/9.9\r\n\r\n" + ASK)
    assert transport.written[0].startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert len(transport.written) == 1
    connection.data_received(b"more of it")
    assert "abort" not in transport.done
    pass_time(front, monkeypatch, LINGER_SECONDS + 1)
    assert "abort" in transport.done


def test_a_worker_that_ends_closes_who_only_waits(front: Front) -> None:
    (idle, waits), (_, is_new), (begun, has_begun) = connect(front), connect(front), connect(front)
    idle.data_received(ASK)
    begun.data_received(ASK[:-2])
    front.worker.alive = False
    front.tick()
    assert (waits.done, is_new.done, has_begun.done) == (["close"], [], [])
    begun.data_received(ASK[-2:])
    assert b"\r\nConnection: close\r\n" in has_begun.written[0]


def test_it_ends_with_as_many_requests_as_it_may_have(front: Front) -> None:
    front.most_requests = 2
    connection, transport = connect(front)
    connection.data_received(ASK)
    assert front.worker.alive
    connection.data_received(ASK + ASK)
    assert not front.worker.alive
    assert front.worker.nr == 2
    assert [b"Connection: close" in answer for answer in transport.written] == [False, True]


def test_the_same_answer_whether_the_path_is_known_or_not(front: Front) -> None:
    connection, transport = connect(front)
    for _ in range(3):
        connection.data_received(ASK)
    assert len(set(transport.written)) == 1


def test_hosts_are_known_up_to_a_bound(front: Front) -> None:
    front.node.hosts["*"] = "production"
    front.node.refresh()
    assert front.release_at(b"a.example") is None
    front.note_host(b"a.example")
    assert front.release_at(b"a.example") is front.node.live["production"]
    for number in range(5_000):
        front.note_host(b"%d.example" % number)
    assert front.release_at(b"a.example") is None
    assert front.release_at(b"4999.example") is not None


def test_a_manifest_that_cannot_be_read_any_more_is_503(front: Front) -> None:
    connection, transport = connect(front)
    connection.data_received(ASK)
    front.node.live["production"].reader.close()
    connection.data_received(ASK.replace(b"ten.txt", b"empty.txt"))
    connection.data_received(ASK)
    assert [answer[9:12] for answer in transport.written] == [b"200", b"503", b"200"]


def test_a_host_that_is_none_stays_refused(front: Front) -> None:
    front.node.hosts["*"] = "production"
    connection, transport = connect(front)
    for _ in range(2):
        connection.data_received(b"GET /ten.txt HTTP/1.1\r\nHost: a b\r\n\r\n")
    assert [answer[9:12] for answer in transport.written] == [b"400", b"400"]


def test_a_browsers_keep_alive_makes_no_difference_and_close_does(front: Front) -> None:
    connection, transport = connect(front)
    for said in (b"", b"Connection: keep-alive\r\n", b"Connection: close\r\n"):
        connection.data_received(ASK[:-2] + said + b"\r\n")
    plain, kept, closed = transport.written
    assert plain == kept
    assert closed == plain.replace(b"Date: ", b"Connection: close\r\nDate: ")
    assert transport.done == ["write_eof", "resume_reading"]


@pytest.fixture
def djangos(front: Front) -> Iterator[tuple[DjangoConnection, Transport]]:
    """A connection of gunicorn's, as one is that was handed over."""
    ASGIProtocol._check_h1c_protocol_available()
    front.worker.cfg = Config()
    front.worker.cfg.set("http_parser", "fast")
    for name, value in {"front": front, "loop": front.loop, "log": None, "asgi": None}.items():
        setattr(front.worker, name, value)
    front.worker.is_staff = lambda own: False
    connection, transport = DjangoConnection(front.worker), Transport()
    connection.connection_made(transport)
    front.loop.run_until_complete(asyncio.sleep(0))  # gunicorn's task begins to wait
    yield connection, transport
    connection.connection_lost(None)
    connection._task.cancel()
    front.loop.run_until_complete(asyncio.gather(connection._task, return_exceptions=True))


def test_a_head_for_django_has_its_time_from_its_first_byte_on(
    front: Front, djangos: tuple[DjangoConnection, Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, transport = djangos
    for byte in ASK[:5]:
        connection.data_received(bytes([byte]))
        pass_time(front, monkeypatch, HEAD_SECONDS / 6)
    assert "close" not in transport.done
    pass_time(front, monkeypatch, HEAD_SECONDS / 3)
    assert "close" in transport.done


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(1, 250)))
def test_requests_get_the_same_answers_in_whatever_pieces_they_come(front: Front, cuts: set[int]) -> None:
    folded = ASK[:-2] + b"A: b\r\n c\r\n\r\n"
    sent = ASK + b"\r\n" + ASK.replace(b"GET", b"HEAD") + ASK.replace(b"ten", b"no") + folded + ASK
    places = sorted({0, *cuts, len(sent)})
    connection, transport = connect(front)
    for begin, end in pairwise(places):
        connection.data_received(sent[begin:end])
    answers = b"".join(transport.written).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"200", b"404", b"400"]
