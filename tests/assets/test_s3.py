"""A bucket as Django's storage: one request a read, conditional reads, and refusals that say what to do."""

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from pytest_django.fixtures import Settings

from apps.assets import store
from apps.assets.exceptions import BlobDamaged, StorageRefuses, StorageUnreachable
from apps.assets.s3 import Bucket
from assetsite.environment import storage_backend
from tests.bucket import S3Server
from tests.proxy import Proxy, cut, reset

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("no_collector")]

_numbers = count(1)


@pytest.fixture
def prefix() -> str:
    """A part of the bucket that is this test's."""
    return f"assets-{next(_numbers)}"


def bucket_at(url: str) -> Bucket:
    return Bucket(**storage_backend(url, default_folder=Path("unused"))["OPTIONS"])


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[Proxy]:
    with Proxy(s3.port) as proxy:
        yield proxy


@pytest.fixture
def bucket(s3: S3Server, prefix: str, settings: Settings) -> Bucket:
    """The site's storage, straight."""
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": storage_backend(s3.url(prefix), default_folder=Path("unused")),
    }
    found = storages["blobs"]
    assert isinstance(found, Bucket)
    return found


def test_blobs_are_uploaded_read_back_and_found(bucket: Bucket) -> None:
    blob = store.put_blob([b"hel", b"lo"])
    name = store.blob_name(blob.digest)
    assert store.read_blob(blob.digest) == b"hello"
    assert store.is_stored(name, size_bytes=5)
    assert not store.is_stored(store.blob_name("0" * 64), size_bytes=5)
    assert (bucket.exists(name), bucket.size(name)) == (True, 5)
    bucket.delete(name)
    assert not bucket.exists(name)
    assert store.read(name) is None
    with pytest.raises(FileNotFoundError, match=name):
        store.open_blob(blob.digest)


def test_what_is_read_comes_in_pieces_by_one_request(
    s3: S3Server, bucket: Bucket, prefix: str, proxy: Proxy
) -> None:
    content = bytes(range(256)) * 10_000
    bucket.save("large", ContentFile(content))
    through = bucket_at(s3.url(prefix, port=proxy.port))
    with through.open("large") as stream:
        assert stream.size == len(content)
        assert stream.read(1000) == content[:1000]
        assert stream.read() == content[1000:]
    assert proxy.asked == [f"/assets/{prefix}/large"]


def test_a_read_on_a_condition_brings_only_what_is_new(bucket: Bucket) -> None:
    store.replace("channels/production.json", b"one")
    content, tag = store.read_unless("channels/production.json", "")
    assert (content, bool(tag)) == (b"one", True)
    assert store.read_unless("channels/production.json", tag) == (None, tag)
    store.replace("channels/production.json", b"two")
    content, other = store.read_unless("channels/production.json", tag)
    assert content == b"two"
    assert other != tag
    with pytest.raises(FileNotFoundError):
        store.read_unless("channels/none.json", tag)


def test_a_storage_without_conditions_is_read_and_compared(storage_folder: Path) -> None:
    store.replace("pointer", b"one")
    content, tag = store.read_unless("pointer", "")
    assert content == b"one"
    assert store.read_unless("pointer", tag) == (None, tag)


def test_only_whole_objects_are_written(bucket: Bucket) -> None:
    with pytest.raises(ValueError, match="written whole"):
        bucket.open("name", "wb")


ASK: list[Callable[[Bucket], Any]] = [
    lambda bucket: bucket.open("name").read(),
    lambda bucket: bucket.exists("name"),
    lambda bucket: bucket.size("name"),
    lambda bucket: bucket.read_unless("name", ""),
    lambda bucket: bucket.save("name", ContentFile(b"content")),
    lambda bucket: bucket.delete("name"),
]


@pytest.mark.parametrize("ask", ASK)
def test_a_key_that_may_not_is_refused_with_the_next_step(
    s3: S3Server, prefix: str, ask: Callable[[Bucket], Any]
) -> None:
    with pytest.raises(StorageRefuses, match="Check key and secret in STORAGE_URL"):
        ask(bucket_at(s3.url(prefix, key="stranger")))


def test_a_bucket_that_is_none_is_named(s3: S3Server, prefix: str) -> None:
    with pytest.raises(StorageRefuses, match="There is no bucket nothing at http://127"):
        bucket_at(s3.url(prefix, bucket="nothing")).save("name", ContentFile(b"content"))


@pytest.mark.parametrize("ask", ASK)
def test_nobody_who_answers_is_unreachable_with_the_next_step(
    prefix: str, ask: Callable[[Bucket], Any]
) -> None:
    with pytest.raises(StorageUnreachable, match="Check that its endpoint runs"):
        ask(bucket_at(f"s3://site:secret@127.0.0.1:1/assets/{prefix}?tls=0"))


@pytest.mark.parametrize("fault", [cut, reset])
def test_an_answer_that_breaks_off_is_unreachable(
    s3: S3Server, bucket: Bucket, prefix: str, proxy: Proxy, fault: Any
) -> None:
    bucket.save("name", ContentFile(b"content" * 10_000))
    proxy.faults["name"] = fault
    through = bucket_at(s3.url(prefix, port=proxy.port))
    with through.open("name") as stream, pytest.raises(StorageUnreachable):
        list(iter(lambda: stream.read(1000), b""))


def test_a_server_that_fails_is_unreachable(s3: S3Server, prefix: str, proxy: Proxy) -> None:
    def fail(exchange: Any) -> None:
        exchange.client.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n")

    proxy.faults[prefix] = fail
    with pytest.raises(StorageUnreachable, match="503"):
        bucket_at(s3.url(prefix, port=proxy.port)).open("name")


def test_credentials_that_nobody_has_are_a_setting_to_correct(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_EC2_METADATA_DISABLED":
            monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    with pytest.raises(StorageRefuses, match="Correct STORAGE_URL"):
        bucket_at(f"s3://127.0.0.1:1/assets/{prefix}?tls=0").open("name")


def test_a_process_has_one_connection_of_its_own(bucket: Bucket) -> None:
    first = bucket.connection
    assert bucket.connection is first
    bucket._process = os.getpid() + 1  # as it looks to a child
    assert bucket.connection is not first


def test_what_arrives_differently_is_not_kept(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    save = Bucket.save

    def other(self: Bucket, name: str, content: Any, max_length: int | None = None) -> str:
        saved: str = save(self, name, ContentFile(b"other"))
        return saved

    monkeypatch.setattr(Bucket, "save", other)
    with pytest.raises(BlobDamaged):
        store.put_blob([b"hello"])
    monkeypatch.undo()
    assert store.put_blob([b"hello"]).size_bytes == 5
