"""Path indexes on a node: a process of its own makes them, and nobody waits for that."""

import fcntl
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.delivery import indexes
from apps.delivery.indexes import REST_SECONDS, Indexes
from apps.delivery.node import Node
from apps.releases.manifest import ManifestReader, PathIndex
from apps.releases.manifest.path_index import write_index
from apps.releases.manifest.writer import file_sha256
from tests.delivery.conftest import SITE
from tests.releases.test_manifest import SHORT, write
from tests.serving import Published


@pytest.fixture(autouse=True)
def _every_manifest_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "LEAST_PATHS", 1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the monotonic clock says from now on; a test moves it."""
    now = [1_000.0]
    monkeypatch.setattr(indexes, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def large(tmp_path: Path) -> tuple[ManifestReader, str]:
    write(tmp_path / "m", {"a.css": ("a", SHORT)})
    return ManifestReader(tmp_path / "m", is_mapped=False), file_sha256(tmp_path / "m")


def has_index(large: tuple[ManifestReader, str]) -> bool:
    return large[0].index is not None


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.time() + 30
    while not is_so():
        assert time.time() < deadline
        time.sleep(0.01)


def finished(known: Indexes) -> int | None:
    """Wait for the process that makes an index; return its exit status."""
    assert known._maker is not None
    return known._maker.wait(30)


def kill(known: Indexes) -> None:
    assert known._maker is not None
    known._maker.kill()
    known._maker.wait(30)


def test_a_node_looks_up_in_the_index_once_it_is_there(published: Published, tmp_path: Path) -> None:
    node = Node({"localhost": "production"})
    node.refresh()
    live = node.live["production"]
    rows = {path: live.reader.served(path) for path in (*SITE, "nothing.css")}

    def is_given() -> bool:
        node.index()
        return live.reader.index is not None

    until(is_given)
    live.reader.close()  # what is found from now on is not SQLite's answer
    assert {path: live.reader.served(path) for path in rows} == rows
    assert rows["nothing.css"] is None
    published.publish(2, SITE | {"ten.txt": b"new"})
    node.refresh()
    assert node.live["production"].reader.index is None
    assert node.live["production"].find("ten.txt")


def test_a_small_manifest_needs_none(
    large: tuple[ManifestReader, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "LEAST_PATHS", 2)
    Indexes(tmp_path / "indexes").give([large])
    assert not (tmp_path / "indexes").exists()


def test_one_process_at_a_time_makes_it(
    large: tuple[ManifestReader, str], tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    known, program = Indexes(tmp_path / "indexes"), tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho started >> {tmp_path}/log\nexec sleep 30\n")
    program.chmod(0o700)
    with monkeypatch.context() as patched:
        patched.setattr("sys.executable", str(program))
        known.give([large])
        until((tmp_path / "log").exists)
        known.give([large])
    kill(known)
    known.give([large])  # that is looked at again later
    assert (tmp_path / "log").read_text() == "started\n"
    clock[0] += REST_SECONDS + 1
    known.give([large])
    assert finished(known) == 0
    known.give([large])
    assert has_index(large)


def test_who_finds_another_machine_process_at_it_looks_again_soon(
    large: tuple[ManifestReader, str], tmp_path: Path, clock: list[float]
) -> None:
    sha256 = large[1]
    known, file = Indexes(tmp_path), tmp_path / f"{sha256}.index"
    with file.with_suffix(".part").open("a+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        known.give([large])
        assert finished(known) == 0
        known.give([large])
        assert not has_index(large)
    clock[0] += indexes.LOOK_AGAIN_SECONDS + 1
    known.give([large])
    assert finished(known) == 0
    known.give([large])
    assert has_index(large)


def test_a_damaged_index_is_made_again(
    large: tuple[ManifestReader, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader, sha256 = large
    file = tmp_path / f"{sha256}.index"
    write_index(reader.file, file, sha256=sha256)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    known = Indexes(tmp_path)
    with caplog.at_level(logging.WARNING, "apps.delivery.indexes"):
        known.give([large])
    assert "made again" in caplog.text
    assert not has_index(large)
    known.give([large])
    assert finished(known) == 0
    known.give([large])
    assert has_index(large)
    PathIndex(file, sha256=sha256)


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_gain(
    large: tuple[ManifestReader, str], tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    known = Indexes(tmp_path / "file" / "indexes")
    with caplog.at_level(logging.WARNING, "apps.delivery.indexes"):
        for _ in range(3):
            known.give([large])
    assert large[0].served("a.css")
    assert large[0].index is None
    assert len(caplog.records) == 1
    clock[0] += REST_SECONDS + 1
    known.give([large])
    assert len(caplog.records) == 2


def test_a_program_that_cannot_be_started_is_said_once(
    large: tuple[ManifestReader, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))
    known = Indexes(tmp_path / "indexes")
    with caplog.at_level(logging.WARNING, "apps.delivery.indexes"):
        for _ in range(3):
            known.give([large])
    assert len(caplog.records) == 1
    assert large[0].served("a.css")


def test_what_is_not_needed_any_more_goes_after_a_while(
    large: tuple[ManifestReader, str], tmp_path: Path
) -> None:
    reader, sha256 = large
    write_index(reader.file, tmp_path / f"{sha256}.index", sha256=sha256)
    old, new = tmp_path / "old.index", tmp_path / "new.part"
    for file in (old, new):
        file.touch()
    os.utime(old, (0, time.time() - REST_SECONDS - 10))
    Indexes(tmp_path).give([large])
    assert reader.index
    assert (old.exists(), new.exists()) == (False, True)
