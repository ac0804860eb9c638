import random
from unittest import mock

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.assets import encoding, store, tasks
from apps.assets.models import Blob, Representation
from apps.assets.selectors import representations_of
from apps.assets.services import enqueue_encoding
from apps.jobs import services as jobs
from apps.jobs.models import Job
from tests.assets.conftest import AddFile

CSS = b"body { margin: 0 }\n" * 100


def _encode(*digests: str) -> Job:
    """Queue and run a job for these blobs; return it as it ended."""
    (job,) = enqueue_encoding(digests)
    jobs.run(job.pk)
    job.refresh_from_db()
    return job


def test_text_gets_every_coding_that_saves_and_each_is_a_blob(add_file: AddFile) -> None:
    css = add_file("site.css", CSS)

    job = _encode(css.digest)

    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    representations = representations_of([css.digest])[css.digest]
    assert {r.coding for r in representations} == {"zstd", "br", "gzip"}
    for representation in representations:
        stored = store.read_blob(representation.encoded_id)
        assert len(stored) == representation.encoded.size_bytes < len(CSS)
        assert representation.encoded.is_encoded
    assert Blob.objects.get(pk=css.digest).is_encoded
    assert "zstd 1, br 1, gzip 1" in job.log


def test_what_compresses_itself_is_marked_as_tried(add_file: AddFile) -> None:
    png = add_file("picture.png", CSS)

    _encode(png.digest)

    assert Blob.objects.get(pk=png.digest).is_encoded
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
    assert Blob.objects.get().is_encoded


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
    (job,) = enqueue_encoding([file.digest for file in files])
    turns = iter(range(4))

    def failing(coding: str, source: object, *, size_bytes: int) -> object:
        if next(turns, None) is None:
            raise OSError("the power went off")
        return encoding.encoded(coding, source, size_bytes=size_bytes)  # type: ignore[arg-type]

    with mock.patch.object(tasks, "encoded", failing):
        jobs.run(job.pk)
    assert Job.objects.get().state == Job.State.FAILED
    assert Blob.objects.filter(is_encoded=False).count() == 2

    (again,) = enqueue_encoding([file.digest for file in files])
    jobs.run(again.pk)

    again.refresh_from_db()
    assert again.state == Job.State.SUCCEEDED
    assert "Blobs tried: 1;" in again.log
    assert Representation.objects.count() == 9


def test_what_another_run_has_written_meanwhile_stands(add_file: AddFile) -> None:
    css = add_file("site.css", CSS)
    _encode(css.digest)
    before = set(Representation.objects.values_list("pk", flat=True))
    Blob.objects.filter(pk=css.digest).update(is_encoded=False)

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
    assert Blob.objects.get(pk=there.digest).is_encoded
    assert not Blob.objects.get(pk=gone.digest).is_encoded


def test_jobs_reach_a_worker_after_the_commit(
    add_file: AddFile, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    css = add_file("site.css", CSS)

    with django_capture_on_commit_callbacks() as callbacks:
        enqueue_encoding([css.digest])

    assert len(callbacks) == 1
