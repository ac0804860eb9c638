"""Visitors come first: what serves them needs neither Django's models nor the database."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django import conf
from django.db import OperationalError
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from assetsite.asgi import LateApplication
from assetsite.launch import known_state, rest, start
from assetsite.launch.exceptions import CannotStart


@pytest.mark.parametrize("module", ["assetsite.launch.start", "assetsite.server", "assetsite.asgi"])
def test_what_visitors_wait_for_loads_without_django_s_models(module: str) -> None:
    program = f"import sys, {module}; sys.exit({{'django.db.models', 'django.http'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("set()\n", 1)


class TestLateApplication:
    def test_it_is_loaded_once_beside_the_event_loop_by_the_first_request(self) -> None:
        threads: list[int] = []

        async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
            scope["answered"] = True

        def load() -> Callable[..., Any]:
            threads.append(threading.get_ident())
            return application

        async def ask() -> list[dict[str, Any]]:
            late = LateApplication(load)
            assert threads == []
            scopes: list[dict[str, Any]] = [{}, {}]
            await asyncio.gather(*(late(scope, None, None) for scope in scopes))
            return scopes

        assert asyncio.run(ask()) == [{"answered": True}, {"answered": True}]
        assert len(threads) == 1
        assert threads[0] != threading.get_ident()

    def test_a_request_that_is_given_up_leaves_the_loading_to_the_others(self) -> None:
        may_load = threading.Event()
        answered: list[str] = []

        async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
            answered.append(scope["name"])

        def load() -> Callable[..., Any]:
            may_load.wait()
            return application

        async def ask() -> None:
            late = LateApplication(load)
            first = asyncio.ensure_future(late({"name": "first"}, None, None))
            second = asyncio.ensure_future(late({"name": "second"}, None, None))
            await asyncio.sleep(0)
            first.cancel()
            may_load.set()
            await second
            assert first.cancelled()

        asyncio.run(ask())
        assert answered == ["second"]


class TestKnownState:
    def test_a_site_is_known_when_it_was_prepared_and_not_before(self) -> None:
        assert not known_state.is_known()
        known_state.remember()
        assert known_state.is_known()
        known_state.remember()
        assert known_state.is_known()

    def test_another_database_storage_or_set_of_migrations_is_not_known(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        known_state.remember()
        for name, other in (
            ("DATABASES", {"default": {**settings.DATABASES["default"], "NAME": "other"}}),
            ("STORAGES", {**settings.STORAGES, "blobs": {"BACKEND": "elsewhere"}}),
            ("SECRET_KEY", "other"),
        ):
            with mock.patch.object(conf.settings, name, other):
                assert not known_state.is_known(), name
        (tmp_path / "requirements.lock").touch()
        with mock.patch.object(conf.settings, "BASE_DIR", tmp_path):
            assert not known_state.is_known()
        assert known_state.is_known()

    def test_what_django_adds_when_it_connects_makes_no_difference(self, settings: Settings) -> None:
        known_state.remember()
        database = {**settings.DATABASES["default"], "ATOMIC_REQUESTS": False, "TEST": {}}
        with mock.patch.object(conf.settings, "DATABASES", {"default": database}):
            assert known_state.is_known()

    def test_a_note_that_was_cut_short_is_none(self, tmp_path: Path) -> None:
        known_state.remember()
        note = tmp_path / "prepared"
        note.write_text(note.read_text()[:10])
        assert not known_state.is_known()

    def test_the_note_does_not_show_the_password_of_the_database(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        known_state.remember()
        assert len((tmp_path / "prepared").read_text()) == 64


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a start do nothing but note what it would do."""
    events: list[str] = []

    def prepare(directory: Path | None) -> Callable[[bool], str]:
        events.append(f"prepared with {directory}")
        return lambda is_up: f"up: {is_up}"

    class Watcher:
        def __init__(self, *, on_ready: Callable[[bool], None], **_: object) -> None:
            self.on_ready = on_ready

        def run(self) -> int:
            events.append("serving")
            self.on_ready(True)
            return 0

    monkeypatch.setattr(start, "check_doors", lambda: events.append("doors"))
    monkeypatch.setattr(start, "take_lock", lambda file: len(str(file)))
    monkeypatch.setattr(start, "_prepare", prepare)
    monkeypatch.setattr(start, "Supervisor", Watcher)
    monkeypatch.setattr("builtins.print", events.append)
    return events


def test_a_site_that_is_not_known_is_prepared_before_anybody_is_served(happened: list[str]) -> None:
    assert start.start(Path("site")) == 0
    assert happened == ["doors", "prepared with site", "serving", "up: True"]


def test_a_site_that_is_known_serves_first_and_prepares_then(happened: list[str]) -> None:
    known_state.remember()
    assert start.start(None) == 0
    assert happened == ["doors", "serving", "prepared with None", "up: True"]


def test_a_prepared_site_is_remembered_and_says_where_it_is(
    db: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<title>Here</title>")
    with mock.patch("django.db.connections.close_all"):
        administrator = rest.prepare_site(folder)
        assert known_state.is_known()
        said = rest.summary(administrator, is_ready=True)
        again = rest.summary(administrator, is_ready=False)
    assert "Published release" in capsys.readouterr().out
    assert "Assetsite is running." in said
    assert "(shown only now)" in said
    assert "First release: site" in said
    assert "runs, but is not ready" in again
    assert "as set before" in again


@pytest.mark.usefixtures("db")
def test_hosts_of_a_channel_that_there_is_none_of_are_named(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.PINNED_HOSTS = {"production": "localhost", "www.example.com": "production"}
    with mock.patch("django.db.connections.close_all"):
        rest.prepare_site(None)
    said = capsys.readouterr().err
    assert "CHANNEL_HOSTS gives production to localhost, and there is no such channel." in said
    assert "scripts/manage channel create localhost" in said
    assert "www.example.com" not in said


@pytest.mark.parametrize("is_live", [True, False])
def test_with_the_database_down_only_a_site_that_is_live_starts(
    capsys: pytest.CaptureFixture[str],
    is_live: bool,
) -> None:
    with (
        mock.patch.object(rest, "prepare", side_effect=OperationalError("gone")),
        mock.patch.object(rest, "has_pointer", return_value=is_live),
        mock.patch("django.db.connections.close_all"),
    ):
        if not is_live:
            with pytest.raises(CannotStart, match="does not answer: gone"):
                rest.prepare_site(None)
            return
        administrator: User | None = rest.prepare_site(None)
    assert administrator is None
    assert "The database does not answer: gone" in capsys.readouterr().err
    assert not known_state.is_known()
    assert "User name" not in rest.summary(administrator, is_ready=True)
