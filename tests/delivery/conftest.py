"""A site that is published without services, and the doors that must all answer alike for it."""

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.delivery.node import current_node
from tests.delivery.doors import Ask, Door, Live, ServerDoor, middleware_door, respond_door
from tests.serving import Gunicorn, Published

PAGE = b"<!doctype html><title>Home</title>" + b"<p>All of it is the same.</p>" * 40
STYLE = b"h1 { color: crimson }\n" * 50
STYLE_GZIP = gzip.compress(STYLE, mtime=0)
STYLE_BR = b"\x8b brotli, for all that anybody here knows"
TEN = b"0123456789"
LARGE = bytes(range(256)) * 1024
SITE = {
    "index.html": PAGE,
    "css/site.css": STYLE,
    "docs/index.html": b"<!doctype html><title>Docs</title>",
    "ten.txt": TEN,
    "empty.txt": b"",
    "large.bin": LARGE,
    "data.json": b'{"a": 1}',
    "café/menu ü.txt": b"coffee",
}
CODED = {"css/site.css": {"gzip": STYLE_GZIP, "br": STYLE_BR}, "data.json": {"gzip": gzip.compress(b"{}")}}


@pytest.fixture(autouse=True)
def _own_node() -> Iterator[None]:
    """Give each test a node of its own, whose thread ends with it."""
    current_node.cache_clear()
    yield
    current_node.cache_clear()
    for thread in threading.enumerate():
        if thread.name == "assetsite-pointers":  # it would look at what the next test has there
            thread.join(timeout=1)


@pytest.fixture
def published(storage_folder: Path) -> Published:
    """A channel on which `SITE` is live as release 1."""
    site = Published(storage_folder)
    site.publish(1, SITE, coded=CODED)
    return site


def served(data: Path, **environment: str) -> Iterator[ServerDoor]:
    """Serve `SITE` by a gunicorn with one process."""
    server = Gunicorn(data, workers=1, environment=environment)
    home = Published(server.storage)
    home.publish(1, SITE, coded=CODED)
    with server:
        door = ServerDoor(server=server, home=home)
        yield door
        door.visitor.close()


@pytest.fixture(scope="session")
def worker_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerDoor]:
    """Our own worker, which is what `scripts/run` starts."""
    yield from served(tmp_path_factory.mktemp("worker"))


@pytest.fixture(scope="session")
def threads_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerDoor]:
    """gunicorn's plain worker, with the middleware in it."""
    yield from served(tmp_path_factory.mktemp("threads"), GUNICORN_WORKER="threads")


@pytest.fixture(params=["respond", "middleware", "worker", "threads"])
def door(request: pytest.FixtureRequest) -> Door:
    """Each front door in turn."""
    in_process = {"respond": respond_door, "middleware": middleware_door}.get(request.param)
    found: Door = in_process() if in_process else request.getfixturevalue(f"{request.param}_door")
    return found


@pytest.fixture
def empty_site(door: Door, storage_folder: Path) -> Iterator[Live]:
    """A channel at that door on which nothing is published yet."""
    yield door.site(storage_folder)
    door.restore()


@pytest.fixture
def site(empty_site: Live) -> Live:
    """The same with `SITE` as release 1, for a test that publishes more."""
    empty_site.publish(1, SITE, coded=CODED)
    return empty_site


@pytest.fixture
def ask(request: pytest.FixtureRequest, door: Door) -> Ask:
    """Ask for what is live at that door: `SITE`, unless the test has a site of its own."""
    if not (isinstance(door, ServerDoor) or "empty_site" in request.fixturenames):
        request.getfixturevalue("site")
    return door.ask
