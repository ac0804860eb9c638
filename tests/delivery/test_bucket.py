"""Storage is a bucket, and fails in the ways that buckets and networks do: what visitors get then."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.assets.store import blob_name
from apps.delivery.files import current_files
from apps.delivery.node import current_node
from assetsite.environment import storage_backend
from tests.bucket import BUCKET, S3Server
from tests.delivery.conftest import CODED, LARGE, SITE, TEN
from tests.delivery.doors import Reply, ask_middleware
from tests.proxy import Fault, Held, Proxy, cut, reset, silent, stalled
from tests.serving import Gunicorn, Published, sha256

pytestmark = pytest.mark.s3

_numbers = itertools.count(1)


@dataclass
class Bucket:
    """A site in a part of the bucket that is its own, read by way of a proxy."""

    server: S3Server
    proxy: Proxy
    prefix: str = field(default_factory=lambda: f"site-{next(_numbers)}")

    @property
    def url(self) -> str:
        return self.server.url(self.prefix, port=self.proxy.port)

    def put(self, name: str, content: bytes) -> None:
        self.server.client().put_object(Bucket=BUCKET, Key=f"{self.prefix}/{name}", Body=content)

    def fail(self, content: bytes, fault: Fault) -> None:
        """Have the answers with this blob fail from now on."""
        self.proxy.faults[sha256(content)] = fault

    def fetches_of(self, content: bytes) -> int:
        return self.proxy.count(sha256(content))


@pytest.fixture
def bucket(s3: S3Server, tmp_path: Path) -> Iterator[Bucket]:
    """`SITE`, published in a bucket."""
    folder = tmp_path / "published"
    Published(folder).publish(1, SITE, coded=CODED)
    with Proxy(s3.port) as proxy:
        bucket = Bucket(s3, proxy)
        s3.upload(folder, bucket.prefix)
        yield bucket


class Server:
    """A gunicorn with one process whose storage is the bucket."""

    def __init__(self, bucket: Bucket, data: Path, worker: str) -> None:
        data.mkdir()
        self.data = data
        environment = {"STORAGE_URL": bucket.url, "GUNICORN_WORKER": worker}
        self.server = Gunicorn(data, workers=1, environment=environment)

    def start(self) -> None:
        self.server.__enter__()

    def stop(self) -> None:
        self.server.__exit__(None, None, None)

    def ask(self, target: str) -> Reply:
        answer = self.server.ask(target)
        return Reply(answer.status, answer.headers, answer.body)


class Middleware:
    """The middleware in this process."""

    def __init__(self, bucket: Bucket, data: Path, settings: Settings) -> None:
        self.data = settings.DATA_DIR = data
        backend = storage_backend(bucket.url, default_folder=data)
        settings.STORAGES = {**settings.STORAGES, "blobs": backend}

    def start(self) -> None:
        current_files.cache_clear()
        current_node.cache_clear()

    stop = start

    def ask(self, target: str) -> Reply:
        return ask_middleware(target)


everywhere = pytest.mark.parametrize("place", ["delivery", "threads", "middleware"], indirect=True)


@pytest.fixture(params=["delivery", "middleware"])
def place(
    request: pytest.FixtureRequest, bucket: Bucket, tmp_path: Path, settings: Settings
) -> Iterator[Server | Middleware]:
    """Each front door, which is not started yet, and has nothing of the bucket on its machine."""
    data = tmp_path / "data"
    is_middleware = request.param == "middleware"
    place = Middleware(bucket, data, settings) if is_middleware else Server(bucket, data, request.param)
    yield place
    place.stop()


@dataclass
class Running:
    """Our own worker, which serves a bucket; each test takes files that nobody has asked it for."""

    server: Gunicorn
    bucket: Bucket
    unasked: Iterator[tuple[str, bytes]]

    def unasked_file(self) -> tuple[str, bytes]:
        """Return the target and the content of a large file that is not on this machine."""
        target, content = next(self.unasked)
        return target, content

    def calm_down(self) -> None:
        """Let no test meet the pause after a fault that another had."""
        self.bucket.proxy.faults.clear()
        target, _ = next(self.unasked)
        eventually(lambda: self.server.ask(target).status == 200)


@pytest.fixture(scope="module")
def running(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder, data = tmp_path_factory.mktemp("published"), tmp_path_factory.mktemp("data")
    files = {f"large-{number}.bin": bytes([number]) + LARGE for number in range(40)}
    Published(folder).publish(1, SITE | files, coded=CODED)
    with Proxy(s3.port) as proxy:
        bucket = Bucket(s3, proxy)
        s3.upload(folder, bucket.prefix)
        with Gunicorn(data, workers=1, environment={"STORAGE_URL": bucket.url}) as server:
            yield Running(server, bucket, iter([(f"/{path}", content) for path, content in files.items()]))


@pytest.fixture
def worker(running: Running) -> Running:
    running.calm_down()
    return running


def get(target: str, *fields: str) -> bytes:
    return "\r\n".join((f"GET {target} HTTP/1.1", "Host: localhost", *fields, "", "")).encode()


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_unavailable(reply: Reply) -> bool:
    headers = reply.headers
    return (reply.status, headers.get("retry-after"), headers.get("cache-control")) == (503, "5", "no-store")


@everywhere
def test_down_from_the_start_it_is_503_and_recovers_by_itself(
    bucket: Bucket, place: Server | Middleware
) -> None:
    bucket.server.stop()
    try:
        place.start()
        reply = place.ask("/ten.txt")
        assert is_unavailable(reply)
        assert b"cannot be read just now" in reply.body
    finally:
        bucket.server.start()
    eventually(lambda: place.ask("/ten.txt").status == 200)
    assert place.ask("/ten.txt").body == TEN


@everywhere
def test_down_at_the_next_start_all_that_was_fetched_is_served(
    bucket: Bucket, place: Server | Middleware
) -> None:
    """The database is down as well, from the beginning: nobody runs it."""
    place.start()
    asked = ["/", "/css/site.css", "/docs/", "/ten.txt", "/empty.txt", "/data.json"]
    before = {target: place.ask(target) for target in asked}
    assert {reply.status for reply in before.values()} == {200}
    bucket.server.stop()
    try:
        place.stop()
        place.start()
        for target, reply in before.items():
            again = place.ask(target)
            assert (again.status, again.body) == (reply.status, reply.body)
            assert again.headers["etag"] == reply.headers["etag"]
        assert is_unavailable(place.ask("/large.bin"))
    finally:
        bucket.server.start()
    eventually(lambda: place.ask("/large.bin").body == LARGE)


@pytest.mark.parametrize("fault", [cut, reset, stalled])
def test_an_answer_that_breaks_off_is_no_file_and_is_asked_for_again(worker: Running, fault: Fault) -> None:
    target, content = worker.unasked_file()
    worker.bucket.fail(content, fault)
    answer = worker.server.ask(target)
    assert is_unavailable(Reply(answer.status, answer.headers, answer.body))
    assert not list((worker.server.data / "node").rglob(f"{sha256(content)}*"))
    worker.bucket.proxy.faults.clear()
    eventually(lambda: worker.server.ask(target).body == content)


def test_what_is_damaged_in_the_bucket_is_never_served_and_is_named(
    bucket: Bucket, place: Server | Middleware
) -> None:
    bucket.put(blob_name(sha256(TEN)), b"0123456780")
    place.start()
    for _ in range(3):
        assert is_unavailable(place.ask("/ten.txt"))
    if isinstance(place, Server):
        assert place.server.ready()["files"]["faulty"] == [blob_name(sha256(TEN))]
        log = place.server.log.read_text()
        assert log.count(f"{blob_name(sha256(TEN))} is damaged in storage") == 1
    else:
        assert current_files().faulty == [blob_name(sha256(TEN))]
    bucket.put(blob_name(sha256(TEN)), TEN)
    eventually(lambda: place.ask("/ten.txt").body == TEN)
    assert current_files().faulty == []


def test_while_one_answer_hangs_the_others_come_and_in_the_end_it_is_503(worker: Running) -> None:
    (hanging, content), (other, others_content) = worker.unasked_file(), worker.unasked_file()
    assert worker.server.ask("/data.json").status == 200
    worker.bucket.fail(content, silent)
    with worker.server.connect() as waiting:
        waiting.sendall(get(hanging, "Connection: close"))
        eventually(lambda: worker.bucket.fetches_of(content) > 0)
        assert worker.server.ask("/data.json").body == b'{"a": 1}'
        assert worker.server.ask(other).body == others_content
        assert not has_answer(waiting)
        assert waiting.recv(1000).startswith(b"HTTP/1.1 503 ")
    worker.bucket.proxy.faults.clear()
    eventually(lambda: worker.server.ask(hanging).body == content)


def test_a_bucket_that_hangs_at_the_next_start_takes_nothing_away(
    bucket: Bucket, place: Server | Middleware
) -> None:
    place.start()
    assert place.ask("/ten.txt").body == TEN
    place.stop()
    bucket.proxy.faults[bucket.prefix] = silent
    place.start()
    assert place.ask("/ten.txt").body == TEN
    bucket.proxy.faults.clear()


def test_many_that_wait_for_one_file_have_it_fetched_once(worker: Running) -> None:
    (target, content), held = worker.unasked_file(), Held()
    worker.bucket.fail(content, held)
    with ExitStack() as stack:
        clients = [stack.enter_context(worker.server.connect()) for _ in range(10)]
        for client in clients:
            client.sendall(get(target, "Connection: close"))
        assert held.has_come.wait(30)
        held.may_go.set()
        assert all(read_all(client).endswith(content) for client in clients)
    assert worker.bucket.fetches_of(content) == 1


def test_requests_behind_one_that_waits_keep_their_order(worker: Running) -> None:
    (target, content), held = worker.unasked_file(), Held()
    worker.bucket.fail(content, held)
    with worker.server.connect() as client:
        client.sendall(get(target) + get("/ten.txt", "Range: bytes=2-4"))
        assert held.has_come.wait(30)
        client.sendall(get("/nothing") + get(target, "Connection: close"))
        assert not has_answer(client)
        held.may_go.set()
        first, second, third, fourth = read_all(client).split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200 ")
    assert first.endswith(content)
    assert second.startswith(b"206 ")
    assert second.endswith(b"\r\n\r\n234")
    assert third.startswith(b"404 ")
    assert fourth.endswith(content)


def test_who_goes_away_while_waiting_is_nobodys_loss(worker: Running) -> None:
    (target, content), held = worker.unasked_file(), Held()
    worker.bucket.fail(content, held)
    with worker.server.connect() as client:
        client.sendall(get(target))
        assert held.has_come.wait(30)
    held.may_go.set()
    assert worker.server.ask(target).body == content
    assert worker.bucket.fetches_of(content) == 1
    assert "Traceback" not in worker.server.log.read_text()


def test_who_waits_in_vain_gets_503_and_is_answered_on(worker: Running) -> None:
    target, content = worker.unasked_file()
    worker.bucket.fail(content, reset)
    assert worker.server.ask("/data.json").status == 200
    with worker.server.connect() as client:
        client.sendall(get(target) + get("/data.json", "Connection: close"))
        first, second = read_all(client).split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"503 ")
    assert second.startswith(b"200 ")


def test_two_nodes_of_one_machine_fetch_what_either_needs_once(worker: Running) -> None:
    (target, content), held, bodies = worker.unasked_file(), Held(), []
    other = Gunicorn(worker.server.data, workers=2, environment={"STORAGE_URL": worker.bucket.url})
    with other:
        worker.bucket.fail(content, held)
        asking = [
            threading.Thread(target=lambda server=server: bodies.append(server.ask(target).body))
            for server in (worker.server, other, other, worker.server)
        ]
        for thread in asking:
            thread.start()
        assert held.has_come.wait(30)
        held.may_go.set()
        for thread in asking:
            thread.join()
    assert bodies == [content] * 4
    assert worker.bucket.fetches_of(content) == 1
    assert worker.bucket.proxy.count("/manifests/1.sqlite") == 1


def test_a_copy_that_is_damaged_is_replaced_before_it_is_served(
    bucket: Bucket, place: Server | Middleware
) -> None:
    place.start()
    files = {"/ten.txt": TEN, "/large.bin": LARGE}
    for target, content in files.items():
        assert place.ask(target).body == content
    place.stop()
    for content in files.values():
        (copy,) = (place.data / "node").rglob(sha256(content))
        copy.chmod(0o644)
        copy.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    place.start()
    for target, content in files.items():
        assert place.ask(target).body == content
        assert bucket.fetches_of(content) == 2


def has_answer(client: socket.socket) -> bool:
    """Say whether anything has come."""
    client.setblocking(False)
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        client.settimeout(30)


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(1 << 20), b""))
