"""Hosts of channels, as a node follows them in storage: one switch, without a restart, and never a mix."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.delivery.node import Node, current_node
from apps.delivery.routes import HOSTS_KEPT, Routes
from apps.releases.channels.hosts import INDEX_NAME
from apps.releases.history.signatures import sign
from tests.serving import SIGNING_KEY, Gunicorn, Published

FROM_ENVIRONMENT = {"localhost": "production"}
PAGES = {"index.html": b"production"}
BETA = {"index.html": b"beta"}


def write_index(storage: Path, hosts: Mapping[str, str], *, name: str = INDEX_NAME) -> Path:
    """Say in storage which channel each host has, as the services do."""
    file = storage / INDEX_NAME
    unfinished = file.with_suffix(".new")
    unfinished.write_bytes(sign({"format": 1, "hosts": dict(hosts)}, name=name, key=SIGNING_KEY))
    unfinished.replace(file)
    return file


@pytest.fixture
def beta(storage_folder: Path) -> Published:
    site = Published(storage_folder, channel="beta", manifests="manifests/beta")
    site.publish(2, BETA)
    return site


@pytest.fixture
def node(storage_folder: Path) -> Node:
    """A node that serves production at localhost, as its environment says, and knows no index."""
    Published(storage_folder).publish(1, PAGES)
    node = Node(FROM_ENVIRONMENT)
    node.refresh()
    return node


def number(node: Node, host: str) -> int | None:
    live = node.release_for(host)
    return live.number if live else None


def test_without_an_index_the_environments_hosts_are_served(node: Node) -> None:
    node.refresh()
    assert (number(node, "localhost:8000"), number(node, "beta.example.com")) == (1, None)
    assert node.faults == {}


def test_hosts_and_channels_that_an_index_brings_are_served_from_the_next_look(
    node: Node, beta: Published, storage_folder: Path
) -> None:
    write_index(storage_folder, {"www.example.com": "production", "beta.example.com": "beta"})
    node.refresh()
    assert (number(node, "www.example.com"), number(node, "Beta.Example.com:80")) == (1, 2)
    assert number(node, "localhost") is None
    assert node.faults == {}


def test_hosts_of_the_environment_count_whatever_the_index_says(
    beta: Published, storage_folder: Path, settings: Settings
) -> None:
    Published(storage_folder).publish(1, PAGES)
    settings.CHANNEL_HOSTS = settings.PINNED_HOSTS = {"localhost": "production"}
    write_index(storage_folder, {"localhost": "beta", "beta.example.com": "beta"})
    current_node.cache_clear()
    node = current_node()
    node.refresh()
    assert (number(node, "localhost"), number(node, "beta.example.com")) == (1, 2)


def test_a_host_moves_from_one_channel_to_another_at_once_also_where_it_was_asked_for_before(
    node: Node, beta: Published, storage_folder: Path
) -> None:
    write_index(storage_folder, {"www.example.com": "production"})
    node.refresh()
    before = node.routes
    before.note(b"www.example.com")
    assert before.known.get(b"www.example.com") == "production"
    write_index(storage_folder, {"www.example.com": "beta"})
    node.refresh()
    assert number(node, "www.example.com") == 2
    assert node.routes is not before
    assert node.routes.known.get(b"www.example.com") is None


def test_what_a_channel_served_that_lost_its_hosts_is_let_go_at_the_look_after(
    node: Node, beta: Published, storage_folder: Path
) -> None:
    write_index(storage_folder, {"www.example.com": "beta"})
    node.refresh()
    assert set(node.live) == {"production", "beta"}, "who asked for production a moment ago has an answer"
    node.refresh()
    assert set(node.live) == {"beta"}
    write_index(storage_folder, {"www.example.com": "production"})
    node.refresh()
    assert number(node, "www.example.com") == 1


def test_a_host_does_not_move_to_a_channel_that_cannot_be_followed(
    node: Node, beta: Published, storage_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pointer = beta.pointer.read_bytes()
    beta.pointer.write_bytes(b"no pointer")
    write_index(storage_folder, {"localhost": "beta"})
    for _ in range(2):
        node.refresh()
    assert number(node, "localhost") == 1
    assert "it is not a pointer" in node.faults[INDEX_NAME]
    assert caplog.text.count("hosts stay as they are") == 1
    beta.pointer.write_bytes(pointer)
    node.refresh()
    assert (number(node, "localhost"), node.faults) == (2, {})


def test_one_channel_that_cannot_be_followed_keeps_no_others_hosts_away(
    node: Node, beta: Published, storage_folder: Path
) -> None:
    beta.pointer.write_bytes(b"no pointer")
    hosts = {"localhost": "production", "www.example.com": "production", "beta.example.com": "beta"}
    write_index(storage_folder, hosts)
    node.refresh()
    assert (number(node, "www.example.com"), number(node, "beta.example.com")) == (1, None)
    assert set(node.faults) == {"beta"}


@pytest.mark.parametrize(
    "words",
    [
        b"{",
        b"[]",
        json.dumps({"format": 1, "hosts": {"localhost": "beta"}}).encode(),
        sign({"format": 1, "hosts": {}}, name="channels/beta.json", key=SIGNING_KEY),
        sign({"format": 2, "hosts": {}}, name=INDEX_NAME, key=SIGNING_KEY),
        sign({"format": 1, "hosts": [1]}, name=INDEX_NAME, key=SIGNING_KEY),
        sign({"format": 1}, name=INDEX_NAME, key=SIGNING_KEY),
    ],
    ids=["no-json", "no-object", "unsigned", "of-another-place", "newer", "no-hosts", "nothing"],
)
def test_an_index_that_cannot_be_trusted_or_read_changes_nothing(
    node: Node, storage_folder: Path, words: bytes
) -> None:
    write_index(storage_folder, {"localhost": "production", "www.example.com": "production"})
    node.refresh()
    (storage_folder / INDEX_NAME).write_bytes(words)
    node.refresh()
    assert number(node, "www.example.com") == 1
    assert INDEX_NAME in node.faults


def test_an_index_that_disappears_is_missed_and_what_it_said_stays(node: Node, storage_folder: Path) -> None:
    index = write_index(storage_folder, {"www.example.com": "production"})
    node.refresh()
    index.unlink()
    node.refresh()
    assert number(node, "www.example.com") == 1
    assert "not there any more" in node.faults[INDEX_NAME]


def test_a_start_while_storage_is_down_serves_the_hosts_that_were_followed_last(
    node: Node, storage_folder: Path
) -> None:
    write_index(storage_folder, {"www.example.com": "production"})
    node.refresh()
    shutil.move(storage_folder, storage_folder.with_name("gone"))
    again = Node(FROM_ENVIRONMENT)
    again.refresh()
    assert again.hosts == {"www.example.com": "production"}
    assert again.storage_fault
    shutil.move(storage_folder.with_name("gone"), storage_folder)
    again.refresh()
    assert (number(again, "www.example.com"), again.faults) == (1, {})


def test_hosts_that_are_asked_for_are_kept_up_to_a_bound() -> None:
    routes = Routes({"*": "production"})
    for count in range(HOSTS_KEPT * 3):
        routes.note(b"%d.example" % count)
    assert len(routes.known) <= HOSTS_KEPT


@pytest.mark.acceptance
@pytest.mark.parametrize("worker", ["delivery", "threads"])
def test_every_process_of_a_server_without_a_database_follows_the_index_without_a_restart(
    tmp_path: Path, worker: str
) -> None:
    """The same connections before and after: a host that moves is with the one or with the other."""
    server = Gunicorn(tmp_path, workers=2, environment={"CHANNEL_HOSTS": "", "GUNICORN_WORKER": worker})
    Published(server.storage).publish(1, PAGES)
    Published(server.storage, channel="beta", manifests="manifests/beta").publish(2, BETA)
    write_index(server.storage, {"www.example.com": "production", "localhost": "production"})

    def bodies() -> set[bytes]:
        return {server.ask("/", headers={"host": "www.example.com"}).body for _ in range(20)}

    with server:
        assert bodies() == {b"production"}
        assert server.ask("/", headers={"host": "beta.example.com"}).status == 404
        write_index(server.storage, {"www.example.com": "beta", "localhost": "production"})
        answers = [server.ask("/", headers={"host": "www.example.com"}) for _ in range(200)]
        assert {answer.status for answer in answers} == {200}
        assert {answer.body for answer in answers} <= {b"production", b"beta"}
        for process in server.by_worker().values():
            assert process["faults"] == {}
        for _ in range(600):
            if bodies() == {b"beta"}:
                break
        assert bodies() == {b"beta"}
