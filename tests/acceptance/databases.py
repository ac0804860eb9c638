"""Databases of their own, of the vendor that the suite runs on."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from django.db import connection
from pytest_django.plugin import DjangoDbBlocker


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
