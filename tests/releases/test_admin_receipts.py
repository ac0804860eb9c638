"""The receipt's page, its downloads, and what a channel's page says of who follows."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.assets import store
from apps.releases.channels.node_status import NodeStatus, Serving, WorkerStatus, dump
from apps.releases.models import Publication, Receipt, Release
from apps.releases.services import publishing, verifying
from tests.public_door import Door, public_door
from tests.releases.conftest import Publish, put
from tests.releases.test_receipts import seen, switched
from tests.staff import staff_client


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    settings.PINNED_HOSTS = {"localhost": "production"}
    settings.PUBLIC_BIND = ""
    with public_door(settings.PINNED_HOSTS) as door:
        yield door


@pytest.fixture
def client(manager: User) -> Client:
    return staff_client(manager)


def channel_url(release: Release, rest: str = "change/") -> str:
    return f"/admin/releases/channel/{release.channel_id}/{rest}"


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return " ".join(response.content.decode().split())


def test_the_receipts_page_shows_progress_and_then_the_proof(
    client: Client, door: Door, live: Release
) -> None:
    url = channel_url(live, "receipt/1/")
    assert "storage has to take the pointer" in page(client, url)
    publication = switched(live.channel)
    assert "the delivery nodes have to follow" in page(client, url)
    door.follow()
    verifying.follow_publications()
    assert "the background worker lists and fetches what changed" in page(client, url)
    seen(publication)
    text = page(client, url)
    for words in (
        "Verified",
        "Pointer in storage",
        "1 of 1 workers follow",
        "<code>/css/site.css</code>",
        "4 addresses",
    ):
        assert words in text


def test_the_receipt_of_a_roll_back_offers_to_undo_it(
    client: Client, live: Release, publish: Publish, manager: User
) -> None:
    publish(put("a.txt", "a"))
    second = Publication.objects.get(sequence=2)
    publishing.roll_back(channel=live.channel, reason="Unreadable.", actor=manager)
    text = page(client, channel_url(live, "receipt/3/"))
    assert "Unreadable." in text
    assert f"Serve {second.tag} again" in text
    assert f"Undo: serve {second.tag} again" in page(client, channel_url(live))


def test_what_changed_can_be_taken_away_as_text_and_as_json(
    client: Client, door: Door, live: Release
) -> None:
    assert client.get(channel_url(live, "receipt/1/urls.txt")).status_code == 404
    publication = switched(live.channel)
    door.follow()
    receipt = seen(publication)
    text = client.get(channel_url(live, "receipt/1/urls.txt"))
    lines = b"".join(text).decode().splitlines()
    assert lines == ["/css/site.css", "/index.html", "/", "/js/old.js"]
    document = json.loads(client.get(channel_url(live, "receipt/1/urls.json")).content)
    assert document == {"publication": publication.tag, "urls": lines}
    lost = store.local_path(receipt.urls_name)
    assert lost
    lost.unlink()
    assert "4 addresses" in page(client, channel_url(live, "receipt/1/")), "the count is in the database"


def test_there_is_no_receipt_of_what_was_never_published(client: Client, live: Release) -> None:
    assert client.get(channel_url(live, "receipt/7/")).status_code == 404
    assert client.get("/admin/releases/channel/99/receipt/1/").status_code == 404


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("failed", "Not verified</span> <span>/ answered 500."),
        ("unknown", "Could not be verified</span> <span>/ answered 500."),
    ],
)
def test_what_is_wrong_stands_first(client: Client, live: Release, verdict: str, words: str) -> None:
    Receipt.objects.update(verdict=verdict, words="/ answered 500", finished_at=timezone.now())
    assert words in page(client, channel_url(live, "receipt/1/"))


def a_node(folder: Path, name: str, *sequences: int, age: timedelta = timedelta(0)) -> None:
    now = timezone.now() - age
    workers = (
        WorkerStatus(pid, {"production": Serving(sequence, "d", now)})
        for pid, sequence in enumerate(sequences)
    )
    (folder / "nodes").mkdir(exist_ok=True)
    (folder / f"nodes/{name}.json").write_bytes(dump(NodeStatus(name, name, now, tuple(workers))))


def test_the_channels_page_says_who_follows(client: Client, live: Release, storage_folder: Path) -> None:
    publication = switched(live.channel)
    url = channel_url(live)
    assert "No delivery node has said what it serves." in page(client, url)
    a_node(storage_folder, "web-1", 1, 1, 0)
    assert "2 of 3 workers follow." in page(client, url)
    a_node(storage_folder, "web-1", 1)
    assert "The one worker follows." in page(client, url)
    a_node(storage_folder, "web-1", 1, 1, 1)
    assert "All 3 workers follow." in page(client, url)
    a_node(storage_folder, "web-2", 1)
    a_node(storage_folder, "web-3", 0, age=timedelta(hours=1))
    Receipt.objects.update(followed_at=publication.published_at + timedelta(seconds=0.21))
    assert "All 4 workers of 2 nodes follow (0.2 s). Not heard of lately: web-3." in page(client, url)


def test_a_storage_that_does_not_answer_takes_no_page_away(
    client: Client, live: Release, storage_folder: Path
) -> None:
    switched(live.channel)
    (storage_folder / "nodes").write_text("a file where a folder should be")
    assert "workers follow" not in page(client, channel_url(live))


def test_a_channels_page_takes_as_many_queries_for_many_receipts_as_for_one(
    client: Client, live: Release, publish: Publish
) -> None:
    publish(put("a.txt", "0"))
    with CaptureQueriesContext(
        connection,
    ) as few:
        page(client, channel_url(live))
    for number in range(5):
        publish(put("a.txt", f"{number}a"))
    with CaptureQueriesContext(connection) as many:
        page(client, channel_url(live))
    assert len(many) == len(few)
