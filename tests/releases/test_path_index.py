"""The index of a manifest's paths: it answers what the manifest does, or says that it cannot."""

import fcntl
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.releases.manifest import ManifestFault, ManifestReader, PathIndex, path_index
from apps.releases.manifest.path_index import BUCKET_BYTES, write_index
from apps.releases.manifest.writer import file_sha256
from tests.acceptance.site import PROJECT
from tests.releases.test_manifest import LONG, PATHS, SHORT, SITES, Site, relaxed, write

MANY: Site = {f"d{number % 9}/{number}.css": ("abc"[number % 3], SHORT) for number in range(500)}


def indexed(folder: Path, site: Site) -> tuple[Path, Path, str]:
    """Write a manifest and its index; return both, and the manifest's SHA-256."""
    manifest, file = folder / "m", folder / "m.index"
    file.unlink(missing_ok=True)
    write(manifest, site)
    sha256 = file_sha256(manifest)
    write_index(manifest, file, sha256=sha256)
    return manifest, file, sha256


@relaxed
@given(SITES, PATHS)
def test_it_answers_what_the_manifest_does(tmp_path: Path, site: Site, other: str) -> None:
    manifest, file, sha256 = indexed(tmp_path, site)
    index = PathIndex(file, sha256=sha256)
    with ManifestReader(manifest) as reader:
        for path in {*site, other}:
            assert index.served(path) == reader.served(path)


@pytest.mark.parametrize("buckets", [1, 3, 40])
def test_what_a_full_bucket_cannot_take_is_found_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buckets: int
) -> None:
    """All paths begin in as few buckets as this, among them the last, after which comes the first."""
    place = path_index._place

    def crowded(path: str, among: int) -> tuple[int, bytes]:
        number, key = place(path, among)
        return among - 1 - number % min(buckets, among), key

    monkeypatch.setattr(path_index, "_place", crowded)
    manifest, file, sha256 = indexed(tmp_path, MANY)
    index = PathIndex(file, sha256=sha256)
    with ManifestReader(manifest) as reader:
        assert all(index.served(path) == reader.served(path) is not None for path in MANY)
    assert index.served("d0/nothing.css") is None


@given(st.data())
def test_a_key_counts_only_where_a_slot_begins(data: st.DataObject) -> None:
    slots = [data.draw(st.binary(min_size=48, max_size=48)) for _ in range(3)]
    key = data.draw(st.sampled_from(slots))[:8]
    bucket = b"".join(slots)
    at = path_index._find(bucket, key)
    assert at == next(start for start in (0, 48, 96) if bucket[start : start + 8] == key)


def test_a_key_within_a_slot_is_none() -> None:
    bucket = bytes(range(100, 148)) + bytes(range(48))
    assert path_index._find(bucket, bucket[3:11]) == -1
    assert path_index._find(bucket[3:] + bytes(3), bucket[3:11]) == 0


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    _, file, sha256 = indexed(tmp_path, {"a.css": ("a", SHORT), "b.css": ("b", LONG)})
    whole = file.read_bytes()
    for at in {0, 9, 20, 60, BUCKET_BYTES, len(whole) - 1}:
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ManifestFault):
            PathIndex(file, sha256=sha256)
    for content in (b"", whole[:50], whole[:-1], whole + b"x"):
        file.write_bytes(content)
        with pytest.raises(ManifestFault):
            PathIndex(file, sha256=sha256)


def test_the_index_of_another_manifest_is_refused(tmp_path: Path) -> None:
    _, file, sha256 = indexed(tmp_path, {"a.css": ("a", SHORT)})
    with pytest.raises(ManifestFault, match="not the index of the manifest"):
        PathIndex(file, sha256=sha256[::-1])


def test_what_is_cut_short_later_is_a_fault_and_not_a_missing_path(tmp_path: Path) -> None:
    _, file, sha256 = indexed(tmp_path, MANY)
    index = PathIndex(file, sha256=sha256)
    with file.open("r+b") as stream:
        stream.truncate(BUCKET_BYTES)
    with pytest.raises(OSError, match="cut short"):
        index.served("d0/0.css")


def test_two_paths_with_one_hash_leave_a_manifest_without_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, words in ((b"same key", "another path have the same hash"), (bytes(8), "an empty slot")):
        monkeypatch.setattr(path_index, "_place", lambda path, among, key=key: (0, key))
        with pytest.raises(ManifestFault, match=words):
            indexed(tmp_path, {"a.css": ("a", SHORT), "b.css": ("b", SHORT)})
        assert not (tmp_path / "m.index").exists()


def test_a_manifest_with_other_bytes_is_not_indexed(tmp_path: Path) -> None:
    write(tmp_path / "m", MANY)
    with pytest.raises(ManifestFault, match="does not have the SHA-256"):
        write_index(tmp_path / "m", tmp_path / "m.index", sha256="0" * 64)
    assert not (tmp_path / "m.index").exists()


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "m.part").write_bytes(b"half of an index" * 10_000)
    _, file, sha256 = indexed(tmp_path, MANY)
    assert PathIndex(file, sha256=sha256).served("d0/0.css")
    assert not (tmp_path / "m.part").exists()


def test_of_two_writers_one_writes(tmp_path: Path) -> None:
    write(tmp_path / "m", MANY)
    sha256 = file_sha256(tmp_path / "m")
    with (tmp_path / "m.part").open("a+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        write_index(tmp_path / "m", tmp_path / "m.index", sha256=sha256)
        assert not (tmp_path / "m.index").exists()
    write_index(tmp_path / "m", tmp_path / "m.index", sha256=sha256)
    before = (tmp_path / "m.index").stat()
    write_index(tmp_path / "m", tmp_path / "m.index", sha256=sha256)
    assert (tmp_path / "m.index").stat().st_ino == before.st_ino


def make(folder: Path, *, sha256: str, most_bytes: int = -1) -> subprocess.CompletedProcess[str]:
    """Let a process write the index, no file of which may be larger than `most_bytes`.

    It keeps neither bytecode nor coverage, which the limit would cut short for every process after it.
    """
    kept = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"}
    return subprocess.run(
        [sys.executable, "-B", "-m", "apps.releases.manifest", folder / "m", folder / "m.index", sha256],
        cwd=PROJECT,
        env=kept if most_bytes >= 0 else os.environ,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
    )


def test_a_process_makes_it_or_says_why_not(tmp_path: Path) -> None:
    write(tmp_path / "m", MANY)
    sha256 = file_sha256(tmp_path / "m")
    full = make(tmp_path, sha256=sha256, most_bytes=BUCKET_BYTES)
    assert full.returncode
    assert not (tmp_path / "m.index").exists()
    other = make(tmp_path, sha256="0" * 64)
    assert (other.returncode, other.stderr.startswith("No path index was made: ")) == (1, True)
    made = make(tmp_path, sha256=sha256)
    assert (made.returncode, made.stderr) == (0, "")
    assert PathIndex(tmp_path / "m.index", sha256=sha256).served("d1/1.css")
