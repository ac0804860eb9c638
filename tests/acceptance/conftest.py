"""Sites in processes of their own, on SQLite and on PostgreSQL."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.acceptance.site import Site

FIRST = {
    "index.html": b"<!doctype html><html lang=en><title>One</title><link rel=stylesheet href=css/site.css>"
    b"<script src=js/app.js defer></script><h1>One</h1>\n",
    "css/site.css": b"body { background: white }\nh1 { color: crimson }\n" + b"/* kept */\n" * 40,
    "js/app.js": b"document.title += '!'\n",
    "js/old.js": b"console.log('old')\n",
    "docs/index.html": b"<!doctype html><title>Docs</title>",
    "data.bin": bytes(range(256)) * 300,
}
SECOND = {
    **FIRST,
    "index.html": FIRST["index.html"].replace(b"One", b"Two"),
    "css/site.css": FIRST["css/site.css"].replace(b"crimson", b"navy"),
    "img/new.txt": b"new in the second\n",
}
del SECOND["js/old.js"]


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    """Write `files` (path → content) into a new folder and return it."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


@pytest.fixture
def first_folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "my-site", FIRST)


@pytest.fixture
def second_folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "my-site-v2", SECOND)


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    """A site that has not been started yet."""
    return Site(data=tmp_path / "data", database_url=database_url)


@pytest.fixture
def database_url(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """An empty database of the vendor that the suite runs on: "" is a new SQLite file in DATA_DIR."""
    with new_database(django_db_blocker) as url:
        yield url


@contextmanager
def new_database(blocker: DjangoDbBlocker, *, copy_of: str = "") -> Iterator[str]:
    """Give the URL of a database of its own, empty or a copy of another URL's; "" on SQLite."""
    if connection.vendor == "sqlite":
        yield ""
        return
    settings, name = connection.settings_dict, f"story_{secrets.token_hex(8)}"
    host = settings["OPTIONS"].get("host") or settings["HOST"]
    template = urlsplit(copy_of).path.strip("/") or "template1"
    with blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield f"postgres://{settings['USER']}@/{name}?host={host}"
    with blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
