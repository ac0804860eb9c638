import os
import random
import sys
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO
from unittest import mock

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.assets import encoding, store, tasks
from apps.assets.models import Blob, Effort, Representation
from apps.assets.selectors import representations_of
from apps.assets.services import NewCoding, enqueue_encoding, keep_codings
from apps.jobs import services as jobs
from apps.jobs.models import Job
from tests.assets.conftest import AddFile

CSS = b"body { margin: 0 }\n" * 100


def _queued(*digests: str, effort: Effort = Effort.BEST) -> Job:
    """Queue the jobs for these blobs; return the one of this effort."""
    kind = "assets.encode_fast" if effort == Effort.FAST else "assets.encode"
    (job,) = (job for job in enqueue_encoding(digests) if job.kind == kind)
    return job


def _encode(*digests: str, effort: Effort = Effort.BEST) -> Job:
    """Queue and run the job of this effort for these blobs; return it as it ended."""
    job = _queued(*digests, effort=effort)
    jobs.run(job.pk)
    job.refresh_from_db()
    return job


def _sizes(digest: str) -> dict[str, int]:
    return {r.coding: r.encoded.size_bytes for r in representations_of([digest])[digest]}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority is the whole process's")
def test_visitors_come_before_smaller_files(add_file: AddFile, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set[int]()

    def encoded(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        seen.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        yield from encoding.encoded(*args, **kwargs)

    monkeypatch.setattr(tasks, "encoded", encoded)
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    _encode(add_file("site.css", CSS).digest)
    assert seen == {19}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own


def test_text_gets_every_coding_that_saves_and_each_is_a_blob(add_file: AddFile) -> None:
    css = add_file("site.css", CSS)

    job = _encode(css.digest)

    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    representations = representations_of([css.digest])[css.digest]
    assert {r.coding for r in representations} == {"zstd", "br", "gzip"}
    for representation in representations:
        stored = store.read_blob(representation.encoded_id)
        assert len(stored) == representation.encoded.size_bytes < len(CSS)
        assert representation.encoded.effort == Effort.BEST
        assert representation.effort == Effort.BEST
    assert Blob.objects.get(pk=css.digest).effort == Effort.BEST
    assert "zstd 1, br 1, gzip 1" in job.log


def test_fast_codings_are_there_until_smaller_ones_take_their_places(add_file: AddFile) -> None:
    css = add_file("site.css", random.Random(4).randbytes(1500).hex().encode() * 2)

    _encode(css.digest, effort=Effort.FAST)
    fast = representations_of([css.digest])[css.digest]
    assert {r.coding: r.effort for r in fast} == dict.fromkeys(("zstd", "br", "gzip"), Effort.FAST)
    assert Blob.objects.get(pk=css.digest).effort == Effort.FAST
    _encode(css.digest)

    best = representations_of([css.digest])[css.digest]
    fast_sizes = {r.coding: r.encoded.size_bytes for r in fast}
    better = [r for r in best if r.effort == Effort.BEST]
    assert better
    assert all(r.encoded.size_bytes < fast_sizes[r.coding] for r in better)
    assert {r for r in best if r.effort == Effort.FAST} == {
        r for r in fast if r.coding not in {b.coding for b in better}
    }
    assert min(r.pk for r in better) > max(r.pk for r in fast)
    for representation in fast:  # a manifest that is served may name it
        assert len(store.read_blob(representation.encoded_id)) == fast_sizes[representation.coding]


def test_a_best_coding_that_is_no_smaller_changes_nothing(add_file: AddFile) -> None:
    css = add_file("site.css", CSS)
    _encode(css.digest, effort=Effort.FAST)
    fast = set(Representation.objects.values_list("pk", "encoded"))

    def as_fast(coding: str, source: BinaryIO, *, size_bytes: int, effort: Effort) -> Iterator[bytes]:
        yield from encoding.encoded(coding, source, size_bytes=size_bytes, effort=Effort.FAST)

    with mock.patch.object(tasks, "encoded", as_fast):
        job = _encode(css.digest)

    assert set(Representation.objects.values_list("pk", "encoded")) == fast
    assert Blob.objects.get(pk=css.digest).effort == Effort.BEST
    assert "zstd 0, br 0, gzip 0" in job.log


def test_a_fast_job_that_comes_late_takes_nothing_back(add_file: AddFile) -> None:
    css = add_file("site.css", CSS)
    fast = _queued(css.digest, effort=Effort.FAST)
    _encode(css.digest)
    best = _sizes(css.digest)

    jobs.run(fast.pk)

    assert _sizes(css.digest) == best
    assert Blob.objects.get(pk=css.digest).effort == Effort.BEST


def test_of_two_that_record_the_same_the_smaller_stays(add_file: AddFile) -> None:
    css = add_file("site.css", CSS)
    large, small = (store.put_blob([b"x" * size]) for size in (90, 80))

    def keep(stored: store.StoredBlob, effort: Effort) -> None:
        keep_codings(
            [NewCoding(css.digest, Representation.Coding.BR, stored)], tried=[css.digest], effort=effort
        )

    for stored, effort in ((small, Effort.BEST), (large, Effort.FAST), (small, Effort.BEST)):
        keep(stored, effort)

    assert _sizes(css.digest) == {"br": 80}
    assert Representation.objects.get().effort == Effort.BEST
    assert Blob.objects.get(pk=css.digest).effort == Effort.BEST


def test_what_compresses_itself_is_marked_as_tried(add_file: AddFile) -> None:
    png = add_file("picture.png", CSS)

    _encode(png.digest)

    assert Blob.objects.get(pk=png.digest).effort == Effort.BEST
    assert not Representation.objects.exists()


def test_bytes_that_are_also_known_as_text_are_tried(add_file: AddFile) -> None:
    add_file("data.bin.zip", CSS)
    css = add_file("site.css", CSS)

    _encode(css.digest)

    assert Representation.objects.count() == 3


def test_a_coding_that_saves_little_is_not_kept(add_file: AddFile) -> None:
    noise = add_file("noise.txt", random.Random(3).randbytes(3000))

    _encode(noise.digest)

    assert Blob.objects.count() == 1
    assert not store.is_stored(store.blob_name("0" * 64), size_bytes=0)
    assert Blob.objects.get().effort == Effort.BEST


def test_a_very_large_file_is_left_as_it_is_and_the_log_says_why(
    add_file: AddFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "MAX_ENCODED_BYTES", 1 << 10)
    css = add_file("site.css", CSS)

    job = _encode(css.digest)

    assert not Representation.objects.exists()
    assert f"{css.digest[:12]} has 0 MiB" in job.log


def test_an_interrupted_job_goes_on_where_it_was(add_file: AddFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_BLOBS_AT_ONCE", 1)
    files = [add_file(f"{n}.css", CSS + b"%d" % n) for n in range(3)]
    job = _queued(*(file.digest for file in files))
    turns = iter(range(4))

    def failing(coding: str, source: object, *, size_bytes: int, effort: Effort) -> object:
        if next(turns, None) is None:
            raise OSError("the power went off")
        return encoding.encoded(coding, source, size_bytes=size_bytes, effort=effort)  # type: ignore[arg-type]

    with mock.patch.object(tasks, "encoded", failing):
        jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert Blob.objects.filter(effort=Effort.NONE).count() == 2

    again = _queued(*(file.digest for file in files))
    jobs.run(again.pk)

    again.refresh_from_db()
    assert again.state == Job.State.SUCCEEDED
    assert "Blobs tried: 1;" in again.log
    assert Representation.objects.count() == 9


def test_what_another_run_has_written_meanwhile_stands(add_file: AddFile) -> None:
    css = add_file("site.css", CSS)
    _encode(css.digest)
    before = set(Representation.objects.values_list("pk", flat=True))
    Blob.objects.filter(pk=css.digest).update(effort=Effort.NONE)

    Job.objects.all().delete()
    _encode(css.digest)

    assert set(Representation.objects.values_list("pk", flat=True)) == before


def test_a_blob_that_storage_lacks_is_named_and_the_others_are_done(add_file: AddFile) -> None:
    gone, there = add_file("gone.css", CSS), add_file("there.css", CSS + b"more")
    path = store.local_path(store.blob_name(gone.digest))
    assert path is not None
    path.unlink()

    job = _encode(gone.digest, there.digest)

    assert job.state == Job.State.FAILED
    assert gone.digest in job.error
    assert "Restore them" in job.error
    assert Blob.objects.get(pk=there.digest).effort == Effort.BEST
    assert Blob.objects.get(pk=gone.digest).effort == Effort.NONE


def test_jobs_reach_a_worker_after_the_commit(
    add_file: AddFile, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    css = add_file("site.css", CSS)

    with django_capture_on_commit_callbacks() as callbacks:
        enqueue_encoding([css.digest])

    assert len(callbacks) == 2
