import ctypes
import errno
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from unittest import mock

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, storages
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from apps.assets import disk, store
from apps.assets.exceptions import BlobDamaged, StorageFull, StorageNotWritable

pytestmark = pytest.mark.usefixtures("no_collector")

_PROGRAM_WITH_A_LIMIT = """
import resource, sys
import django
from django.conf import settings
folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": sys.argv[1]}}
settings.configure(STORAGES={"blobs": folder})
django.setup()
from apps.assets import disk, store
from apps.assets.exceptions import StorageFull
sys.dont_write_bytecode = True  # which the limit would cut short for every process after this one
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
store.put_blob([b"x" * 100])
try:
    store.put_blob([b"y" * 60, b"z" * 60])
except StorageFull as refusal:
    print(refusal)
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
"""


def _put_together(*blobs: Iterable[bytes]) -> None:
    with store.writing() as batch:
        for chunks in blobs:
            batch.add(chunks)


def _names(folder: Path) -> list[str]:
    """Return the names of all files in storage, unfinished ones too."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _failing() -> Iterator[bytes]:
    yield b"first"
    raise RuntimeError("the source broke off")


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_a_blob_lies_under_the_sha256_of_its_bytes(chunks: list[bytes]) -> None:
    content = b"".join(chunks)

    blob = store.put_blob(chunks)

    assert blob == store.StoredBlob(_digest(content), len(content))
    assert store.read_blob(blob.digest) == content


def test_a_blob_is_read_only_in_a_folder_made_of_its_name(storage_folder: Path) -> None:
    digest = store.put_blob([b"hello"]).digest

    file = storage_folder / "blobs" / "sha256" / digest[:2] / digest[2:4] / digest
    assert file.read_bytes() == b"hello"
    assert file.stat().st_mode & 0o777 == 0o444


def test_bytes_that_are_stored_already_are_not_written_again(storage_folder: Path) -> None:
    digest = store.put_blob([b"hello"]).digest
    before = (storage_folder / store.blob_name(digest)).stat()

    store.put_blob([b"hel", b"lo"])

    after = (storage_folder / store.blob_name(digest)).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert _names(storage_folder) == [store.blob_name(digest)]


def test_small_bytes_that_are_known_are_not_written_even_for_a_moment() -> None:
    store.put_blob([b"hello"])

    with store.writing() as batch:
        batch.add([b"new"])
        with mock.patch.object(store, "_new_temporary_file", side_effect=AssertionError("a file was made")):
            batch.add([b"hel", b"lo"])
            batch.add([b"n", b"ew"])


@pytest.mark.parametrize("size", [store.CHUNK_BYTES - 1, store.CHUNK_BYTES, 3 * store.CHUNK_BYTES + 1])
def test_a_blob_of_any_size_is_whole_and_is_written_once(storage_folder: Path, size: int) -> None:
    content = os.urandom(size)
    cuts = (0, 1, size // 2, size)
    for _ in range(2):
        _put_together([content[a:b] for a, b in pairwise(cuts)], [content])

    assert _names(storage_folder) == [store.blob_name(_digest(content))]
    assert store.read_blob(_digest(content)) == content


def test_a_blob_that_was_cut_short_since_is_replaced_and_reported(
    storage_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = store.blob_name(store.put_blob([b"hello"]).digest)
    (storage_folder / name).chmod(0o644)
    (storage_folder / name).write_bytes(b"hel")

    store.put_blob([b"hello"])

    assert (storage_folder / name).read_bytes() == b"hello"
    assert f"{name} has 3 bytes in storage instead of 5" in caplog.text


def test_a_source_that_breaks_off_leaves_nothing(storage_folder: Path) -> None:
    with pytest.raises(RuntimeError, match="broke off"):
        store.put_blob(_failing())

    assert _names(storage_folder) == []


def test_a_batch_appears_whole_at_its_end(storage_folder: Path) -> None:
    with store.writing() as batch:
        digests = [batch.add([content]).digest for content in (b"a", b"b", b"a")]
        assert len(batch) == 2
        assert batch.size_bytes == 2
        assert not any(store.is_stored(store.blob_name(digest), size_bytes=1) for digest in digests)

    assert [store.read_blob(digest) for digest in digests] == [b"a", b"b", b"a"]
    assert len(_names(storage_folder)) == 2


def test_a_batch_goes_on_after_a_source_that_breaks_off(storage_folder: Path) -> None:
    with store.writing() as batch:
        batch.add([b"a"])
        with pytest.raises(RuntimeError, match="broke off"):
            batch.add(_failing())
        batch.add([b"b"])

    assert _names(storage_folder) == sorted(store.blob_name(_digest(content)) for content in (b"a", b"b"))


def test_what_is_taken_out_of_a_batch_does_not_reach_storage(storage_folder: Path) -> None:
    with store.writing() as batch:
        unwanted = batch.add([b"unwanted"])
        batch.take_out(unwanted.digest)
        batch.take_out(unwanted.digest)
        assert batch.size_bytes == 0

    assert _names(storage_folder) == []


def test_an_interrupted_batch_leaves_nothing(storage_folder: Path) -> None:
    with pytest.raises(RuntimeError, match="broke off"):
        _put_together([b"a"], _failing())

    assert _names(storage_folder) == []


def test_bytes_that_are_read_back_differently_are_refused_and_removed(storage_folder: Path) -> None:
    def damage() -> Iterator[bytes]:
        """Change the file that was written before this one."""
        yield b"b"
        for unfinished in (storage_folder / "unfinished").iterdir():
            if unfinished.read_bytes() == b"hello":
                unfinished.chmod(0o644)
                unfinished.write_bytes(b"hullo")

    with pytest.raises(BlobDamaged, match="not read back"):
        _put_together([b"hello"], damage())

    assert _names(storage_folder) == []


def test_a_finished_file_gets_its_name_only_with_the_bytes_it_should_have(storage_folder: Path) -> None:
    with store.temporary_file() as file:
        file.write_bytes(b"manifest")
        with pytest.raises(BlobDamaged):
            store.put_file("manifests/1", file, sha256=_digest(b"another"))
        store.put_file("manifests/1", file, sha256=_digest(b"manifest"))

    assert store.read("manifests/1") == b"manifest"
    assert _names(storage_folder) == ["manifests/1"]


def test_a_file_that_is_stored_already_is_left_alone(storage_folder: Path) -> None:
    for _ in range(2):
        with store.temporary_file() as file:
            file.write_bytes(b"manifest")
            store.put_file("manifests/1", file, sha256=_digest(b"manifest"))

    assert _names(storage_folder) == ["manifests/1"]


def test_a_full_disk_is_a_refusal_that_names_the_folder_and_the_next_step(storage_folder: Path) -> None:
    folder = store.temporary_folder()
    folder.mkdir()
    full = folder / "unfinished-full"
    full.symlink_to("/dev/full")

    with (
        mock.patch.object(store, "_new_temporary_file", return_value=full),
        pytest.raises(StorageFull) as refusal,
    ):
        store.put_blob([b"hello"])

    assert str(folder) in refusal.value.message
    assert "No space left on device" in refusal.value.message
    assert f"df -h {folder}" in refusal.value.next_step
    assert not full.is_symlink()


def test_a_limit_on_the_size_of_files_is_found_while_writing_and_leaves_nothing(storage_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM_WITH_A_LIMIT, storage_folder],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "File too large" in done.stdout
    assert _names(storage_folder) == [store.blob_name(_digest(b"x" * 100))]


def test_a_disk_that_is_full_when_files_are_synced_leaves_none_of_the_batch(storage_folder: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with mock.patch("os.fsync", side_effect=full), pytest.raises(StorageFull):
        _put_together([b"a"], [b"b"])

    assert _names(storage_folder) == []


def test_a_folder_that_may_not_be_written_to_is_a_refusal() -> None:
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with mock.patch("tempfile.mkstemp", side_effect=denied), pytest.raises(StorageNotWritable) as refusal:
        store.put_blob([b"hello"])

    assert "Permission denied" in refusal.value.message


def test_any_other_fault_of_the_disk_is_not_explained_away() -> None:
    with (
        mock.patch("os.fsync", side_effect=OSError(errno.EIO, "I/O error")),
        pytest.raises(OSError, match="I/O"),
    ):
        store.put_blob([b"hello"])


@pytest.mark.skipif(disk._syncfs is None, reason="this system has no syncfs that tells of errors")
class TestManyFiles:
    """What is synced by one call instead of many."""

    def test_many_files_are_synced_together_and_a_few_one_by_one(self, storage_folder: Path) -> None:
        with mock.patch.object(disk, "_syncfs", return_value=0) as syncfs, mock.patch("os.fsync") as fsync:
            _put_together(*([b"%d" % number] for number in range(disk._MANY)))
            assert (syncfs.call_count, fsync.call_count) == (2, 0)
            _put_together([b"a"], [b"b"])
            assert syncfs.call_count == 2
            assert fsync.call_count >= 4

        assert len(_names(storage_folder)) == disk._MANY + 2

    def test_a_sync_that_fails_leaves_none_of_the_batch(self, storage_folder: Path) -> None:
        def fail(_handle: int) -> int:
            ctypes.set_errno(errno.ENOSPC)
            return -1

        with mock.patch.object(disk, "_syncfs", side_effect=fail), pytest.raises(StorageFull):
            _put_together(*([b"%d" % number] for number in range(disk._MANY)))

        assert _names(storage_folder) == []

    def test_the_real_call_takes_a_folder(self, storage_folder: Path) -> None:
        disk.sync_all([storage_folder] * disk._MANY, below=storage_folder)


@pytest.mark.parametrize(("release", "is_used"), [("5.16.9", False), ("5.17.0-8-amd64", True), ("6.1", True)])
def test_a_kernel_that_hides_errors_is_not_trusted_with_many_files(release: str, is_used: bool) -> None:
    with mock.patch("platform.release", return_value=release), mock.patch("sys.platform", "linux"):
        assert (disk._find_syncfs() is not None) == is_used


def test_what_a_killed_process_left_is_removed(storage_folder: Path) -> None:
    store.put_blob([b"kept"])
    left = store.temporary_folder() / "unfinished-1"
    left.write_bytes(b"half a fi")
    other = store.temporary_folder() / "something-else"
    other.touch()

    assert store.remove_unfinished(older_than_seconds=3600) == []
    assert store.remove_unfinished() == [left]
    assert other.exists()
    assert store.read_blob(_digest(b"kept")) == b"kept"


def test_replacing_gives_the_whole_new_content(storage_folder: Path) -> None:
    store.replace("channels/production.json", b"one")
    store.replace("channels/production.json", b"two")

    assert store.read("channels/production.json") == b"two"
    assert _names(storage_folder) == ["channels/production.json"]


def test_what_is_not_there_reads_as_nothing() -> None:
    assert store.read("channels/none.json") is None
    with pytest.raises(FileNotFoundError):
        store.open_blob("0" * 64)


def test_a_stream_is_read_in_pieces() -> None:
    pieces = list(store.chunks_of(io.BytesIO(bytes(store.CHUNK_BYTES + 1))))

    assert [len(piece) for piece in pieces] == [store.CHUNK_BYTES, 1]


class TestElsewhere:
    """A storage that is no folder on this machine."""

    @pytest.fixture(autouse=True)
    def memory(self, settings: Settings) -> InMemoryStorage:
        settings.STORAGES = {
            **settings.STORAGES,
            "blobs": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        }
        memory = storages["blobs"]
        assert isinstance(memory, InMemoryStorage)
        return memory

    def test_blobs_are_uploaded_and_read_back(self) -> None:
        blob = store.put_blob([b"hel", b"lo"])
        store.put_blob([b"hello"])

        assert store.local_path(store.blob_name(blob.digest)) is None
        assert store.read_blob(blob.digest) == b"hello"
        assert list(store.temporary_folder().iterdir()) == []

    def test_an_upload_that_arrives_differently_is_deleted_and_refused(self, memory: InMemoryStorage) -> None:
        def corrupt(name: str, content: object) -> str:
            return InMemoryStorage.save(memory, name, ContentFile(b"hullo"))

        with mock.patch.object(memory, "save", side_effect=corrupt), pytest.raises(BlobDamaged):
            store.put_blob([b"hello"])

        assert not memory.exists(store.blob_name(_digest(b"hello")))

    def test_replacing_writes_the_content(self) -> None:
        store.replace("channels/production.json", b"one")

        assert store.read("channels/production.json") == b"one"
