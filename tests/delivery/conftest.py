"""A site that is published without services, and two ways to ask for it that must answer alike."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from django.test import Client

from apps.delivery.bodies import open_body
from apps.delivery.node import Node, current_node
from apps.delivery.respond import Request, respond
from tests.serving import FIRST_RELEASED, HOUR, Published

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
CLIENT = Client()  # its first request lists the static files, which takes a while
NOW = FIRST_RELEASED + 10 * HOUR


@pytest.fixture(autouse=True)
def _own_node() -> Iterator[None]:
    """Give each test a node of its own, whose thread ends with it."""
    current_node.cache_clear()
    yield
    current_node.cache_clear()


@pytest.fixture
def published(storage_folder: Path) -> Published:
    """A channel on which `SITE` is live as release 1."""
    site = Published(storage_folder)
    site.publish(1, SITE, coded=CODED)
    return site


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Ask(Protocol):
    """Ask for a target as it is sent; header names in lower case, `_` for `-`."""

    def __call__(self, target: str, *, method: str = "GET", **headers: str) -> Reply: ...


def ask_respond(target: str, *, method: str = "GET", **headers: str) -> Reply:
    """Ask the pure function, and open what it names."""
    node = Node({"*": "production"})
    node.refresh()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = respond(Request(method, target, named), node.live["production"], now=NOW)
    body = open_body(response)
    content = b"" if body is None else b"".join(iter(body.read, b""))
    if body is not None:
        body.close()
    return Reply(response.status, {name.lower(): value for name, value in response.headers}, content)


def ask_middleware(target: str, *, method: str = "GET", **headers: str) -> Reply:
    """Ask the public door, as Django's test client does."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = CLIENT.generic(method, "/", headers={"host": "localhost"} | named, RAW_URI=target)
    received = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, received, response.getvalue())


@pytest.fixture(params=[ask_respond, ask_middleware], ids=["respond", "middleware"])
def ask(request: pytest.FixtureRequest, published: Published) -> Ask:
    """Ask the site that is live, by each front door in turn."""
    asks: Ask = request.param
    return asks
