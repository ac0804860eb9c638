"""The receipt of a publication: opened with it, filled in by what is seen, closed once."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.assets import store
from apps.jobs.log import JobLog
from apps.jobs.models import Job
from apps.jobs.running import run
from apps.releases import tasks
from apps.releases.channels.node_status import NodeStatus, WorkerStatus, dump
from apps.releases.channels.probing import Seen, look
from apps.releases.exceptions import ReceiptIncomplete, UnknownPublication
from apps.releases.models import Channel, ChannelHost, Publication, Receipt, ReceiptStep, Release
from apps.releases.rolling_back.receipt_reports import receipt_view
from apps.releases.selectors import live_publication
from apps.releases.selectors.nodes import nodes_following
from apps.releases.selectors.receipts import listed_urls, publication_named, receipt_of
from apps.releases.services import publishing, verifying
from apps.releases.services.pointers import write_pointer
from tests.public_door import Door, public_door
from tests.releases.conftest import Publish, put, remove

OnCommit = Callable[..., AbstractContextManager[object]]


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    settings.PINNED_HOSTS = {"localhost": "production"}
    settings.PUBLIC_BIND = ""
    with public_door(settings.PINNED_HOSTS) as door:
        yield door


def switched(channel: Channel) -> Publication:
    """Let storage point at what is live, as it does after the commit; return that."""
    write_pointer(channel)
    live = live_publication(channel)
    assert live
    return live


def seen(publication: Publication) -> Receipt:
    """Do what the background worker does; return the receipt."""
    verifying.follow_publications()
    for job in Job.objects.filter(kind=verifying.KIND, state=Job.State.QUEUED):
        run(job.pk)
    receipt = receipt_of(publication)
    assert receipt
    return receipt


def steps(receipt: Receipt, kind: str) -> dict[str, tuple[bool, str]]:
    return {step.subject: (step.is_good, step.words) for step in receipt.steps.filter(kind=kind)}


def a_node_that_does_not_follow(storage_folder: Path) -> None:
    status = NodeStatus("web-2", "web-2", timezone.now(), (WorkerStatus(7, {"production": None}),))
    (storage_folder / "nodes").mkdir(exist_ok=True)
    (storage_folder / "nodes/web-2.json").write_bytes(dump(status))


def test_a_receipt_says_when_storage_pointed_who_followed_what_changed_and_what_was_answered(
    door: Door, approved: Release, manager: User
) -> None:
    first = switched(approved.channel)
    door.follow()
    publishing.publish(release=approved, actor=manager)
    second = switched(approved.channel)
    door.follow()

    receipt = seen(second)
    assert receipt.verdict == Receipt.Verdict.VERIFIED
    assert first.published_at < second.published_at
    times = (second.published_at, receipt.pointer_at, receipt.followed_at, receipt.finished_at)
    assert list(times) == sorted(filter(None, times))
    assert list(listed_urls(receipt)) == ["/css/site.css", "/img/new.svg", "/js/old.js"]
    assert receipt.url_count == 3
    assert {good for good, _ in steps(receipt, "node").values()} == {True}
    fetched = steps(receipt, "fetch")
    assert set(fetched) == {"/", "/css/site.css", "/img/new.svg", "/js/old.js"}
    assert fetched["/js/old.js"] == (True, "404")
    assert fetched["/css/site.css"][1].startswith("200 with 17 bytes, digest ")
    view = receipt_view(second)
    assert view.elapsed_seconds is not None
    assert view.state == "verified"


def test_a_roll_back_has_a_receipt_with_its_reason(
    door: Door, publish: Publish, live: Release, manager: User
) -> None:
    publish(put("index.html", "<h1>Two</h1>"))
    back = publishing.roll_back(channel=live.channel, reason="Unreadable.", actor=manager)
    switched(live.channel)
    door.follow()
    receipt = seen(back)
    assert receipt.verdict == "verified"
    assert list(listed_urls(receipt)) == ["/index.html", "/"]
    report = called("receipt", back.tag)
    assert (report["kind"], report["reason"], report["state"]) == ("rollback", "Unreadable.", "verified")


def test_what_is_answered_otherwise_is_named(door: Door, publish: Publish, live: Release) -> None:
    door.change = lambda url, status, body: (200, b"old") if url == "/css/site.css" else (status, body)
    publish(put("css/site.css", "b {}"), remove("js/old.js"))
    switched(live.channel)
    door.follow()
    live_now = live_publication(live.channel)
    assert live_now
    receipt = seen(live_now)
    assert receipt.verdict == Receipt.Verdict.FAILED
    assert receipt.words.startswith("/css/site.css sent bytes with the digest ")

    door.change = lambda url, status, body: (500, b"")
    back = publish(put("css/site.css", "c {}"))
    switched(live.channel)
    door.follow()
    third = back.publications.get()
    receipt = seen(third)
    assert "/ answered 500, expected 200 with" in receipt.words


def test_a_node_that_never_follows_does_not_hold_the_receipt_up_for_ever(
    door: Door, live: Release, storage_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication = switched(live.channel)
    door.follow()
    a_node_that_does_not_follow(storage_folder)
    receipt = seen(publication)
    assert (receipt.followed_at, receipt.verdict) == (None, ""), "it is waited for"

    Receipt.objects.update(pointer_at=timezone.now() - timedelta(seconds=61))
    monkeypatch.setattr(verifying, "_STARTED", time.monotonic())
    assert seen(publication).followed_at is None, "a worker that has just started lets nodes speak first"
    monkeypatch.setattr(verifying, "_STARTED", -100_000.0)
    receipt = seen(publication)
    assert receipt.verdict == Receipt.Verdict.FAILED
    assert receipt.words == "web-2 did not follow within 60 s: 0 of 1 workers do"
    assert receipt_view(publication).elapsed_seconds is None
    assert "/index.html" in door.asked, "what the other nodes answer is looked at all the same"


def test_nobody_waits_for_a_node_that_has_been_silent(
    door: Door, live: Release, storage_folder: Path
) -> None:
    publication = switched(live.channel)
    status = NodeStatus(
        "web-2", "web-2", timezone.now() - timedelta(hours=1), (WorkerStatus(7, {"production": None}),)
    )
    (storage_folder / "nodes").mkdir()
    (storage_folder / "nodes/web-2.json").write_bytes(dump(status))
    (storage_folder / "nodes/broken.json").write_text("{")
    door.follow()
    receipt = seen(publication)
    assert receipt.verdict == "verified"
    assert steps(receipt, "node")["web-2"] == (True, "has not been heard of lately; nobody waited for it")
    assert nodes_following(publication).is_complete


def test_a_site_without_a_node_or_a_door_says_that_nothing_could_be_verified(
    live: Release, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "_STARTED", -100_000.0)
    publication = switched(live.channel)
    Receipt.objects.update(pointer_at=timezone.now() - timedelta(seconds=61))
    settings.PINNED_HOSTS = {"localhost": "production"}
    settings.PUBLIC_BIND = "unix:/nowhere/at.all"
    receipt = seen(publication)
    assert receipt.verdict == Receipt.Verdict.UNKNOWN
    assert receipt.words.startswith("unix:/nowhere/at.all does not answer")
    assert receipt.url_count == 4


@pytest.mark.parametrize("hosts", [{}, {"*": "staging"}])
def test_a_channel_without_a_host_is_not_asked(
    live: Release, settings: Settings, door: Door, hosts: dict[str, str]
) -> None:
    publication = switched(live.channel)
    door.follow()
    settings.PINNED_HOSTS = hosts
    ChannelHost.objects.all().delete()
    receipt = seen(publication)
    assert receipt.words == "production has no host name, so nothing could be fetched"
    assert door.asked == []


def test_what_was_replaced_before_it_was_seen_says_by_what(
    door: Door, live: Release, publish: Publish
) -> None:
    first = switched(live.channel)
    door.follow()
    verifying.follow_publications()
    publish(put("a.txt", "a"))
    second = switched(live.channel)
    assert seen(first).words == f"{second} took its place before it was verified"
    publish(put("a.txt", "b"))
    publish(put("a.txt", "c"))
    third = Publication.objects.get(sequence=3)
    assert (
        seen(third).words == f"{live_publication(live.channel)} took its place before storage had its pointer"
    )


def test_a_pointer_that_was_written_by_a_process_that_died_then_is_seen(door: Door, live: Release) -> None:
    publication = switched(live.channel)
    Receipt.objects.update(pointer_at=None)
    door.follow()
    receipt = seen(publication)
    assert receipt.pointer_at is not None
    assert receipt.verdict == "verified"


def test_without_a_pointer_in_storage_it_waits(live: Release) -> None:
    publication = live.publications.get()
    assert verifying.follow_publications() == []
    assert receipt_view(publication).waits_for == "storage has to take the pointer"


def test_an_interrupted_job_goes_on_where_it_was(
    door: Door, live: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication = switched(live.channel)
    door.follow()
    asked: list[str] = []

    def power_cut(url: str, status: int, body: bytes) -> tuple[int, bytes]:
        asked.append(url)
        return status, body

    door.change = power_cut
    calls = iter(range(9))

    def look_until_then(*args: Any, **kwargs: Any) -> Seen:
        if next(calls) == 2:
            raise RuntimeError("power cut")
        return look(*args, **kwargs)

    monkeypatch.setattr(verifying, "look", look_until_then)
    monkeypatch.setattr(verifying, "EXAMPLES", 0)
    assert seen(publication).verdict == ""
    job = Job.objects.get(kind=verifying.KIND)
    assert job.state == Job.State.FAILED
    before = ReceiptStep.objects.filter(kind="fetch").count()
    assert before == 2
    tasks.resume_receipts()
    assert seen(publication).verdict == "verified"
    assert len(asked) == len(set(asked)), "nothing was asked twice"
    tasks.complete_receipt({"publication": publication.pk}, JobLog(job.pk, timezone.now()))
    assert ReceiptStep.objects.filter(kind="fetch").count() == len(asked)


def test_a_job_that_fails_for_a_day_is_given_up(
    door: Door, live: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication = switched(live.channel)
    door.follow()
    verifying.follow_publications()
    monkeypatch.setattr(verifying, "GIVE_UP_AFTER", timedelta(0))
    tasks.resume_receipts()
    receipt = receipt_of(publication)
    assert receipt
    assert receipt.words == "its job has failed for a day; the job's log says why"


def test_a_manifest_that_is_lost_ends_the_receipt_with_its_name(
    door: Door, live: Release, publish: Publish
) -> None:
    publish(put("a.txt", "a"))
    publication = switched(live.channel)
    door.follow()
    verifying.follow_publications()
    assert live.manifest
    lost = store.local_path(live.manifest.file_name)
    assert lost
    lost.unlink()
    receipt = seen(publication)
    assert receipt.verdict == Receipt.Verdict.UNKNOWN
    assert live.manifest.file_name in receipt.words
    with pytest.raises(ReceiptIncomplete, match="not listed yet"):
        list(listed_urls(receipt))


def test_a_storage_that_does_not_answer_is_asked_again(
    door: Door, live: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication = switched(live.channel)
    door.follow()
    with monkeypatch.context() as broken:
        broken.setattr(verifying, "nodes_following", lambda *args, **kwargs: 1 / 0)
        assert tasks.follow_publications() == []
    assert len(tasks.follow_publications()) == 1
    assert seen(publication).verdict == "verified"


def test_a_list_of_thousands_is_small_and_a_few_of_it_are_asked_for(
    door: Door, live: Release, publish: Publish
) -> None:
    publish(*(put(f"page/{number:04d}.txt", str(number)) for number in range(1000)))
    publication = switched(live.channel)
    door.follow()
    receipt = seen(publication)
    assert receipt.url_count == 1000
    assert len(list(listed_urls(receipt))) == 1000
    stored = store.local_path(receipt.urls_name)
    assert stored
    assert stored.stat().st_size < 5000
    asked = list(steps(receipt, "fetch"))
    assert len(asked) == verifying.FETCHES
    assert asked[0] == "/"
    assert asked[-1] > "/page/0900"


def test_a_finished_receipt_never_changes(door: Door, live: Release) -> None:
    publication = switched(live.channel)
    door.follow()
    receipt = seen(publication)
    for attempt in (
        lambda: Receipt.objects.update(words="", verdict="verified"),
        lambda: Receipt.objects.all().delete(),
        lambda: ReceiptStep.objects.update(is_good=True),
        lambda: receipt.steps.create(
            kind="fetch", number=99, subject="/", at=timezone.now(), is_good=True, words="-"
        ),
    ):
        with (
            pytest.raises((IntegrityError, Exception), match=r"append_only|receipt_closed|protected"),
            transaction.atomic(),
        ):
            attempt()


def called(*words: str) -> Any:
    output = StringIO()
    call_command("release", *words, "--json", stdout=output)
    return json.loads(output.getvalue())


def test_the_command_names_a_publication_by_number_or_tag(door: Door, live: Release) -> None:
    publication = switched(live.channel)
    door.follow()
    assert called("receipt", "1")["state"] == "open"
    receipt = seen(publication)
    by_number, by_tag = called("receipt", "1", "--wait"), called("receipt", publication.tag)
    assert by_number == by_tag
    assert by_number["changed_urls"] == {
        "count": 4,
        "file": receipt.urls_name,
        "sha256": receipt.urls_sha256,
        "keyed": 0,
        "surrogate_keys": {},
    }
    urls = called("receipt", "1", "--urls")
    assert urls == ["/css/site.css", "/index.html", "/", "/js/old.js"]
    for words in ("7", "production-1999-01-01.1"):
        with pytest.raises(UnknownPublication):
            publication_named(live.channel, words)
    output = StringIO()
    call_command("release", "receipt", "1", stdout=output)
    assert "✓ Verified" in output.getvalue()
    assert "✓ /index.html: 200 with" in output.getvalue()


def test_a_publication_that_is_older_than_receipts_says_so(live: Release) -> None:
    publication = live.publications.get()
    with transaction.atomic():
        view = receipt_view(publication)
    assert view.state == "open"
    publication.pk = -1
    assert receipt_view(publication).state == "none"
