"""What a receipt says of the caches in front: not before they were told, once, and never at its own cost."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.jobs.models import Job
from apps.jobs.services import run as run_job
from apps.releases.channels import probing
from apps.releases.checks import public_look
from apps.releases.checks.public_look import PublicLook, look_at
from apps.releases.models import Channel, Drift, Publication, Purge, ReceiptStep
from apps.releases.release_report import report_of
from apps.releases.rolling_back.receipt_reports import receipt_report, receipt_view
from apps.releases.selectors import live_publication
from apps.releases.services import drift, publishing
from apps.releases.services.drift import KIND, look_for_drift, queue_looks
from tests.front import Change, Front, finish_receipt, front_of, live_release, with_header
from tests.releases.conftest import Publish, put
from tests.staff import staff_client

Capture = pytest.CaptureFixture[str]
RIGHT = "At each of 3 addresses, visitors get what this site sends"


@pytest.fixture
def live(publish: Publish, production: Channel, settings: Settings) -> Publication:
    """A publication whose own answers are verified, and of which one cache in front was told."""
    settings.PINNED_HOSTS = {"localhost": "production"}
    publish(put("index.html", "<h1>Hi</h1>"), put("css/app.css", "a {}"), put("css/site.css", "b {}"))
    return told(production)


@pytest.fixture
def front(live: Publication, settings: Settings) -> Iterator[Front]:
    with front_of(live.channel) as front:
        settings.PUBLIC_URLS = {"production": front.url}
        front.change = as_a_cache
        yield front


def as_a_cache(path: str, headers: dict[str, str]) -> dict[str, str]:
    return headers | {"Cache-Status": "edge; fwd=uri-miss" if path == "/" else "edge; hit"}


def both(one: Change, other: Change) -> Change:
    return lambda path, headers: one(path, other(path, headers))


def told(channel: Channel, *, state: str = "done") -> Publication:
    """Let a cache be told of what is live, or be about to be; return that."""
    publication = live_publication(channel)
    assert publication
    finish_receipt(publication)
    purge = Purge.objects.create(publication=publication, cache="varnish 10.0.0.5", total=3)
    become(purge, state)
    return publication


def become(purge: Purge, state: str) -> None:
    ended = {} if state == "waiting" else {"finished_at": timezone.now()}
    words = {"words": "It answered 403."} if state == "failed" else {}
    done = {"done": purge.total} if state == "done" else {}
    Purge.objects.filter(pk=purge.pk).update(state=state, **ended, **words, **done)


def looked() -> None:
    """Do what the worker does, as often as it likes."""
    queue_looks()
    for job in Job.objects.filter(kind=KIND, state=Job.State.QUEUED):
        run_job(job.pk)


def in_front(publication: Publication) -> Any:
    return receipt_report(receipt_view(publication))["in_front"]


def said(publication: Publication, capsys: Capture) -> str:
    capsys.readouterr()
    call_command("release", "receipt", publication.tag)
    return capsys.readouterr().out


def page(publication: Publication) -> str:
    return f"/admin/releases/channel/{publication.channel_id}/receipt/{publication.sequence}/"


def test_it_says_what_examples_come_to_where_visitors_get_them(
    live: Publication, front: Front, manager: User, capsys: Capture
) -> None:
    looked()
    found = in_front(live)
    assert (found["url"], found["state"], found["steps"]) == (front.url, "holds", [])
    assert found["words"].endswith(f" not asked. {RIGHT}")
    assert found["words"].startswith("4 hold, ")
    assert front.asked.count("/css/app.css") == 2
    assert f"✓ Examples at {front.url}: 4 hold, " in said(live, capsys)
    shown = staff_client(manager).get(page(live))
    assertContains(shown, found["words"])
    assertContains(shown, "and visitors get what was published.")
    report = report_of(live.release)
    assert any(f"at {front.url}: 4 hold" in each.receipt for each in report.publications)


def test_a_header_that_a_cache_changes_is_named(
    live: Publication, front: Front, manager: User, capsys: Capture
) -> None:
    front.change = both(with_header("Cache-Control", "max-age=7"), as_a_cache)
    looked()
    found = in_front(live)
    assert found["state"] == "fails"
    assert "At 1 of 3 addresses, visitors get something else than this site sends" in found["words"]
    *_, step = found["steps"]
    assert (step["subject"], step["good"]) == ("cache-control at /css/app.css", False)
    assert step["words"].startswith("sent “public, max-age=300, ")
    assert step["words"].endswith("”, visitors get “max-age=7”; on the way “Cache-Status: edge; hit”")
    live.receipt.refresh_from_db()
    assert live.receipt.verdict == "verified"
    assert f"✕ cache-control at /css/app.css: {step['words']}" in said(live, capsys)
    shown = staff_client(manager).get(page(live))
    assertContains(shown, "something else was seen</a>.")
    assertContains(shown, "cache-control at /css/app.css")


def test_what_a_cache_does_otherwise_than_an_example_says_is_named(live: Publication, front: Front) -> None:
    front.change = lambda path, headers: headers | {"Cache-Status": "edge; hit"}
    looked()
    found = in_front(live)
    assert found["state"] == "fails"
    [step] = found["steps"]
    assert step["subject"].endswith(": /")
    assert step["words"] == "expected that it asks the origin, seen Cache-Status: edge; hit"


def test_an_example_that_a_cache_says_nothing_of_was_asked_for_all_the_same(
    live: Publication, front: Front
) -> None:
    front.change = lambda path, headers: headers
    looked()
    words = in_front(live)["words"]
    assert "hold" not in words
    assert (
        f"4 asked in vain, since no cache on the way says what it did (Cache-Status, X-Cache). {RIGHT}"
        in words
    )


def test_it_is_noted_once_whatever_becomes_of_the_worker(
    live: Publication, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(drift, "_note", lambda *_: 1 / 0)
        looked()
    assert Job.objects.get(kind=KIND).state == Job.State.FAILED
    front.asked.clear()
    looked()
    assert not front.asked, "it is tried again at its next turn"
    Job.objects.all().delete()
    front.change = with_header("Cache-Control", "max-age=7")
    looked()
    look_for_drift(live.channel)
    assert in_front(live)["state"] == "holds"
    assert live.receipt.steps.filter(kind=ReceiptStep.Kind.IN_FRONT).count() == 1
    assert Drift.objects.get().outcome == "drifted"
    front.asked.clear()
    look_for_drift(live.channel)
    assert front.asked.count("/css/app.css") == 1, "what is noted is not judged again"


def test_it_waits_for_the_caches_and_says_so(
    live: Publication, front: Front, publish: Publish, manager: User, capsys: Capture
) -> None:
    publish(put("a.txt", "a"))
    second = live_publication(live.channel)
    assert second
    assert in_front(live)["state"] == "missed"
    assert in_front(live)["words"] == f"not asked before {second} took its place"
    assert in_front(second)["words"] == "not asked yet: what this site answers itself is asked first"
    told(live.channel, state="waiting")
    assert in_front(second)["words"] == "not asked yet: varnish 10.0.0.5 has to forget what changed"
    become(second.purges.get(), "failed")
    looked()
    look_for_drift(live.channel)
    assert not ReceiptStep.objects.filter(kind=ReceiptStep.Kind.IN_FRONT).exists()
    words = "varnish 10.0.0.5 has to forget what changed, and could not be told"
    assert f"… Examples at {front.url}: not asked yet: {words}" in said(second, capsys)
    shown = staff_client(manager).get(page(second))
    assertContains(shown, words)
    assertContains(shown, "Caches in front</a> are still to be asked.")
    become(second.purges.get(), "done")
    assert "the background worker comes to it" in in_front(second)["words"]
    front.live = live_release(live.channel)
    looked()
    assert in_front(second)["state"] == "holds"


def test_caches_that_nobody_tells_get_some_minutes(
    live: Publication, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    Purge.objects.all().delete()
    looked()
    assert in_front(live)["words"] == "not asked yet: caches that nobody tells get 5 minutes to ask anew"
    monkeypatch.setattr("apps.releases.selectors.in_front.SETTLES_WITHIN", timedelta())
    look_for_drift(live.channel)
    assert in_front(live)["state"] == "holds"


def test_a_roll_back_is_looked_at_like_any_publication(
    live: Publication, front: Front, publish: Publish, manager: User
) -> None:
    publish(put("css/app.css", "a { color: red }"))
    publishing.roll_back(channel=live.channel, reason="Red.", actor=manager)
    back = told(live.channel)
    front.live = live_release(live.channel)
    looked()
    assert (back.kind, in_front(back)["state"]) == ("rollback", "holds")


def test_a_copy_of_before_is_no_answer_of_the_rules_of_now(
    live: Publication, front: Front, publish: Publish
) -> None:
    publish(put("css/app.css", "a { color: red }"))
    second = told(live.channel)
    looked()
    found = in_front(second)
    assert (found["state"], found["words"].split(",")[0]) == ("holds", "2 hold")
    front.change = both(lambda path, headers: headers | {"Age": "90000"}, as_a_cache)
    assert look_for_drift(live.channel).outcome == "drifted"


@contextmanager
def talking(*, dripping: bool) -> Iterator[str]:
    """Listen, and say nothing, or a letter again and again; yield where."""

    def serve(client: socket.socket) -> None:
        with suppress(OSError), client:
            client.settimeout(0.02 if dripping else None)
            client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while True:
                with suppress(TimeoutError):
                    if not client.recv(1000):
                        return
                client.sendall(b"x" if dripping else b"")

    def accept() -> None:
        with suppress(OSError):
            while True:
                Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("dripping", [False, True])
def test_an_address_that_hangs_is_said_and_costs_the_publication_nothing(
    live: Publication, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: Capture, dripping: bool
) -> None:
    monkeypatch.setattr(probing, "PATIENCE_SECONDS", 60.0 if dripping else 0.1)
    monkeypatch.setattr(probing, "MOST_SECONDS", 0.2 if dripping else 60.0)
    with talking(dripping=dripping) as url:
        settings.PUBLIC_URLS = {"production": url}
        looked()
        found = in_front(live)
        assert found["state"] == "waits"
        assert found["words"].startswith(f"{url} does not answer")
        assert found["words"].endswith("; it is asked again every few minutes")
        Drift.objects.update(began_at=timezone.now() - drift.GIVES_UP_AFTER)
        look_for_drift(live.channel)
    found = in_front(live)
    assert (found["state"], found["steps"]) == ("fails", [])
    assert f"✕ Examples at {url}: {url} does not answer" in said(live, capsys)
    live.receipt.refresh_from_db()
    assert live.receipt.verdict == "verified"


def test_a_look_that_takes_too_long_says_what_it_has_not_come_to(
    live: Publication, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_look, "LOOK_SECONDS", -1.0)
    looked()
    words = in_front(live)["words"]
    assert "; there was no time for the others. At the one address that was asked for" in words


def test_what_was_replaced_meanwhile_is_not_noted(
    live: Publication, front: Front, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*args: Any, **options: Any) -> PublicLook:
        look = look_at(*args, **options)
        publish(put("b.txt", "b"))
        return look

    monkeypatch.setattr(drift, "look_at", slow)
    look_for_drift(live.channel)
    assert in_front(live)["state"] == "missed"


def test_without_a_public_address_nothing_is_said(
    live: Publication, settings: Settings, manager: User, capsys: Capture
) -> None:
    settings.PUBLIC_URLS = {}
    assert in_front(live) is None
    assert "Examples at" not in said(live, capsys)
    assertNotContains(staff_client(manager).get(page(live)), "Examples at")
    call_command("release", "receipt", live.tag, "--json")
    assert json.loads(capsys.readouterr().out)["in_front"] is None
