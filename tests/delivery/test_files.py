"""Files of this machine: fetched once, compared with their digest, and served again while storage is down."""

import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import InMemoryStorage, storages
from pytest_django.fixtures import Settings

from apps.assets import store
from apps.assets.exceptions import StorageRefuses
from apps.delivery.files import FileFault, StorageDown, current_files
from apps.delivery.node import Node
from apps.releases.manifest import ManifestReader
from tests.delivery.conftest import LARGE, SITE, TEN
from tests.serving import Published, sha256


class Elsewhere(InMemoryStorage):
    """Django's storage in memory, which can be down, and counts what is fetched."""

    is_down = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.opened: list[str] = []

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        if self.is_down:
            raise RuntimeError("the bucket does not answer")
        self.opened.append(name)
        found: File[bytes] = super()._open(name, mode)  # type: ignore[misc]
        return found


@pytest.fixture
def elsewhere(published: Published, settings: Settings) -> Elsewhere:
    """A storage that is no folder, with all that is published."""
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": {"BACKEND": "tests.delivery.test_files.Elsewhere", "OPTIONS": {}},
    }
    place = storages["blobs"]
    assert isinstance(place, Elsewhere)
    current_files.cache_clear()
    upload(published, place)
    return place


def upload(published: Published, place: Elsewhere) -> None:
    for file in published.folder.rglob("*"):
        name = str(file.relative_to(published.folder))
        if file.is_file():
            place.delete(name)
            place.save(name, ContentFile(file.read_bytes()))


@pytest.fixture
def node(elsewhere: Elsewhere) -> Node:
    node = Node({"*": "production"})
    node.refresh()
    return node


def test_a_release_is_fetched_opened_and_followed(
    node: Node, published: Published, elsewhere: Elsewhere
) -> None:
    assert node.live["production"].number == 1
    published.publish(2, SITE)
    upload(published, elsewhere)
    node.refresh()
    assert node.live["production"].number == 2


def test_a_file_is_fetched_once(node: Node, elsewhere: Elsewhere) -> None:
    for _ in range(3):
        with current_files().open_blob(sha256(TEN), len(TEN)) as stream:
            assert stream.read() == TEN
    assert elsewhere.opened.count(store.blob_name(sha256(TEN))) == 1


def test_many_that_ask_at_once_fetch_once(
    node: Node, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, all_there = store.blob_name(sha256(LARGE)), threading.Barrier(8)

    def ask() -> None:
        all_there.wait(30)
        assert current_files().bring(name, sha256=sha256(LARGE), size=len(LARGE)).read_bytes() == LARGE

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert elsewhere.opened.count(name) == 1


@pytest.mark.parametrize("left", [b"", TEN[:3]])
def test_what_was_kept_and_is_not_whole_any_more_is_fetched_again(
    node: Node, tmp_path: Path, left: bytes
) -> None:
    current_files().open_blob(sha256(TEN), len(TEN)).close()
    (tmp_path / "node" / store.blob_name(sha256(TEN))).write_bytes(left)
    with current_files().open_blob(sha256(TEN), len(TEN)) as stream:
        assert stream.read() == TEN


def test_what_is_damaged_elsewhere_is_not_kept(node: Node, elsewhere: Elsewhere, tmp_path: Path) -> None:
    name = store.blob_name(sha256(TEN))
    elsewhere.delete(name)
    elsewhere.save(name, ContentFile(b"0123456780"))
    with pytest.raises(FileFault, match="is damaged"):
        current_files().open_blob(sha256(TEN), len(TEN))
    assert not (tmp_path / "node" / name).exists()
    assert {file.name for file in (tmp_path / "node" / "fetching").iterdir()} <= {"sweeping"}


def test_what_is_missing_elsewhere_is_a_fault(node: Node, elsewhere: Elsewhere) -> None:
    elsewhere.delete(store.blob_name(sha256(TEN)))
    with pytest.raises(FileFault, match="is missing from storage"):
        current_files().open_blob(sha256(TEN), len(TEN))


def test_a_storage_that_is_down_is_a_fault_and_what_was_fetched_is_served(
    node: Node, elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture
) -> None:
    current_files().open_blob(sha256(TEN), len(TEN)).close()
    elsewhere.is_down = True
    node.refresh()
    node.refresh()
    assert node.storage_fault == "the bucket does not answer"
    assert caplog.text.count("The pointer of production cannot be followed") == 1
    current_files().open_blob(sha256(TEN), len(TEN)).close()
    with pytest.raises(FileFault, match="the bucket does not answer"):
        current_files().open_blob(sha256(LARGE), len(LARGE))


def test_a_process_that_starts_while_storage_is_down_serves_what_was_kept(
    node: Node, elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere.is_down = True
    started = Node({"*": "production", "staging.example.com": "staging"})
    for _ in range(3):
        started.refresh()
    assert started.live["production"].number == 1
    assert "staging" not in started.live
    assert started.storage_fault
    assert caplog.text.count("The pointer of production") == 1
    elsewhere.is_down = False
    started.refresh()
    assert not started.storage_fault
    assert not started.faults


def test_a_pointer_that_is_gone_elsewhere_leaves_what_is_served(node: Node, elsewhere: Elsewhere) -> None:
    elsewhere.delete("channels/production.json")
    node.refresh()
    assert node.live["production"].number == 1
    assert "is not there any more" in node.faults["production"]
    assert not node.storage_fault


def test_what_is_damaged_here_is_replaced_and_reported(
    node: Node, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files, copy = current_files(), tmp_path / "node" / store.blob_name(sha256(LARGE))
    files.open_blob(sha256(LARGE), len(LARGE)).close()
    overwrite(copy, b"\1" + LARGE[1:])
    assert files.open_compared(sha256(LARGE), len(LARGE)) is None
    with files.open_blob(sha256(LARGE), len(LARGE)) as stream:
        assert stream.read() == LARGE
    assert (files.replaced, files.faulty) == (1, [])
    assert f"{copy} is damaged" in caplog.text


def test_a_small_copy_that_has_changed_is_compared_again(node: Node, tmp_path: Path) -> None:
    files, copy = current_files(), tmp_path / "node" / store.blob_name(sha256(TEN))
    files.open_blob(sha256(TEN), len(TEN)).close()
    assert files.read_small(sha256(TEN), len(TEN)) == TEN
    overwrite(copy, b"0123456780")
    assert files.read_small(sha256(TEN), len(TEN)) is None
    assert not files.is_here(store.blob_name(sha256(TEN)), sha256=sha256(TEN), size=len(TEN))
    assert not copy.exists()


def test_a_copy_that_was_replaced_meanwhile_stays(node: Node, tmp_path: Path) -> None:
    """Two may find the same damage; the second must not remove what the first has fetched."""
    files, copy = current_files(), tmp_path / "node" / store.blob_name(sha256(TEN))
    files.open_blob(sha256(TEN), len(TEN)).close()
    overwrite(copy, b"0123456780")
    assert not files._checked.compare(copy, sha256(TEN), len(TEN))
    copy.unlink()
    copy.write_bytes(TEN)
    files._checked.replace(copy)
    assert copy.read_bytes() == TEN
    assert files.replaced == 0


def test_a_failure_is_said_again_for_a_while_and_then_it_is_tried_again(
    node: Node, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [1000.0]
    monkeypatch.setattr("apps.delivery.files.faults.time.monotonic", lambda: now[0])
    name = store.blob_name(sha256(TEN))
    elsewhere.delete(name)
    for wait in (0.0, 0.9, 1.0, 0.9):  # two tries, each for itself and for who comes soon after
        now[0] += wait
        with pytest.raises(FileFault, match="is missing from storage"):
            current_files().open_blob(sha256(TEN), len(TEN))
    assert elsewhere.opened.count(name) == 2
    assert caplog.text.count("is missing from storage") == 1
    elsewhere.save(name, ContentFile(TEN))
    now[0] += 1.2
    current_files().open_blob(sha256(TEN), len(TEN)).close()


def test_while_storage_is_down_it_is_not_asked_for_each_file(node: Node, elsewhere: Elsewhere) -> None:
    elsewhere.is_down = True
    with pytest.raises(StorageDown):
        current_files().open_blob(sha256(TEN), len(TEN))
    elsewhere.is_down = False
    with pytest.raises(StorageDown):
        current_files().open_blob(sha256(LARGE), len(LARGE))


def test_what_cannot_be_kept_is_a_fault_and_what_is_there_is_served(
    node: Node, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    current_files().open_blob(sha256(TEN), len(TEN)).close()

    def full(name: str, part: Path) -> str:
        part.write_bytes(b"beg")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(store, "download", full)
        with pytest.raises(FileFault, match=r"cannot be kept here: .* No space left"):
            current_files().open_blob(sha256(LARGE), len(LARGE))
    assert not list((tmp_path / "node" / "fetching").iterdir())
    assert current_files().read_small(sha256(TEN), len(TEN)) == TEN


def test_a_disk_that_fails_when_a_file_gets_its_place_is_a_fault(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(number: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("apps.delivery.files.fetching.os.fsync", broken)
    with pytest.raises(FileFault, match="cannot be kept here"):
        current_files().open_blob(sha256(TEN), len(TEN))


def test_a_folder_that_cannot_be_written_takes_away_nothing(
    node: Node, published: Published, elsewhere: Elsewhere, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What stands in the way also keeps root out, whom a folder's mode does not."""
    for name in ("fetching", "size"):
        place = tmp_path / "node" / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    (tmp_path / "node" / "fetching").touch()
    (tmp_path / "node" / "size").mkdir()
    with pytest.raises(OSError, match="fetching"):
        current_files().open_blob(sha256(LARGE), len(LARGE))
    current_files().tidy()
    assert "Nothing more can be kept" in caplog.text
    published.point_at(1)
    upload(published, elsewhere)
    node.refresh()
    node.refresh()
    assert node.live["production"].sequence == 2
    assert not node.faults
    assert caplog.text.count("cannot be kept: a start while storage is down") == 1


KILLED = """
import os, sys, django
django.setup()
from apps.assets import store
from apps.delivery.files import current_files
def die(name, part):
    part.write_bytes(b"half of it")
    os.kill(os.getpid(), 9)
store.download = die
current_files().fetch("blobs/x", sha256="a" * 64, size=20)
"""


def test_who_is_killed_while_fetching_leaves_nothing_that_lasts(
    node: Node, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    environment = os.environ | {
        "DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "assetsite.settings",
        "SECRET_KEY": "for-tests-only",
        "STORAGE_URL": "s3://key:secret@127.0.0.1:1/bucket",
    }
    done = subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    assert done.returncode == -9
    fetching = tmp_path / "node" / "fetching"
    assert (fetching / ("a" * 64 + ".part")).exists()
    current_files().tidy()
    assert not list(fetching.iterdir())


def test_what_another_process_fetches_is_waited_for(
    node: Node, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that is held through a file of its own is another process's, as far as anybody can tell."""
    lock = tmp_path / "node" / "fetching" / sha256(TEN)
    lock.parent.mkdir(parents=True, exist_ok=True)
    name, copy = store.blob_name(sha256(TEN)), tmp_path / "node" / store.blob_name(sha256(TEN))
    has_waited = threading.Event()
    monkeypatch.setattr("apps.delivery.files.locks.time.sleep", lambda seconds: has_waited.set())
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=current_files().open_blob, args=(sha256(TEN), len(TEN)))
        waiting.start()
        assert has_waited.wait(30)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(TEN)
    waiting.join()
    assert name not in elsewhere.opened


def test_who_waits_for_another_for_too_long_gives_up(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.delivery.files.locks.PATIENCE_SECONDS", -1.0)
    lock = tmp_path / "node" / "fetching" / sha256(TEN)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FileFault, match="held by somebody else"):
            current_files().open_blob(sha256(TEN), len(TEN))


def test_a_pointer_that_is_gone_is_a_fault_for_a_start_too(node: Node, elsewhere: Elsewhere) -> None:
    elsewhere.delete("channels/production.json")
    started = Node({"*": "production"})
    started.refresh()
    assert started.live["production"].number == 1
    assert "is not there any more" in started.faults["production"]


def test_a_start_serves_what_was_kept_where_the_new_manifest_is_damaged(
    node: Node, published: Published, elsewhere: Elsewhere
) -> None:
    published.publish(2, SITE)
    upload(published, elsewhere)
    elsewhere.delete("manifests/2.sqlite")
    elsewhere.save("manifests/2.sqlite", ContentFile(b"\0" * 65_536))
    started = Node({"*": "production"})
    started.refresh()
    assert started.live["production"].number == 1
    assert "is damaged in storage" in started.faults["production"]


def test_a_start_while_storage_hangs_serves_what_was_kept(
    node: Node, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over = threading.Event()

    def hanging(name: str, tag: str) -> tuple[bytes | None, str]:
        assert is_over.wait(30)
        raise RuntimeError("the bucket does not answer")

    monkeypatch.setattr(store, "read_unless", hanging)
    monkeypatch.setattr("apps.delivery.node.FIRST_LOOK_SECONDS", 0.01)
    started = Node({"*": "production"})
    started.follow()
    assert started.live["production"].number == 1
    is_over.set()


def test_a_manifest_that_was_compared_is_not_read_again_by_the_next_start(
    node: Node, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    current_files.cache_clear()
    monkeypatch.setattr("apps.delivery.files.checked.hashlib.file_digest", None)
    started = Node({"*": "production"})
    started.refresh()
    assert started.live["production"].number == 1


def test_a_manifest_that_was_damaged_since_it_was_compared_is_found_and_fetched_anew(
    node: Node, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / "node" / "manifests" / "1.sqlite"
    whole, status = manifest.read_bytes(), manifest.stat()
    overwrite(manifest, whole[:-1] + b"\1")
    os.utime(manifest, ns=(status.st_atime_ns, status.st_mtime_ns))
    current_files.cache_clear()
    started = Node({"*": "production"})
    started.refresh()
    started.recheck()
    assert started.live["production"].number == 1
    monkeypatch.setattr("apps.delivery.files.RECHECK_SECONDS", 0.0)
    started.recheck()
    assert "production" not in started.live
    assert "was found damaged" in started.faults["production"]
    started.refresh()
    assert started.live["production"].number == 1
    assert manifest.read_bytes() == whole
    started.recheck()
    assert started.live


def test_a_manifest_in_a_folder_of_storage_is_not_served_once_it_is_found_damaged(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    Node({"*": "production"}).refresh()
    current_files.cache_clear()
    started = Node({"*": "production"})
    started.refresh()
    manifest = published.folder / "manifests" / "1.sqlite"
    whole = manifest.read_bytes()
    overwrite(manifest, whole[:-1] + b"\1")
    monkeypatch.setattr("apps.delivery.files.RECHECK_SECONDS", 0.0)
    started.recheck()
    assert "production" not in started.live
    started.refresh()
    assert "production" not in started.live
    assert "is damaged" in started.faults["production"]
    manifest.write_bytes(whole)
    started.refresh()
    assert started.live["production"].number == 1
    assert not started.faults


def rewritten(manifest: Path, sql: str) -> None:
    """Change rows as somebody with the disk can, who sets the time back, too."""
    status = manifest.stat()
    manifest.chmod(0o644)
    with closing(sqlite3.connect(manifest)) as db, db:
        db.execute(sql)
    os.utime(manifest, ns=(status.st_atime_ns, status.st_mtime_ns))


OTHER_BYTES = (
    "UPDATE entry SET blob = (SELECT blob FROM entry WHERE path = 'data.json') WHERE path = 'ten.txt'"
)


def test_a_manifest_that_is_written_to_while_it_is_served_is_served_no_more_until_it_is_whole(
    published: Published,
) -> None:
    node = Node({"*": "production"})
    node.refresh()
    manifest = published.folder / "manifests" / "1.sqlite"
    whole = manifest.read_bytes()
    manifest.chmod(0o640)
    node.recheck()
    assert node.live, "who changes no byte takes nothing away"
    rewritten(manifest, OTHER_BYTES)
    node.recheck()
    assert not node.live
    node.refresh()
    assert not node.live
    assert "is damaged" in node.faults["production"]
    manifest.write_bytes(whole)
    node.refresh()
    node.recheck()
    assert (node.live["production"].number, node.faults) == (1, {})
    manifest.unlink()
    node.recheck()
    assert node.live, "it is open"


def test_a_manifest_whose_use_is_noted_is_not_read_again_for_that(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / "node" / "manifests" / "1.sqlite"
    monkeypatch.setattr("apps.delivery.files.room.MINUTE_SECONDS", -60)
    monkeypatch.setattr("apps.delivery.files.checked.hashlib.file_digest", None)
    before = manifest.stat().st_ctime_ns
    while manifest.stat().st_ctime_ns == before:  # clocks of file systems tick
        current_files().note_use(manifest)
    node.recheck()
    assert node.live


def test_a_copy_of_a_manifest_that_is_written_to_while_it_is_served_is_fetched_anew(
    node: Node, tmp_path: Path
) -> None:
    manifest = tmp_path / "node" / "manifests" / "1.sqlite"
    whole = manifest.read_bytes()
    rewritten(manifest, OTHER_BYTES)
    node.recheck()
    node.refresh()
    assert (node.live["production"].number, node.faults) == (1, {})
    assert manifest.read_bytes() == whole


def test_a_manifest_that_another_process_has_fetched_anew_meanwhile_is_opened_anew(
    node: Node, tmp_path: Path
) -> None:
    manifest = tmp_path / "node" / "manifests" / "1.sqlite"
    whole, opened = manifest.read_bytes(), node.live["production"].reader
    rewritten(manifest, OTHER_BYTES)
    manifest.unlink()
    manifest.write_bytes(whole)
    node.recheck()
    node.refresh()
    assert (node.live["production"].number, node.faults) == (1, {})
    assert node.live["production"].reader is not opened
    node.recheck()
    assert node.live


def test_a_manifest_that_a_preview_has_found_damaged_is_not_served_by_a_channel_either(
    published: Published,
) -> None:
    node = Node({"*": "production"})
    node.refresh()
    manifest = published.folder / "manifests" / "1.sqlite"
    with ManifestReader(manifest) as shown:
        rewritten(manifest, OTHER_BYTES)
        for _ in range(2):
            assert current_files().changed([shown]) == [shown]
    node.recheck()
    assert not node.live


def test_a_refusal_of_one_file_is_not_taken_for_that_of_all(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket that may not be listed refuses what it lacks."""

    def refuse(name: str, part: Path) -> str:
        raise StorageRefuses("AccessDenied (403)", next_step="Check key and secret.")

    with monkeypatch.context() as patched:
        patched.setattr(store, "download", refuse)
        with pytest.raises(FileFault, match="AccessDenied") as caught:
            current_files().open_blob(sha256(TEN), len(TEN))
    assert not isinstance(caught.value, StorageDown)
    current_files().open_blob(sha256(LARGE), len(LARGE)).close()


def assert_that_three_faults_are_known() -> None:
    """Meet ten, of which the latest are named."""
    for number in range(10):
        digest = f"{number:064}"
        with pytest.raises(FileFault):
            current_files().open_blob(digest, 1)
        assert 0 < len(current_files().faulty) <= 3
        assert store.blob_name(digest) in current_files().faulty


def test_what_is_known_of_faults_is_bounded(
    published: Published, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.delivery.files.faults._MOST_NAMES", 3)
    assert_that_three_faults_are_known()


def test_what_is_known_of_a_folders_faults_is_bounded(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.delivery.files.checked._FAULTY_FILES", 3)
    assert_that_three_faults_are_known()


def test_a_folder_of_storage_is_compared_too(published: Published, caplog: pytest.LogCaptureFixture) -> None:
    blob = published.blob(LARGE)
    overwrite(blob, b"\1" + LARGE[1:])
    for _ in range(3):
        with pytest.raises(FileFault, match="is damaged"):
            current_files().open_blob(sha256(LARGE), len(LARGE))
    assert caplog.text.count("is damaged") == 1
    assert current_files().faulty == [store.blob_name(sha256(LARGE))]
    blob.unlink()
    for _ in range(2):
        with pytest.raises(FileFault, match="is missing"):
            current_files().open_blob(sha256(LARGE), len(LARGE))
    assert caplog.text.count("is missing") == 1
    assert current_files().faulty == [store.blob_name(sha256(LARGE))]
    assert current_files().replaced == 0
    published.blob(LARGE)
    assert current_files().faulty == []
    current_files().open_blob(sha256(LARGE), len(LARGE)).close()


def test_a_folder_of_storage_is_read_once(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    current_files().open_blob(sha256(LARGE), len(LARGE)).close()
    monkeypatch.setattr("apps.delivery.files.checked.hashlib.file_digest", None)
    for _ in range(3):
        current_files().open_blob(sha256(LARGE), len(LARGE)).close()


def test_a_start_whose_own_folder_cannot_be_written_serves_a_folder_of_storage(
    published: Published, tmp_path: Path
) -> None:
    (tmp_path / "node").touch()
    started = Node({"*": "production"})
    started.refresh()
    assert started.live["production"].number == 1
    assert not started.faults


def overwrite(file: Path, content: bytes) -> None:
    """Change a file in its place, as a disk that fails does."""
    file.chmod(0o644)
    file.write_bytes(content)
