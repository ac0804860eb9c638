"""The index of hosts out of a bucket: followed, refused and kept as out of a folder."""

import json
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.assets import store
from apps.delivery.files import current_files
from apps.delivery.node import Node
from apps.releases.channels.hosts import INDEX_NAME
from apps.releases.history.signatures import sign
from assetsite.environment import storage_backend
from tests.bucket import S3Server
from tests.serving import SIGNING_KEY, Published

pytestmark = pytest.mark.s3

WWW, BETA = "www.example.com", "beta.example.com"


def write_index(**channels: str) -> bytes:
    """Say in the bucket which host each channel has; return the words."""
    hosts = {host: channel for channel, host in channels.items()}
    words = sign({"format": 1, "hosts": hosts}, name=INDEX_NAME, key=SIGNING_KEY)
    store.replace(INDEX_NAME, words)
    return words


def served(node: Node, host: str) -> int | None:
    live = node.release_for(host)
    return live.number if live else None


@pytest.fixture
def node(s3: S3Server, tmp_path: Path, settings: Settings) -> Node:
    """A node with production and beta in a bucket, which has no index of hosts yet."""
    folder = tmp_path / "published"
    Published(folder).publish(1, {"index.html": b"production"})
    Published(folder, channel="beta", manifests="manifests/beta").publish(2, {"index.html": b"beta"})
    s3.upload(folder, "host-index")
    bucket = storage_backend(s3.url("host-index"), default_folder=folder)
    settings.STORAGES = {**settings.STORAGES, "blobs": bucket}
    current_files.cache_clear()
    return Node({"localhost": "production"})


def test_an_index_in_a_bucket_is_followed_while_it_is_signed_and_kept_while_the_bucket_is_away(
    node: Node, s3: S3Server
) -> None:
    node.refresh()
    assert (served(node, "localhost"), served(node, WWW), node.faults) == (1, None, {})
    first = write_index(production=WWW)
    node.refresh()
    assert (served(node, WWW), served(node, "localhost"), node.faults) == (1, None, {})
    second = write_index(production=WWW, beta=BETA)
    node.refresh()
    node.refresh()
    assert (served(node, WWW), served(node, BETA), node.faults) == (1, 2, {})

    unsigned = json.dumps({"format": 1, "hosts": {WWW: "beta"}}).encode()
    foreign = sign({"format": 1, "hosts": {WWW: "beta"}}, name="channels/beta.json", key=SIGNING_KEY)
    for words in (unsigned, foreign, second.replace(b"production", b"beta"), b"{"):
        store.replace(INDEX_NAME, words)
        node.refresh()
        assert (served(node, WWW), served(node, BETA), set(node.faults)) == (1, 2, {INDEX_NAME})
    store.remove(INDEX_NAME)
    node.refresh()
    assert served(node, BETA) == 2
    assert "not there any more" in node.faults[INDEX_NAME]

    s3.stop()
    for each in (node, started := Node({"localhost": "production"})):
        each.refresh()
        assert (served(each, WWW), served(each, BETA)) == (1, 2)
        assert "storage does not answer" in each.faults[INDEX_NAME]
        assert each.storage_fault
    s3.start()
    store.replace(INDEX_NAME, first)
    for _ in range(2):  # a channel that has lost its hosts is let go of at the look after
        started.refresh()
    assert (served(started, WWW), served(started, BETA), started.faults) == (1, None, {})
