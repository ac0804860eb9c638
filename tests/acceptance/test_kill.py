"""Kill -9 at any instant of build, review, publication and roll back: the next start goes on from there."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.acceptance.conftest import FIRST, SECOND, new_database, write_folder
from tests.acceptance.site import PASSWORD, PROJECT

pytestmark = [pytest.mark.acceptance, pytest.mark.both_databases]

# Runs a management command, and kills its own process before or after one function is called.
KILLING = """
import importlib, os, signal, sys
import django
django.setup()
target, when, *words = sys.argv[1:]
module, name = target.rsplit(".", 1)
place = importlib.import_module(module)
real = getattr(place, name)
def killing(*args, **kwargs):
    if when == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(place, name, killing)
from django.core.management import call_command
call_command(*words)
"""
RECOVER = """
import json
import django
django.setup()
from assetsite.launch.preparation import recover
print(json.dumps(recover()))
"""
BRIEF = ("--expected-result", "Navy.", "--rollback-note", "Roll back.")


@dataclass
class Desk:
    """A data directory and its database, without a server: what commands and crashes leave behind."""

    data: Path
    database_url: str

    @property
    def environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        url = {"DATABASE_URL": self.database_url} if self.database_url else {}
        return env | url | {"DATA_DIR": str(self.data), "ADMIN_PASSWORD": PASSWORD, "LOG_LEVEL": "ERROR"}

    def python(self, script: str, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, *map(str, words)],
            cwd=PROJECT,
            env=self.environment | {"DJANGO_SETTINGS_MODULE": "assetsite.settings"},
            capture_output=True,
            text=True,
            check=False,
        )

    def manage(self, *words: object) -> Any:
        done = subprocess.run(
            [sys.executable, PROJECT / "manage.py", *map(str, words), "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def kill(self, target: str, when: str, *words: object) -> None:
        killed = self.python(KILLING, target, when, *words)
        assert killed.returncode == -signal.SIGKILL, killed.stderr

    def recover(self) -> list[str]:
        """Do what the next start does; return what it says it recovered."""
        done = self.python(RECOVER)
        assert done.returncode == 0, done.stderr
        lines: list[str] = json.loads(done.stdout)
        return lines

    def assert_consistent(self) -> None:
        """Storage points at the newest publication, its manifest is whole, the log is unbroken."""
        live = self.manage("channel", "show", "production")["live"]
        pointer = json.loads((self.data / "storage/channels/production.json").read_text())
        assert pointer["sequence"] == live["publication"]
        assert f"sha256:{pointer['digest']}" == live["digest"]
        for file in filter(None, (pointer["manifest"], pointer["retained"])):
            assert (self.data / "storage" / file["name"]).stat().st_size == file["size"]
        names = self.manage("channel", "show", "production")["retained"]
        assert (names["names"] if names else 0) == (live["release"] == 2)  # release 1 alone has one
        assert self.manage("audit", "verify")["faults"] == []
        unfinished = self.data / "storage/unfinished"
        assert not unfinished.exists() or list(unfinished.iterdir()) == []


PREPARE = """
import django
django.setup()
from pathlib import Path
import sys
from assetsite.launch.preparation import prepare
from assetsite.launch.first_release import publish_first_release
administrator = prepare(print)
publish_first_release(Path(sys.argv[1]), actor=administrator, say=print)
"""


# A bundler's file, which pages of release 1 go on finding after the publication of release 2.
NAMED = {"js/gone-BX3k9aQz.js": b"gone()"}


def prepare(folder: Path, database_url: str) -> Desk:
    """Make a site with release 1 live and release 2 a briefed draft; no approval is asked for."""
    desk = Desk(folder / "data", database_url)
    done = desk.python(PREPARE, write_folder(folder / "first", FIRST | NAMED))
    assert done.returncode == 0, done.stderr
    desk.manage("import", write_folder(folder / "second", SECOND), "--title", "Spring")
    desk.manage("release", "edit", 2, *BRIEF)
    desk.manage("channel", "set", "production", "--required-approvals", 0)
    return desk


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Desk]:
    with new_database(django_db_blocker) as url:
        yield prepare(tmp_path_factory.mktemp("prepared"), url)


@pytest.fixture
def desk(tmp_path: Path, prepared: Desk, django_db_blocker: DjangoDbBlocker) -> Iterator[Desk]:
    """A copy of the prepared site for each test: its folder, and its database."""
    shutil.copytree(prepared.data, tmp_path / "data")
    with new_database(django_db_blocker, copy_of=prepared.database_url) as url:
        yield Desk(tmp_path / "data", url)


@pytest.mark.parametrize(
    ("target", "when"),
    [
        ("apps.releases.files.file_sha256", "before"),
        ("apps.assets.store.put_file", "before"),
        ("apps.assets.store.put_file", "after"),
        ("apps.releases.services.building.apply_changes", "after"),
        ("apps.releases.services.building.remember_tally", "after"),
        ("apps.releases.services.review.record", "after"),
    ],
)
def test_killed_while_a_release_is_built_it_is_still_a_draft(desk: Desk, target: str, when: str) -> None:
    desk.kill(target, when, "release", "submit", 2)
    desk.recover()
    desk.assert_consistent()
    assert desk.manage("release", "show", 2)["state"] == "draft"
    assert desk.manage("release", "submit", 2)["state"] == "approved"


@pytest.mark.parametrize(
    ("target", "when", "is_recorded", "is_pointed_at"),
    [
        ("apps.releases.services.publishing.record", "before", False, False),
        ("apps.releases.services.publishing.record", "after", False, False),
        ("apps.releases.services.retention.put_manifest_file", "before", True, False),
        ("apps.releases.services.retention.put_manifest_file", "after", True, False),
        ("apps.assets.store.replace", "before", True, False),
        ("apps.assets.store.replace", "after", True, True),
    ],
)
def test_killed_while_it_is_published_a_release_is_live_or_it_is_not(
    desk: Desk, target: str, when: str, is_recorded: bool, is_pointed_at: bool
) -> None:
    desk.manage("release", "submit", 2)
    desk.kill(target, when, "release", "publish", 2)
    lines = desk.recover()
    desk.assert_consistent()
    release = desk.manage("release", "show", 2)
    assert release["state"] == ("published" if is_recorded else "approved")
    assert any("now names publication 2" in line for line in lines) == (is_recorded and not is_pointed_at)
    if not is_recorded:
        assert desk.manage("release", "publish", 2)["publication"] == 2
    desk.assert_consistent()


@pytest.mark.parametrize(
    ("target", "when", "is_recorded"),
    [
        ("apps.releases.services.publishing.refuse_unless_whole", "after", False),
        ("apps.releases.services.publishing.open_receipt", "after", False),
        ("apps.releases.services.publishing.record", "after", False),
        ("apps.assets.store.replace", "before", True),
        ("apps.assets.store.replace", "after", True),
        ("apps.releases.services.pointers.note_pointer", "after", True),
    ],
)
def test_killed_while_it_rolls_back_a_channel_is_back_or_it_is_not(
    desk: Desk, target: str, when: str, is_recorded: bool
) -> None:
    desk.manage("release", "submit", 2)
    desk.manage("release", "publish", 2)
    desk.kill(target, when, "release", "rollback", "--reason", "broken")
    desk.recover()
    desk.assert_consistent()
    live = desk.manage("channel", "show", "production")["live"]
    assert (live["publication"], live["release"]) == ((3, 1) if is_recorded else (2, 2))
    assert desk.manage("release", "receipt", live["publication"])["state"] == "open", "never none"
    if not is_recorded:
        assert desk.manage("release", "rollback", "--reason", "broken")["publication"] == 3
    desk.assert_consistent()
