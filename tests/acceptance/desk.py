"""A site without a server: a data directory and its database, and what commands and crashes leave in them."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_django.plugin import DjangoDbBlocker

from tests.acceptance import deeds, loaded
from tests.acceptance.databases import new_database
from tests.acceptance.folders import FIRST, SECOND, write_folder
from tests.acceptance.loaded import Deed, Done
from tests.acceptance.site import PASSWORD

BRIEF = ("--expected-result", "Navy.", "--rollback-note", "Roll back.")
# A bundler's file, which pages of release 1 go on finding after the publication of release 2.
NAMED = {"js/gone-BX3k9aQz.js": b"gone()"}


@dataclass
class Desk:
    """A data directory and its database."""

    data: Path
    database_url: str

    @property
    def environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        url = {"DATABASE_URL": self.database_url} if self.database_url else {}
        return env | url | {"DATA_DIR": str(self.data), "ADMIN_PASSWORD": PASSWORD, "LOG_LEVEL": "ERROR"}

    def attempt(self, deed: Deed, *arguments: object) -> Done:
        """Do something in a process of its own, whatever comes of it."""
        return loaded.do(deed, *arguments, environment=self.environment)

    def do(self, deed: Deed, *arguments: object) -> str:
        """Do something in a process of its own; return what it printed."""
        done = self.attempt(deed, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manage(self, *words: object) -> Any:
        return json.loads(self.do(deeds.manage, *map(str, words), "--json"))

    def kill(self, target: str, when: str, *words: object) -> None:
        killed = self.attempt(deeds.die_in, target, when, *map(str, words))
        assert killed.returncode == -signal.SIGKILL, killed.stderr

    def recover(self) -> list[str]:
        """Do what the next start does; return what it says it recovered."""
        lines: list[str] = json.loads(self.do(deeds.recover_site))
        return lines

    def assert_consistent(self) -> None:
        """Storage points at the newest publication, its manifest is whole, the log is unbroken."""
        shown = self.manage("channel", "show", "production")
        live, names = shown["live"], shown["retained"]
        pointer = json.loads((self.data / "storage/channels/production.json").read_text())
        assert pointer["sequence"] == live["publication"]
        assert f"sha256:{pointer['digest']}" == live["digest"]
        for file in filter(None, (pointer["manifest"], pointer["retained"])):
            assert (self.data / "storage" / file["name"]).stat().st_size == file["size"]
        assert (names["names"] if names else 0) == (live["release"] == 2)  # release 1 alone has one
        assert self.manage("audit", "verify")["faults"] == []
        unfinished = self.data / "storage/unfinished"
        assert not unfinished.exists() or list(unfinished.iterdir()) == []


def prepare(folder: Path, database_url: str) -> Desk:
    """Make a site with release 1 live and release 2 a briefed draft; no approval is asked for."""
    desk = Desk(folder / "data", database_url)
    first = write_folder(folder / "first", FIRST | NAMED)
    loaded.do(deeds.prepare_site, str(first), environment=desk.environment, is_kept=True)
    desk.manage("import", write_folder(folder / "second", SECOND), "--title", "Spring")
    desk.manage("release", "edit", 2, *BRIEF)
    desk.manage("channel", "set", "production", "--required-approvals", 0)
    return desk


@contextmanager
def copied(desk: Desk, folder: Path, blocker: DjangoDbBlocker) -> Iterator[Desk]:
    """Give a copy of a site: of its folder, and of its database."""
    shutil.copytree(desk.data, folder / "data")
    with new_database(blocker, copy_of=desk.database_url) as url:
        yield Desk(folder / "data", url)
