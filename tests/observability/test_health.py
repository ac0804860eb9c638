"""Health: what counts for visitors decides, and everything else is named."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings

from apps.delivery.node import current_node
from apps.observability.database import DatabaseProbe
from apps.releases.history.signatures import PublicKey
from tests.serving import SIGNING_KEY, Published
from tests.staff import staff_client


@pytest.fixture(params=["public", "staff"])
def client(request: pytest.FixtureRequest) -> Client:
    """A client at each door in turn."""
    return staff_client() if request.param == "staff" else Client(headers={"host": "localhost"})


class Database:
    """A connection that is not this process's own: what it does when it is asked is up to the test."""

    def __init__(self, ask: Any) -> None:
        self.ask = ask
        self.asked = 0
        self.closed = threading.Event()

    @contextmanager
    def cursor(self) -> Iterator["Database"]:
        self.asked += 1
        self.ask()
        yield self

    def execute(self, statement: str) -> None:
        assert statement == "SELECT 1"

    def close(self) -> None:
        self.closed.set()


def use(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr("apps.observability.database.connection", database)
    return database


def refuse() -> None:
    raise OperationalError("connection refused\nIs the server running?")


def test_the_public_keys_are_told_to_whoever_asks(client: Client, settings: Settings) -> None:
    settings.SIGNING_TRUSTED_KEYS = [b"t" * 32]
    response = client.get("/-/keys")
    own = SIGNING_KEY.public
    assert response.json()["keys"][0] == {"key": own.id, "ed25519": own.text, "pem": own.pem}
    assert [key["key"] for key in response.json()["keys"]] == [own.id, PublicKey(b"t" * 32).id]
    assert client.post("/-/keys").status_code == 405
    assert response.headers["cache-control"] == "no-store"
    assert not response.cookies


def test_healthz_says_that_the_process_answers(client: Client) -> None:
    response = client.get("/-/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert response.headers["cache-control"] == "no-store"
    assert not response.cookies


def test_readyz_says_what_is_served(
    client: Client, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(Database(lambda: None), monkeypatch)
    response = client.get("/-/readyz")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "status": "ready",
        "pid": os.getpid(),
        "channels": {
            "production": {
                "release": 1,
                "sequence": 1,
                "digest": published.pointers[1]["digest"],
                "tag": "production-1",
            }
        },
        "without_release": [],
        "faults": {},
        "storage": "up",
        "files": {"faulty": [], "replaced": 0},
        "database": "up",
    }


def test_a_database_that_is_down_is_named_and_does_not_count(
    client: Client, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = use(Database(refuse), monkeypatch)
    response = client.get("/-/readyz")
    assert (response.status_code, response.json()["database"]) == (200, "down: connection refused")
    assert database.closed.is_set()


def test_nothing_published_is_not_ready(
    client: Client,
    storage_folder: object,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    use(Database(refuse), monkeypatch)
    response = client.get("/-/readyz")
    assert "readyz" not in caplog.text  # a start and a load balancer ask again and again
    assert (response.status_code, response.json()["status"]) == (503, "not ready")
    assert response.json()["without_release"] == ["production"]
    assert response.headers["cache-control"] == "no-store"


def test_storage_that_is_gone_is_not_ready(
    client: Client, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(Database(refuse), monkeypatch)
    assert client.get("/-/readyz").status_code == 200
    published.folder.rename(published.folder.with_name("away"))
    current_node().refresh()
    response = client.get("/-/readyz")
    assert response.status_code == 503
    assert response.json()["storage"] == f"down: {published.folder} is not there"
    assert response.json()["channels"]["production"]["release"] == 1


def test_a_broken_pointer_is_named_and_the_process_stays_ready(
    client: Client, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(Database(refuse), monkeypatch)
    assert client.get("/-/readyz").status_code == 200
    published.write(b"{")
    current_node().refresh()
    response = client.get("/-/readyz")
    assert (response.status_code, response.json()["storage"]) == (200, "up")
    assert "production" in response.json()["faults"]


@pytest.mark.parametrize("path", ["/-/healthz", "/-/readyz"])
def test_health_is_only_read(client: Client, path: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.defaults = client.defaults
    response = strict.post(path)
    assert (response.status_code, response.headers["cache-control"]) == (405, "no-store")


def test_a_database_that_hangs_is_asked_once_and_waited_for_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.observability.database.LONGEST_WAIT_SECONDS", 0.01)
    is_over = threading.Event()
    database = use(Database(lambda: is_over.wait(30)), monkeypatch)
    probe = DatabaseProbe()
    assert {probe.state().split(" for ")[0] for _ in range(3)} == {"down: it has not answered"}
    assert database.asked == 1
    is_over.set()
    assert database.closed.wait(30)
    monkeypatch.setattr("apps.observability.database.LONGEST_WAIT_SECONDS", 30)
    assert probe.state() == "up"
