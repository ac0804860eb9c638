"""Files of a folder of storage that are not what they were, asked for at every door."""

import os

import pytest

from apps.assets.store import blob_name
from tests.delivery.conftest import SITE, TEN
from tests.delivery.doors import Ask, Door, Live, ServerDoor
from tests.delivery.test_bucket import get, is_unavailable, read_all
from tests.serving import sha256


@pytest.mark.parametrize("door", ["middleware", "worker", "threads"], indirect=True)
@pytest.mark.parametrize("size", [50_000, 200_000], ids=["small", "large"])
def test_a_damaged_file_is_503_until_it_is_restored(
    door: Door, empty_site: Live, ask: Ask, size: int
) -> None:
    content = os.urandom(size)
    empty_site.publish(1, SITE | {"file.bin": content})
    blob = empty_site.blob(content)
    blob.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert is_unavailable(ask("/file.bin"))
    assert is_unavailable(ask("/file.bin", range="bytes=10-19"))
    assert ask("/ten.txt").body == TEN
    blob.unlink()
    assert is_unavailable(ask("/file.bin"))
    assert ask("/file.bin", method="HEAD").status == 200  # nothing of the file is sent
    if isinstance(door, ServerDoor):
        assert blob_name(sha256(content)) in door.server.ready()["files"]["faulty"]
        assert door.server.log.read_text().count(f"{blob} is damaged") == 1
    blob.write_bytes(content)
    assert ask("/file.bin").body == content
    if isinstance(door, ServerDoor):
        assert blob_name(sha256(content)) not in door.server.ready()["files"]["faulty"]


@pytest.mark.parametrize("door", ["worker"], indirect=True)
def test_a_file_that_is_cut_short_while_it_is_sent_does_not_look_whole(door: Door, empty_site: Live) -> None:
    assert isinstance(door, ServerDoor)
    content = os.urandom(1 << 20) * 40
    left = 30 << 20  # more than sockets take while nobody reads
    empty_site.publish(1, {"file.bin": content})
    with door.server.connect() as client:
        client.sendall(get("/file.bin"))
        begin = client.recv(1000)
        os.truncate(empty_site.blob(content), left)
        head, body = (begin + read_all(client)).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {len(content)}".encode() in head.lower()
    assert body == content[:left]
    empty_site.blob(content).unlink()
