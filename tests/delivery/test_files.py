"""A storage elsewhere: fetched once, compared with its digest, and served again while it is down."""

import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import InMemoryStorage, storages
from pytest_django.fixtures import Settings

from apps.assets import store
from apps.delivery.files import FileFault, local_file, open_blob
from apps.delivery.node import Node
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
        with open_blob(sha256(TEN), len(TEN)) as stream:
            assert stream.read() == TEN
    assert elsewhere.opened.count(store.blob_name(sha256(TEN))) == 1


def test_many_that_ask_at_once_fetch_once(
    node: Node, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, all_there = store.blob_name(sha256(LARGE)), threading.Barrier(8)

    def ask() -> None:
        all_there.wait(30)
        assert local_file(name, sha256=sha256(LARGE), size=len(LARGE)).read_bytes() == LARGE

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
    open_blob(sha256(TEN), len(TEN)).close()
    (tmp_path / "node" / store.blob_name(sha256(TEN))).write_bytes(left)
    with open_blob(sha256(TEN), len(TEN)) as stream:
        assert stream.read() == TEN


def test_what_is_damaged_elsewhere_is_not_kept(node: Node, elsewhere: Elsewhere, tmp_path: Path) -> None:
    name = store.blob_name(sha256(TEN))
    elsewhere.delete(name)
    elsewhere.save(name, ContentFile(b"0123456780"))
    with pytest.raises(FileFault, match="is damaged"):
        open_blob(sha256(TEN), len(TEN))
    assert not (tmp_path / "node" / name).exists()
    assert not list((tmp_path / "unfinished").iterdir())


def test_what_is_missing_elsewhere_is_an_error_of_the_system(node: Node, elsewhere: Elsewhere) -> None:
    elsewhere.delete(store.blob_name(sha256(TEN)))
    with pytest.raises(FileNotFoundError):
        open_blob(sha256(TEN), len(TEN))


def test_a_storage_that_is_down_is_a_fault_and_what_was_fetched_is_served(
    node: Node, elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture
) -> None:
    open_blob(sha256(TEN), len(TEN)).close()
    elsewhere.is_down = True
    node.refresh()
    node.refresh()
    assert node.storage_fault == "the bucket does not answer"
    assert caplog.text.count("cannot be followed") == 1
    open_blob(sha256(TEN), len(TEN)).close()
    with pytest.raises(FileFault, match="the bucket does not answer"):
        open_blob(sha256(LARGE), len(LARGE))


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
