"""The room for what was fetched: bounded, and what was not used for longest goes first."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.assets import store
from apps.delivery.body_cache import BodyCache
from apps.delivery.files import current_files
from apps.delivery.files.locks import alone_if_free
from apps.delivery.files.room import Room, note_use
from tests.delivery.conftest import LARGE, TEN
from tests.delivery.test_files import Elsewhere, elsewhere
from tests.serving import Published, sha256

__all__ = ["elsewhere"]

HOUR = 3600


def fill(folder: Path, count: int, *, size: int = 100) -> list[Path]:
    """Make files that were used an hour one after the other, the last one an hour ago."""
    files = [folder / "blobs" / f"{number:02}" / "blob" for number in range(count)]
    for number, file in enumerate(files):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x" * size)
        used(file, (count - number) * HOUR)
    return files


def used(file: Path, seconds_ago: float) -> None:
    os.utime(file, (time.time() - seconds_ago, 1))


def left(files: list[Path]) -> list[int]:
    return [number for number, file in enumerate(files) if file.exists()]


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    files = fill(tmp_path, 10)
    note_use(files[0], files[0].stat())
    Room(tmp_path, 800).sweep()
    assert left(files) == [0, 4, 5, 6, 7, 8, 9]  # down to nine tenths of 800


def test_what_fits_stays(tmp_path: Path) -> None:
    files = fill(tmp_path, 10)
    Room(tmp_path, 1000).sweep()
    assert left(files) == list(range(10))


def test_what_is_used_this_moment_stays_and_its_neighbours_of_the_same_minute_go(tmp_path: Path) -> None:
    files = fill(tmp_path, 4)
    for file in files[1:]:
        used(file, 0)
    Room(tmp_path, 100).sweep()
    assert left(files) == [1, 2, 3]


def test_a_use_is_noted_once_a_minute(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for seconds_ago, is_noted in ((50, False), (70, True)):
        used(file, seconds_ago)
        before = file.stat()
        note_use(file, before)
        assert (file.stat().st_atime_ns != before.st_atime_ns) is is_noted
        assert file.stat().st_mtime_ns == before.st_mtime_ns
    used(file, 70)
    before = file.stat()
    file.unlink()
    note_use(file, before)


def test_the_manifests_of_what_is_kept_of_the_channels_stay(tmp_path: Path, published: Published) -> None:
    node = tmp_path / "node"
    pointer = json.loads(published.pointer.read_bytes())
    pointer["retained"] = pointer["manifest"] | {"name": "retained/1.sqlite"}
    for name in ("manifests/1.sqlite", "retained/1.sqlite", "manifests/old.sqlite"):
        (node / name).parent.mkdir(parents=True, exist_ok=True)
        (node / name).write_bytes(b"x" * 100)
        used(node / name, HOUR)
    (node / "channels").mkdir()
    (node / "channels" / "production.json").write_text(json.dumps(pointer))
    (node / "channels" / "broken.json").write_text("{")
    Room(node, 1).sweep()
    assert not (node / "manifests" / "old.sqlite").exists()
    assert (node / "manifests" / "1.sqlite").exists()
    assert (node / "retained" / "1.sqlite").exists()
    assert len(list((node / "channels").iterdir())) == 2


def test_what_processes_add_is_counted_together_and_looked_at_above_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = threading.Event()
    monkeypatch.setattr(Room, "sweep", lambda room: swept.set())
    (tmp_path / "size").write_text("0")
    one, other = Room(tmp_path, 1000), Room(tmp_path, 1000)
    was_tight = []
    for room, size_bytes in ((one, 700), (other, 300)):
        room.add(size_bytes)
        was_tight.append(one.is_tight)
    assert was_tight == [False, True]
    assert not swept.is_set()
    one.add(1)
    assert swept.wait(30)
    swept.clear()
    one.add(1)  # just now: the sweep is under way
    other.add(1)
    assert swept.wait(30)


def test_what_nobody_has_counted_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept = threading.Event()
    monkeypatch.setattr(Room, "sweep", lambda room: swept.set())
    Room(tmp_path, 1000).add(0)
    assert swept.wait(30)


def test_after_a_sweep_what_is_there_is_counted(tmp_path: Path) -> None:
    files, room = fill(tmp_path, 10), Room(tmp_path, 1000)
    (tmp_path / "size").write_text("whatever")
    room.sweep()
    assert int((tmp_path / "size").read_text()) == 1000
    files[0].unlink()
    room.sweep()
    assert int((tmp_path / "size").read_text()) == 900


def test_one_process_sweeps_at_a_time(tmp_path: Path) -> None:
    files = fill(tmp_path, 10)
    with alone_if_free(tmp_path / "fetching" / "sweeping") as is_mine:
        assert is_mine
        Room(tmp_path, 500).sweep()
    assert left(files) == list(range(10))


def test_what_is_fetched_is_bounded_and_fetched_again_when_it_is_asked_for(
    elsewhere: Elsewhere, settings: Settings, tmp_path: Path
) -> None:
    settings.NODE_CACHE_BYTES = len(LARGE)
    current_files.cache_clear()
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "size").write_text("0")
    files, large = current_files(), tmp_path / "node" / store.blob_name(sha256(LARGE))
    stream = files.open_blob(sha256(LARGE), len(LARGE))
    used(large, HOUR)
    files.open_blob(sha256(TEN), len(TEN)).close()
    wait_until_gone(large)
    assert stream.read() == LARGE  # who has begun goes on to the end
    stream.close()
    assert files.read_small(sha256(TEN), len(TEN)) == TEN
    files.open_blob(sha256(LARGE), len(LARGE)).close()
    assert elsewhere.opened.count(store.blob_name(sha256(LARGE))) == 2


def test_what_is_served_from_memory_counts_as_used(
    elsewhere: Elsewhere, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NODE_CACHE_BYTES = len(LARGE) * 5 // 4  # nearly full: nothing is removed meanwhile
    current_files.cache_clear()
    files = current_files()
    bodies = BodyCache(1 << 20, files)
    files.in_use.append(bodies.used)
    copies = {}
    for content in (TEN, LARGE):
        files.open_blob(sha256(content), len(content)).close()
        copies[content] = tmp_path / "node" / store.blob_name(sha256(content))
    assert bodies.whole(sha256(TEN), len(TEN)) == TEN
    held = bodies.file(sha256(LARGE), len(LARGE))
    assert held
    held.is_used = False  # since the last time
    for copy in copies.values():
        used(copy, HOUR)
    monkeypatch.setattr(Room, "add", lambda room, size_bytes: None)
    files._tidy_at = 0.0
    files.tidy()
    now = time.time()
    assert now - copies[LARGE].stat().st_atime > HOUR - 60
    assert now - copies[TEN].stat().st_atime < 60
    assert held.part(0, 1)
    assert set(bodies.used()) == {sha256(TEN), sha256(LARGE)}
    assert set(bodies.used()) == {sha256(TEN)}


def wait_until_gone(file: Path) -> None:
    deadline = time.monotonic() + 30
    while file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
