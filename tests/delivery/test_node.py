"""The node: it follows the pointers, and nothing that is wrong with one takes away what is served."""

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.delivery.files import LocalFiles
from apps.delivery.node import Node, current_node
from apps.releases.history.signatures import SigningKey, sign
from tests.delivery.conftest import SITE
from tests.serving import SIGNING_KEY, Published


@pytest.fixture
def node(published: Published) -> Node:
    """A node that serves release 1."""
    node = Node({"localhost": "production", "[::1]": "production", "staging.example.com": "staging"})
    node.refresh()
    assert node.live["production"].number == 1
    return node


def number(node: Node) -> int:
    return node.live["production"].number


def has_names(node: Node) -> bool:
    return node.live["production"].retained is not None


def test_a_new_pointer_is_followed(node: Node, published: Published) -> None:
    published.publish(2, SITE | {"ten.txt": b"new"})
    node.refresh()
    live = node.live["production"]
    assert (live.number, live.sequence, live.tag) == (2, 2, "production-2")
    assert live.digest == published.pointers[2]["digest"] == live.reader.digest
    assert not node.faults


def test_a_release_that_is_answered_from_stays_readable_after_the_switch(
    node: Node, published: Published
) -> None:
    before = node.live["production"]
    published.publish(2, {"index.html": b"new"})
    node.refresh()
    assert before.reader.lookup("ten.txt")
    assert not node.live["production"].reader.lookup("ten.txt")


def test_a_pointer_that_did_not_change_is_not_opened_again(node: Node) -> None:
    before = node.live["production"]
    node.refresh()
    assert node.live["production"] is before


def test_an_earlier_publication_is_followed_and_said_aloud(
    node: Node, published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    """A restored backup counts: storage says what is served, and it has really changed."""
    restored = published.pointer.read_bytes()
    published.publish(2, {"index.html": b"new"})
    node.refresh()
    published.write(restored)
    node.refresh()
    assert number(node) == 1
    assert "goes back from publication 2 to 1" in caplog.text


def without_manifest(pointer: Path) -> None:
    words = json.loads(pointer.read_text())
    words["manifest"]["name"] = "manifests/none.sqlite"
    Published(pointer.parents[1]).write(words)


def with_other(key: str, value: object) -> Callable[[Path], None]:
    """Write a pointer that is wrong, and signed all the same."""

    def change(pointer: Path) -> None:
        Published(pointer.parents[1]).write(json.loads(pointer.read_text()) | {key: value})

    return change


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda pointer: pointer.write_bytes(b""),
        lambda pointer: pointer.write_bytes(pointer.read_bytes()[:50]),
        lambda pointer: pointer.write_bytes(b"\xff\xfe"),
        lambda pointer: pointer.write_bytes(b"[1]"),
        without_manifest,
        with_other("digest", "0" * 64),
        with_other("format", 2),
        with_other("channel", "staging"),
        with_other("manifest", {"name": "manifests/1.sqlite", "sha256": "0" * 64, "size": 5}),
        with_other("published_at", "yesterday"),
    ],
    ids=[
        "gone",
        "empty",
        "half",
        "no text",
        "no pointer",
        "no manifest",
        "digest",
        "format",
        "channel",
        "size",
        "date",
    ],
)
def test_a_broken_pointer_leaves_what_is_served_and_is_logged_once(
    node: Node, published: Published, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    published.publish(2, SITE)
    damage(published.pointer)
    for _ in range(3):
        node.refresh()
    assert number(node) == 1
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len([record for record in errors if record.name == "apps.delivery.node"]) == 1
    assert "it goes on with production-1" in caplog.text
    assert "production" in node.faults
    published.point_at(2)
    node.refresh()
    assert number(node) == 2
    assert not node.faults


def test_a_damaged_manifest_is_not_served(node: Node, published: Published) -> None:
    published.publish(2, SITE)
    manifest = published.folder / "manifests" / "2.sqlite"
    manifest.write_bytes(b"\0" * manifest.stat().st_size)
    node.refresh()
    assert number(node) == 1
    assert "is damaged: it does not have its" in node.faults["production"]


def test_no_roll_back_waits_for_names_of_earlier_publications(node: Node, published: Published) -> None:
    """They are served as soon as they can be read, and until then it is said what is missing."""
    published.publish(2, SITE)
    pointer = json.loads(published.pointer.read_bytes())
    names = published.folder / pointer["manifest"]["name"]
    kept = published.folder / "retained.sqlite"
    kept.write_bytes(b"\0" * names.stat().st_size)
    published.write(pointer | {"retained": pointer["manifest"] | {"name": "retained.sqlite"}})
    node.refresh()
    assert number(node) == 2
    assert node.live["production"].find("index.html")
    assert "all is served but the names of earlier publications" in node.faults["production"]
    Path(shutil.copy(names, published.folder / "whole")).replace(kept)
    node.refresh()
    assert (number(node), node.faults) == (2, {})
    assert has_names(node)


def test_names_that_are_found_damaged_later_take_nothing_else_away(
    node: Node, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = json.loads(published.pointer.read_bytes())
    kept = published.folder / "retained.sqlite"
    shutil.copy(published.folder / pointer["manifest"]["name"], kept)
    published.write(pointer | {"retained": pointer["manifest"] | {"name": "retained.sqlite"}})
    node.refresh()
    assert has_names(node)
    monkeypatch.setattr(LocalFiles, "recheck", lambda files: [kept])
    node.recheck()
    assert number(node) == 1
    assert not has_names(node)
    node.refresh()
    assert has_names(node)


def test_a_channel_without_publications_is_no_fault(node: Node) -> None:
    assert "staging" not in node.live
    assert not node.faults
    assert not node.storage_fault


def test_one_channels_fault_is_not_anothers(node: Node, published: Published) -> None:
    staging = Published(published.folder, "staging")
    staging.publish(9, {"index.html": b"next"})
    published.write(b"broken")
    node.refresh()
    assert node.live["staging"].number == 9
    assert set(node.faults) == {"production"}


def test_storage_that_is_gone_is_named_and_what_is_served_stays(node: Node, published: Published) -> None:
    away = published.folder.rename(published.folder.with_name("away"))
    node.refresh()
    assert node.storage_fault == f"{published.folder} is not there"
    assert number(node) == 1
    away.rename(published.folder)
    node.refresh()
    assert not node.storage_fault


def test_a_pointer_that_is_a_folder_is_storage_down(node: Node, published: Published) -> None:
    published.pointer.unlink()
    published.pointer.mkdir()
    node.refresh()
    assert "Is a directory" in node.storage_fault
    assert number(node) == 1


def test_storage_that_hangs_is_named(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.follow()
    assert not node.storage_fault
    monkeypatch.setattr(Node, "refresh", lambda self: None)
    node._looked_at -= 100
    assert "has not answered for 100 s" in node.storage_fault


@pytest.mark.parametrize(
    ("host", "channel"),
    [
        ("localhost", "production"),
        ("LocalHost:8000", "production"),
        ("localhost.", "production"),
        ("[::1]:8000", "production"),
        ("[::1]", "production"),
        ("staging.example.com", "staging"),
        ("example.com", None),
        ("", None),
        ("localhost@example.com", None),
    ],
)
def test_a_host_has_a_channel(node: Node, host: str, channel: str | None) -> None:
    assert node.channel_of(host) == channel


def test_a_star_is_every_other_host(published: Published) -> None:
    node = Node({"*": "production", "staging.example.com": "staging"})
    node.refresh()
    assert node.release_for("anything.example.com")
    assert node.release_for("staging.example.com") is None
    assert Node({"localhost": "production"}).release_for("elsewhere") is None


def test_a_thread_follows_what_is_published(published: Published) -> None:
    node = current_node()
    node.follow()
    node.follow()
    assert len([thread for thread in threading.enumerate() if thread.name == "assetsite-pointers"]) >= 1
    published.publish(2, SITE)
    deadline = time.monotonic() + 30
    while number(node) != 2:
        assert time.monotonic() < deadline


def test_who_comes_while_the_first_look_is_taken_waits_for_it(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, is_looking, may_end = Node({"*": "production"}), threading.Event(), threading.Event()
    refresh = Node.refresh

    def slow(self: Node) -> None:
        is_looking.set()
        assert may_end.wait(30)
        refresh(self)

    monkeypatch.setattr(Node, "refresh", slow)
    found: list[object] = []

    def ask() -> None:
        node.follow()
        found.append(node.release_for(""))

    first, second = threading.Thread(target=node.follow), threading.Thread(target=ask)
    first.start()
    assert is_looking.wait(30)
    second.start()
    may_end.set()
    first.join()
    second.join()
    assert found == [node.live["production"]]


def test_a_forked_process_opens_the_manifest_for_itself(published: Published) -> None:
    node = current_node()
    node.follow()
    before = node.live["production"]
    node._process = os.getpid() + 1  # as it looks to a child
    node.follow()
    assert node.live["production"] is not before


def test_the_thread_outlives_what_nobody_expected(
    published: Published, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node({"*": "production"})
    came_back = threading.Event()
    refresh, calls = Node.refresh, iter(range(100))

    def failing(self: Node) -> None:
        if next(calls) == 0:
            raise RuntimeError("a storage's library")
        refresh(self)
        if self.live and threading.current_thread().name == "assetsite-pointers":
            came_back.set()

    monkeypatch.setattr(Node, "refresh", failing)
    monkeypatch.setattr("apps.delivery.node.PAUSE_SECONDS", 0.01)
    node.follow()
    assert came_back.wait(30)
    assert "could not be looked at" in caplog.text


OTHER_KEY = SigningKey(b"somebody else's key, 32 bytes ..")


def unsigned(published: Published) -> bytes:
    words = json.loads(published.pointer.read_bytes())
    del words["signature"]
    return json.dumps(words).encode()


def signed_by_another(published: Published) -> bytes:
    words = json.loads(unsigned(published))
    return sign(words, name="channels/production.json", key=OTHER_KEY)


def signed_for_another_place(published: Published) -> bytes:
    words = json.loads(unsigned(published))
    return sign(words, name="previews/production.json", key=SIGNING_KEY)


def pointing_elsewhere(published: Published) -> bytes:
    """Change a word of a signed pointer, and nothing else."""
    return published.pointer.read_bytes().replace(b'"release": 2', b'"release": 7')


FORGED = pytest.mark.parametrize(
    "forge", [unsigned, signed_by_another, signed_for_another_place, pointing_elsewhere]
)


@FORGED
def test_a_pointer_that_nobody_trusted_has_signed_is_not_followed(
    node: Node, published: Published, forge: Callable[[Published], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    published.publish(2, SITE | {"ten.txt": b"embargoed"})
    good = published.pointer.read_bytes()
    published.write(forge(published))
    for _ in range(2):
        node.refresh()
    assert number(node) == 1
    assert "sign" in node.faults["production"]
    assert caplog.text.count("cannot be followed, it goes on with production-1") == 1
    published.write(good)
    node.refresh()
    assert number(node) == 2
    assert not node.faults


@FORGED
def test_a_node_that_starts_on_a_forged_pointer_serves_what_was_followed_last(
    node: Node, published: Published, forge: Callable[[Published], bytes]
) -> None:
    published.publish(2, SITE)
    published.write(forge(published))
    restarted = Node(node.hosts)
    restarted.refresh()
    assert number(restarted) == 1
    assert "sign" in restarted.faults["production"]


def test_what_was_kept_is_not_believed_either_unless_it_is_signed(
    node: Node, published: Published, tmp_path: Path
) -> None:
    forged = unsigned(published)
    (tmp_path / "node" / "channels" / "production.json").write_bytes(forged)
    published.write(forged)
    restarted = Node(node.hosts)
    restarted.refresh()
    assert not restarted.live
    assert "it is not signed" in restarted.faults["production"]


def test_a_key_that_is_trusted_later_is_followed_without_a_restart(
    node: Node, published: Published, settings: Settings
) -> None:
    published.publish(2, SITE)
    published.write(signed_by_another(published))
    node.refresh()
    assert number(node) == 1
    settings.SIGNING_TRUSTED_KEYS = [OTHER_KEY.public.content]
    node.refresh()
    assert number(node) == 2
