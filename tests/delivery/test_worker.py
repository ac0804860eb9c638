"""The worker of the public door, as a real gunicorn: time, memory, its end, and what it builds on."""

import hashlib
import inspect
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import gunicorn
import gunicorn_h1c
import pytest
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from tests.delivery.conftest import LARGE, SITE, TEN
from tests.delivery.doors import read_answers
from tests.serving import Gunicorn, Published, read_answer

HUGE = bytes(range(251)) * 200_000  # 50 MB
MIDDLE = b"0123456789abcdef" * 3_750  # 60 kB: one that is kept in memory
# What apps/delivery/worker.py takes from gunicorn, by the beginning of its source's SHA-256.
BUILT_ON = {
    "ASGIWorker._serve": "986a7a4ab51c",
    "ASGIWorker._shutdown": "9598f4e44fba",
    "ASGIProtocol.connection_made": "9113fc16d379",
    "ASGIProtocol._keepalive_timeout": "7d10f303b001",
    "ASGIProtocol._check_h1c_protocol_available": "9c8b662a9b1e",
    "ASGIProtocol._send_error_response": "d6e9f162ed3e",
    "ASGIProtocol._handle_connection": "9e8aa1729b5a",
    "ASGIProtocol.data_received": "cd5471b9a336",
    "ASGIProtocol._resume_reading": "c37bc75ddac7",
    "ASGIProtocol._feed_callback_parser": "0cfedc190f9e",
    "ASGIProtocol._is_websocket_upgrade": "92c3b82993b9",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """One worker, which serves `SITE`, a file of 50 MB and one of 60 kB."""
    server = Gunicorn(tmp_path_factory.mktemp("worker"), workers=1)
    Published(server.storage).publish(1, SITE | {"huge.bin": HUGE, "middle.bin": MIDDLE})
    with server:
        yield server


def get(target: str, *more: str) -> bytes:
    return "\r\n".join((f"GET {target} HTTP/1.1", "Host: localhost", *more, "", "")).encode()


def memory_kilobytes(pid: int) -> int:
    found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def read_until(connection: socket.socket, enough: int) -> bytes:
    """Return at least `enough` bytes."""
    received = b""
    while len(received) < enough:
        piece = connection.recv(1 << 20)
        assert piece, received[-200:]
        received += piece
    return received


def test_gunicorn_has_what_the_worker_builds_on() -> None:
    """Fail where an upgrade of gunicorn changes what apps/delivery/worker.py relies on."""
    classes = {"ASGIWorker": ASGIWorker, "ASGIProtocol": ASGIProtocol}
    found = {
        name: hashlib.sha256(
            inspect.getsource(attrgetter(name)(SimpleNamespace(**classes))).encode()
        ).hexdigest()[:12]
        for name in BUILT_ON
    }
    assert found == BUILT_ON, (
        f"gunicorn {gunicorn.__version__} differs from the one that apps/delivery/worker.py was written for:"
        " read what has changed, adapt the worker, then put the new digests into this test."
    )
    protocol = inspect.getsource(ASGIProtocol)
    for name in (
        *("_awaiting_request", "_finishing_calls", "worker.nr_conns", "self.app = worker.asgi"),
        *("parser.is_complete", "def _pause_reading", "def _is_buffer_full"),
    ):
        assert name in protocol, f"gunicorn {gunicorn.__version__} has no {name} any more"
    request = gunicorn_h1c.parse_request_fast(get("/a"), 0)
    fields = "method path minor_version asgi_headers consumed header_count content_length has_chunked"
    assert all(hasattr(request, name) for name in [*fields.split(), "connection_close"])


def test_200_slow_clients_keep_nobody_waiting(server: Gunicorn) -> None:
    with ExitStack() as stack:
        for number in range(200):
            slow = stack.enter_context(closing(server.connect()))
            if number % 2:
                slow.sendall(b"GET /ten.txt HTTP/1.1\r\nHost: loc")  # and never goes on
            else:
                slow.sendall(get("/huge.bin"))  # and never reads
        for _ in range(100):
            assert server.ask("/ten.txt").body == TEN


def test_who_stops_reading_a_large_file_takes_no_memory_and_gets_the_rest_later(server: Gunicorn) -> None:
    pid = server.ready()["pid"]
    assert server.ask("/huge.bin").body == HUGE
    before = memory_kilobytes(pid)
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(server.connect())) for _ in range(8)]
        for client in clients:
            client.sendall(get("/huge.bin", "Connection: close"))
            assert client.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        assert server.ask("/ten.txt").body == TEN
        assert memory_kilobytes(pid) < before + 4_000
        for client in clients[1:]:
            client.close()
        rest = read_until(clients[0], len(HUGE) - 1000)
        while piece := clients[0].recv(1 << 20):
            rest += piece
    assert rest.endswith(HUGE[-40_000_000:])


def test_requests_that_come_at_once_are_answered_in_their_order(server: Gunicorn) -> None:
    targets = ["/ten.txt", "/huge.bin", "/nothing", "/css/site.css", "/-/healthz"]
    more = ["", "Range: bytes=5-900004", "", "Range: bytes=0-4", "Connection: close"]
    asked = b"".join(get(target, *filter(None, [field])) for target, field in zip(targets, more, strict=True))
    expected = [(200, TEN), (206, HUGE[5:900_005]), (404, None), (206, SITE["css/site.css"][:5]), (200, None)]
    with server.connect() as connection:
        connection.sendall(asked)
        stream = connection.makefile("rb")
        for status, body in expected:
            head = b"".join(iter(stream.readline, b"\r\n"))
            length = int(re.findall(rb"(?i)\r\ncontent-length: (\d+)\r\n", b"\r\n" + head)[0])
            received = stream.read(length)
            assert head.startswith(f"HTTP/1.1 {status} ".encode())
            assert body is None or received == body
        assert stream.read() == b""


def test_what_comes_behind_a_page_of_djangos_is_answered_however_much_it_is(server: Gunicorn) -> None:
    count = 1_600  # more than gunicorn's parser keeps of what follows a request
    ends = get("/ten.txt", "Connection: close")
    received = server.exchange(get("/-/healthz") + get("/ten.txt", "Range: bytes=0-1") * count + ends)
    answers = read_answers(received, b"")
    assert [answer.status for answer in answers] == [200, *[206] * count, 200]
    assert {answer.body for answer in answers[1:-1]} == {TEN[:2]}
    assert answers[-1].body == TEN


@pytest.mark.parametrize("before", ["", "/-/healthz"])
def test_nobody_waits_for_a_body_that_no_page_here_takes(server: Gunicorn, before: str) -> None:
    begun = get("/ten.txt", "Content-Length: 50000000").replace(b"GET", b"POST") + b"and so on"
    received = server.exchange((get(before) if before else b"") + begun)
    assert [answer.status for answer in read_answers(received, b"")] == [*([200] if before else []), 405]


def test_who_asks_for_more_than_he_reads_is_answered_at_his_pace(server: Gunicorn) -> None:
    pid, count = server.ready()["pid"], 1_500
    with server.connect() as connection:
        connection.sendall(get("/middle.bin"))
        first = read_until(connection, len(MIDDLE))
        size = first.index(b"\r\n\r\n") + 4 + len(MIDDLE)
        read_until(connection, size - len(first))
        before = memory_kilobytes(pid)
        connection.sendall(get("/middle.bin") * count)  # 60 kB, which ask for 90 MB
        received = read_until(connection, 10 * size)
        assert server.ask("/ten.txt").body == TEN
        assert memory_kilobytes(pid) < before + 8_000
        received += read_until(connection, count * size - len(received))
    assert len(received) == count * size
    assert received.count(b"HTTP/1.1 200 OK\r\n") == count
    assert received.endswith(MIDDLE)


def test_who_sends_nothing_more_still_gets_every_answer(server: Gunicorn) -> None:
    with server.connect() as connection:
        connection.sendall(get("/huge.bin") + get("/ten.txt"))
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(1 << 20):
            received += piece
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert received.endswith(TEN)


@pytest.mark.parametrize("target", ["/-/healthz", "/-/readyz"])
def test_who_sends_nothing_more_gets_djangos_answer_too(server: Gunicorn, target: str) -> None:
    with server.connect() as connection:
        connection.sendall(get("/ten.txt") + get(target) + get("/docs/"))
        connection.shutdown(socket.SHUT_WR)
        received = connection.makefile("rb").read()
    assert [answer.status for answer in read_answers(received, b"")] == [200, 200, 200]


def test_a_request_that_comes_byte_by_byte_is_one_request(server: Gunicorn) -> None:
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in get("/ten.txt", "Connection: close"):
            connection.sendall(bytes([byte]))
        assert read_answer(connection.makefile("rb").read()).body == TEN


def test_100_000_bytes_of_header_are_refused_and_the_refusal_is_read(server: Gunicorn) -> None:
    # More fields than the parser counts are no request to it, one that is too long has a name.
    for status, head in ((431, b"X: " + b"a" * 100_000), (400, b"X: a\r\n" * 12_500)):
        answer = read_answer(server.exchange(b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\n" + head))
        assert answer.status == status
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["connection"] == "close"


def test_a_worker_that_has_had_its_requests_is_replaced_and_nobody_notices(tmp_path: Path) -> None:
    server = Gunicorn(tmp_path, workers=1, environment={"GUNICORN_CMD_ARGS": "--max-requests 50"})
    Published(server.storage).publish(1, SITE)
    with server:
        first = server.ready()["pid"]
        with ThreadPoolExecutor(4) as visitors:
            bodies = list(visitors.map(lambda _: server.ask("/ten.txt").body, range(120)))
        assert set(bodies) == {TEN}
        while server.ready()["pid"] == first:
            pass  # its successor takes over within a second


def test_a_graceful_reload_lets_a_download_finish(tmp_path: Path) -> None:
    server = Gunicorn(tmp_path, workers=1)
    Published(server.storage).publish(1, SITE | {"huge.bin": HUGE})
    with server:
        first = server.ready()["pid"]
        with server.connect() as download, server.connect() as idle:
            idle.sendall(get("/ten.txt"))
            assert idle.recv(100_000).endswith(TEN)
            download.sendall(get("/huge.bin", "Connection: close"))
            begin = download.recv(1000)
            server.reload()
            while server.ready()["pid"] == first:
                pass
            assert idle.recv(1000) == b""  # who only keeps a connection is told to come again
            body = (begin + b"".join(iter(lambda: download.recv(1 << 20), b""))).partition(b"\r\n\r\n")[2]
        assert body == HUGE


def test_the_access_log_has_a_line_for_each_request(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    server = Gunicorn(tmp_path, workers=1, environment={"ACCESS_LOG": str(log)})
    Published(server.storage).publish(1, SITE)
    with server:
        etag = server.ask("/ten.txt", headers={"user-agent": 'a "b"\\'}).headers["etag"]
        server.ask("/ten.txt", headers={"if-none-match": etag})
        server.ask("/large.bin?x=1", headers={"range": "bytes=0-9"})
        server.ask("/nothing", method="HEAD")
        server.ask("/large.bin")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["method"], line["target"], line["status"], line["bytes"]) for line in lines] == [
        ("GET", "/ten.txt", 200, 10),
        ("GET", "/ten.txt", 304, 0),
        ("GET", "/large.bin?x=1", 206, 10),
        ("HEAD", "/nothing", 404, 0),
        ("GET", "/large.bin", 200, len(LARGE)),
    ]
    assert lines[0]["client"] == "127.0.0.1"
    assert lines[0]["agent"] == 'a "b"\\'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_no_request_gets_one_answer_wherever_its_connection_is_by_then(
    server: Gunicorn, method: str
) -> None:
    refused = f"{method} ten.txt HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    alone = server.exchange(refused)
    with server.connect() as connection:  # Django's page takes it to gunicorn's own protocol
        connection.sendall(get("/-/healthz"))
        first = read_until(connection, 1)
        connection.sendall(refused)
        after = connection.makefile("rb").read()
    behind = server.exchange(get("/-/healthz") + refused)
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert alone.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nCache-Control: no-store\r\n" in alone
    assert alone.endswith(b"\r\n\r\n") is (method == "HEAD")
    assert _without_date(after) == _without_date(alone)
    assert _without_date(behind).endswith(_without_date(alone))


def _without_date(answer: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]*", b"", answer)
