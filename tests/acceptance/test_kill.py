"""Kill -9 of a command: the next start says what it put right, and the same command goes on from there.

At which instants whatever else may be killed: test_instants.py.
"""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance import deeds
from tests.acceptance.desk import BRIEF, Desk
from tests.acceptance.folders import FIRST, write_folder
from tests.vendors import Answer, Vendor

pytestmark = [pytest.mark.acceptance, pytest.mark.both_databases]


def test_killed_while_a_release_is_built_it_is_still_a_draft_which_is_submitted_again(desk: Desk) -> None:
    desk.kill("apps.assets.store.put_file", "before", "release", "submit", 2)
    (line,) = desk.recover()
    assert line.startswith("removed 1 unfinished file")
    desk.assert_consistent()
    assert desk.manage("release", "show", 2)["state"] == "draft"
    assert desk.manage("release", "submit", 2)["state"] == "approved"


def test_killed_before_storage_is_told_the_next_start_tells_it_of_what_is_live(desk: Desk) -> None:
    desk.manage("release", "submit", 2)
    desk.kill("apps.assets.store.replace", "before", "release", "publish", 2)
    assert any("now names publication 2" in line for line in desk.recover())
    desk.assert_consistent()
    desk.kill("apps.assets.store.replace", "before", "release", "rollback", "--reason", "broken")
    assert any("now names publication 3" in line for line in desk.recover())
    desk.assert_consistent()
    assert desk.manage("release", "receipt", 3)["state"] == "open", "never none"


def test_killed_while_a_cache_is_told_the_next_worker_tells_it_the_rest(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [f"many/{number}.bin" for number in range(180)]
    folder = write_folder(tmp_path / "many", FIRST | {path: path.encode() for path in paths})
    release = desk.manage("import", folder, "--title", "Many")["release"]
    desk.manage("release", "edit", release, *BRIEF)
    desk.manage("release", "submit", release)
    publication = desk.manage("release", "publish", release)["publication"]

    def kill() -> Answer:
        os.kill(int((desk.data / "worker.pid").read_text()), signal.SIGKILL)
        return Answer()

    with Vendor() as cache:
        monkeypatch.setenv("PURGE_URLS", f"varnish://{cache.place}")
        desk.do(deeds.begin_purges, publication)
        cache.answers = [*[Answer()] * 519, kill]  # twenty into the second batch, of five hundred each
        assert desk.attempt(deeds.work).returncode == -signal.SIGKILL
        assert len(cache.asked) == 520
        desk.do(deeds.work)
        assert len(cache.asked) == 520, "a worker that may be alive is left alone"
        desk.do(deeds.work, 2)
        told = [(asked.headers["host"], asked.target) for asked in cache.asked]
        [purge] = desk.manage("release", "receipt", publication)["purges"]
    hosts = ("127.0.0.1", "[::1]", "localhost")
    assert set(told) == {(host, f"/{path}") for path in paths for host in hosts}
    twice = {each for each, times in Counter(told).items() if times > 1}
    assert (len(told), twice) == (560, set(told[500:520]))
    assert (purge["state"], purge["done"], purge["total"]) == ("done", 540, 540)
