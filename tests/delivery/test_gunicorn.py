"""The public door of a real gunicorn: three processes, real sockets, and a database that is not there."""

import http.client
import os
import re
import signal
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from apps.delivery.counts import parse
from tests.delivery.conftest import CODED, LARGE, SITE, TEN
from tests.serving import Gunicorn, Published, read_answer

pytestmark = pytest.mark.acceptance

HUGE = os.urandom(1 << 20) * 24  # more than sockets hold between them


def of_release(number: int) -> dict[str, bytes]:
    """Files that say in every line which release they are of; small, middling and sent by sendfile."""
    line = f"release {number:03d}\n".encode()
    return {"index.html": line, "css/site.css": line * 2000, "large.bin": line * 16_000}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A server of `SITE` that no test changes."""
    server = Gunicorn(tmp_path_factory.mktemp("data"))
    Published(server.storage).publish(1, SITE | {"huge.bin": HUGE}, coded=CODED)
    with server:
        yield server


@dataclass
class Visitor(threading.Thread):
    """Asks for one file after the other until it is told to stop; every answer must be whole and unmixed.

    A connection that breaks is counted, and the same file asked for again.
    """

    server: Gunicorn
    served: set[int] = field(default_factory=set)
    answers: int = 0
    broken: int = 0
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.has_to_stop = threading.Event()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        connection = http.client.HTTPConnection("localhost", self.server.public_port, timeout=30)
        while not self.has_to_stop.is_set():
            for path in ("/", "/css/site.css", "/large.bin"):
                while not self._ask(connection, path):
                    self.broken += 1
                    connection.close()
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> bool:
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return False
        number = int(response.headers["Assetsite-Release"] or 0)
        if (response.status, body) != (200, of_release(number)[path.lstrip("/") or "index.html"]):
            self.faults.append(f"{path}: {response.status}, {len(body)} bytes of {set(body.split(b'\n'))}")
        self.served.add(number)
        self.answers += 1
        return True

    def stop(self) -> None:
        self.has_to_stop.set()
        self.join(60)
        assert not self.is_alive()


@pytest.fixture
def switching(tmp_path: Path) -> Iterator[tuple[Gunicorn, Published, list[Visitor]]]:
    """A server of release 1 that four visitors ask without a pause."""
    server = Gunicorn(tmp_path)
    published = Published(server.storage)
    published.publish(1, of_release(1))
    with server:
        visitors = [Visitor(server) for _ in range(4)]
        for visitor in visitors:
            visitor.start()
        yield server, published, visitors
        for visitor in visitors:
            visitor.stop()


def releases(server: Gunicorn) -> set[int]:
    return {ready["channels"]["production"]["release"] for ready in server.by_worker().values()}


def wait_until_all_serve(server: Gunicorn, number: int) -> None:
    while releases(server) != {number}:
        pass  # each look asks every worker


def test_every_worker_switches_under_load_without_a_mixed_or_torn_answer(
    switching: tuple[Gunicorn, Published, list[Visitor]],
) -> None:
    server, published, visitors = switching
    workers = set(server.by_worker())
    wait_until_all_serve(server, 1)
    for number in range(2, 6):
        published.publish(number, of_release(number))
        wait_until_all_serve(server, number)
    published.point_at(1)
    wait_until_all_serve(server, 1)
    for visitor in visitors:
        visitor.stop()
    assert set(server.by_worker()) == workers
    assert len(workers) == 3
    assert [visitor.faults for visitor in visitors] == [[]] * 4
    assert sum(visitor.broken for visitor in visitors) == 0
    assert set().union(*(visitor.served for visitor in visitors)) == {1, 2, 3, 4, 5}


def test_50_000_requests_over_100_switches_meet_no_mixed_or_torn_answer(
    switching: tuple[Gunicorn, Published, list[Visitor]],
) -> None:
    server, published, visitors = switching
    wait_until_all_serve(server, 1)
    published.publish(2, of_release(2))
    for flip in range(100):
        published.point_at(1 + flip % 2)
        while sum(visitor.answers for visitor in visitors) < 500 * (flip + 1):
            server.ready()
    wait_until_all_serve(server, 2)
    for visitor in visitors:
        visitor.stop()
    assert [visitor.faults for visitor in visitors] == [[]] * 4
    assert sum(visitor.broken for visitor in visitors) == 0
    assert sum(visitor.answers for visitor in visitors) >= 50_000
    assert set().union(*(visitor.served for visitor in visitors)) == {1, 2}


def test_a_worker_that_is_killed_takes_nothing_with_it_that_cannot_be_asked_for_again(
    switching: tuple[Gunicorn, Published, list[Visitor]],
) -> None:
    server, published, visitors = switching
    killed = frozenset(list(server.by_worker())[:1])
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    published.publish(2, of_release(2))
    after = server.by_worker(apart_from=killed)
    assert len(after) == 3
    wait_until_all_serve(server, 2)
    for visitor in visitors:
        visitor.stop()
    assert [visitor.faults for visitor in visitors] == [[]] * 4
    assert all(visitor.broken <= 2 for visitor in visitors)
    assert all(visitor.answers for visitor in visitors)


def test_reloads_and_max_requests_lose_no_request_and_no_count_of_one(tmp_path: Path) -> None:
    server = Gunicorn(tmp_path, workers=1, environment={"GUNICORN_CMD_ARGS": "--max-requests 400"})
    Published(server.storage).publish(1, SITE)
    has_to_stop = threading.Event()

    def visit() -> Counter[bytes]:
        bodies: Counter[bytes] = Counter()
        while not has_to_stop.is_set():
            bodies[server.ask("/ten.txt").body] += 1
        return bodies

    with server, ThreadPoolExecutor(3) as visitors:
        visits = [visitors.submit(visit) for _ in range(3)]
        try:
            seen = {server.ready()["pid"]}
            while len(seen) < 3:
                server.reload()
                seen |= set(server.by_worker(apart_from=frozenset(seen)))
        finally:
            has_to_stop.set()
        answers = sum((done.result() for done in visits), Counter())
    assert set(answers) == {TEN}
    lines = [line for file in (server.storage / "counts").iterdir() for line in parse(file.read_bytes())]
    assert {(line.channel, line.publication, line.rule, line.version) for line in lines} == {
        ("production", 1, "everything", 1)
    }
    assert sum(line.requests for line in lines) == answers.total()
    assert sum(line.body_bytes for line in lines) == 10 * answers.total()


def test_visitors_need_no_database_and_readyz_says_that_it_is_down(server: Gunicorn) -> None:
    for path, content in SITE.items():
        answer = server.ask("/" + path.replace("é", "%C3%A9").replace("ü", "%C3%BC").replace(" ", "%20"))
        assert (answer.status, answer.body) == (200, content), path
    ready = server.ask("/-/readyz")
    assert ready.status == 200
    assert b'"database": "down: ' in ready.body
    assert b'"storage": "up"' in ready.body


def test_clients_that_close_early_cost_nothing(server: Gunicorn) -> None:
    before = set(server.by_worker())
    for _ in range(40):  # more than there are threads
        with server.connect() as connection:
            connection.sendall(b"GET /huge.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
    assert server.ask("/ten.txt").body == TEN
    assert set(server.by_worker()) == before
    assert "Traceback" not in server.log.read_text()


def test_a_large_file_and_its_ranges_are_exact_on_a_connection_that_is_kept(server: Gunicorn) -> None:
    connection = http.client.HTTPConnection("localhost", server.public_port, timeout=30)
    for first, last in ((0, 199_999), (65_000, 200_000), (1, len(LARGE) - 1), (250_000, 250_009)):
        connection.request("GET", "/large.bin", headers={"Range": f"bytes={first}-{last}"})
        response = connection.getresponse()
        assert (response.status, response.read()) == (206, LARGE[first : last + 1])
    connection.request("GET", "/huge.bin")
    assert connection.getresponse().read() == HUGE
    connection.request("GET", "/large.bin", headers={"Range": "bytes=0-99999,150000-249999"})
    body = connection.getresponse().read()
    assert LARGE[:100_000] in body
    assert LARGE[150_000:250_000] in body
    connection.request("GET", "/ten.txt")
    assert connection.getresponse().read() == TEN
    connection.close()


@pytest.mark.parametrize("target", ["/", "/css/site.css", "/large.bin", "/no", "/no.js", "/docs", "/a//b"])
def test_rfc_9110_9_3_2_head_has_the_head_of_get_byte_for_byte(server: Gunicorn, target: str) -> None:
    def head(method: str) -> bytes:
        fields = "Host: localhost\r\nAccept-Encoding: br\r\nConnection: close\r\n\r\n"
        received = server.exchange(f"{method} {target} HTTP/1.1\r\n{fields}".encode())
        assert (method == "HEAD") == received.endswith(b"\r\n\r\n")
        return re.sub(rb"\r\nDate: [^\r]+", b"", received.partition(b"\r\n\r\n")[0])

    assert head("GET") == head("HEAD")


def test_rfc_9110_6_6_1_every_answer_has_one_date(server: Gunicorn) -> None:
    for target in ("/", "/no", "/docs", "/a//b", "/-/healthz"):
        sent = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert server.exchange(sent.encode()).count(b"\r\nDate: ") == 1


def test_rfc_9110_15_4_5_a_304_is_a_head_alone(server: Gunicorn) -> None:
    tag = server.ask("/ten.txt").headers["etag"]
    raw = server.exchange(
        b'GET /ten.txt HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: "a"\r\n'
        + f"If-None-Match: {tag}\r\nConnection: close\r\n\r\n".encode()
    )
    assert raw.startswith(b"HTTP/1.1 304 ")
    assert raw.endswith(b"\r\n\r\n")
    assert read_answer(raw).headers["etag"] == tag


@pytest.mark.parametrize(
    "target", ["/../etc/passwd", "/%2e%2e/etc/passwd", "//etc/passwd", "/ten.txt%00", "/..%5cetc", "/%"]
)
def test_a_target_is_judged_as_it_was_sent(server: Gunicorn, target: str) -> None:
    answer = server.ask(target)
    assert (answer.status, answer.headers["cache-control"]) == (400, "no-store")


@pytest.mark.parametrize(
    "head",
    [
        "Host: localhost\r\nHost: localhost",
        "Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        "Host: localhost\r\nContent-Length: 5\r\nContent-Length: 6",
        "Host: localhost\r\nContent-Length: +5",
        "Host: localhost\r\nContent-Length: 5\r\nContent-Length: 5",
        "Host: localhost\r\nContent-Length: 0_5",
        "Host: localhost\r\nTransfer-Encoding: chunked, identity",
        "Host: localhost\r\nTransfer-Encoding : chunked",
        "Host: localhost\r\nA: b\rc",
        "Host: localhost\nA: b",
        "Host : localhost",
        "Host: localhost\r\nA: b\r\n c",
        "Host: localhost\r\nA\0: b",
        "Host: localhost\r\nTransfer-Encoding: xchunked",
    ],
    ids=[
        "two hosts",
        "cl+te",
        "two cl",
        "cl sign",
        "equal cl",
        "cl underscore",
        "te list",
        "te space",
        "cr",
        "lf",
        "space",
        "fold",
        "nul",
        "te",
    ],
)
def test_rfc_9112_what_could_smuggle_a_request_is_refused_and_the_connection_closed(
    server: Gunicorn, head: str
) -> None:
    raw = server.exchange(f"GET /ten.txt HTTP/1.1\r\n{head}\r\n\r\nGET /large.bin HTTP/1.1\r\n\r\n".encode())
    assert re.match(rb"HTTP/1\.[01] (400|501) ", raw)
    assert raw.count(b"HTTP/1.") == 1


STAFF_TARGETS = ["/admin/", "/admin/login/", "/static/admin/css/base.css"]


def claims(server: Gunicorn) -> list[dict[str, str]]:
    """Every header by which a visitor might claim to have come in by the other door."""
    staff = f"127.0.0.1:{server.staff_port}"
    return [
        {"host": staff},
        {"x-forwarded-host": staff, "x-forwarded-port": str(server.staff_port)},
        {"x-forwarded-proto": "https", "x-forwarded-for": "127.0.0.1"},
        {"forwarded": f"for=127.0.0.1;host={staff};proto=http"},
        {"script-name": "/admin"},
        {"x-script-name": "/admin"},
        {"x-assetsite-door": "staff", "assetsite-door": "staff", "assetsite.door": "staff"},
        {"server-port": str(server.staff_port), "x-server-port": str(server.staff_port)},
        {"remote-user": "admin", "x-remote-user": "admin"},
        {"x-original-url": "/admin/", "x-rewrite-url": "/admin/"},
    ]


@pytest.mark.parametrize("target", STAFF_TARGETS)
def test_no_header_leads_from_the_public_door_to_the_staffs(server: Gunicorn, target: str) -> None:
    for headers in claims(server):
        answer = server.ask(target, headers=headers)
        assert answer.status == 404, headers
        assert "set-cookie" not in answer.headers
        assert answer.headers.get("assetsite-release") == "1"
        assert b"csrf" not in answer.body


@pytest.mark.parametrize("target", STAFF_TARGETS)
def test_no_target_and_no_underscore_leads_there_either(server: Gunicorn, target: str) -> None:
    staff = f"127.0.0.1:{server.staff_port}"
    visit = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n"
    for sent in (
        f"GET http://{staff}{target} HTTP/1.1\r\nHost: {staff}\r\n",
        f"GET /-/..{target} HTTP/1.1\r\nHost: localhost\r\n",
        f"{visit}SCRIPT_NAME: /admin\r\nASSETSITE.DOOR: staff\r\n",
        f"{visit}SERVER_PORT: {server.staff_port}\r\n",
        f"PROXY TCP4 127.0.0.1 127.0.0.1 1 {server.staff_port}\r\n{visit}",
    ):
        raw = server.exchange(f"{sent}Connection: close\r\n\r\n".encode())
        assert re.match(rb"HTTP/1\.[01] (400|404) ", raw), sent
        assert b"Set-Cookie" not in raw
        assert b"csrf" not in raw


def test_the_staff_door_has_the_staffs_pages_and_no_assets(server: Gunicorn) -> None:
    statuses = {"/static/admin/css/base.css": 200, "/admin/": 302, "/-/healthz": 200, "/ten.txt": 404}
    for target, status in statuses.items():
        assert server.ask(target, port=server.staff_port).status == status


def test_a_staff_door_on_the_same_port_of_another_address_is_apart(tmp_path: Path) -> None:
    server = Gunicorn(tmp_path, workers=1)
    server.environment["STAFF_BIND"] = f"127.0.0.2:{server.public_port}"
    Published(server.storage).publish(1, SITE)
    with server:
        assert server.ask("/admin/").status == 404
        assert server.ask("/ten.txt").body == TEN
        with socket.create_connection(("127.0.0.2", server.public_port), timeout=30) as connection:
            connection.sendall(b"GET /admin/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 302 ")


def test_a_staff_door_on_a_unix_socket_is_apart(tmp_path: Path) -> None:
    path = tmp_path / "staff.sock"
    database = f"sqlite:///{tmp_path / 'assetsite.sqlite3'}"
    server = Gunicorn(
        tmp_path, workers=1, environment={"STAFF_BIND": f"unix:{path}", "DATABASE_URL": database}
    )
    Published(server.storage).publish(1, SITE)
    with server:
        assert server.ask("/admin/", headers={"host": f"127.0.0.1:{server.staff_port}"}).status == 404
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(path))
            connection.sendall(b"GET /admin/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 302 ")
        assert server.ready()["database"] == "up"


def test_a_damaged_blob_is_503_and_the_rest_is_served(tmp_path: Path) -> None:
    server = Gunicorn(tmp_path, workers=1)
    published = Published(server.storage)
    published.publish(1, SITE)
    with server:
        published.blob(LARGE).write_bytes(LARGE[:-1])
        answer = server.ask("/large.bin")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert server.ask("/ten.txt").body == TEN
    assert "does not have its" in server.log.read_text()
