"""Whether visitors get what this site sends: told from what a server in front of it does to the answers."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.caching.models import CacheRuleVersion
from apps.jobs.models import Job
from apps.jobs.services import run as run_job
from apps.notifications.models import Event
from apps.releases.checks import public_look
from apps.releases.checks.live_examples import sent_headers
from apps.releases.models import Channel, Drift, Purge, Release
from apps.releases.selectors import live_publication
from apps.releases.services.drift import KIND, look_for_drift, queue_looks
from assetsite.environment import parse_public_urls
from tests.front import Front, finish_receipt, front_of, with_header
from tests.releases.conftest import Publish, put
from tests.staff import staff_client
from tests.tampering import without_guards


@pytest.fixture
def channel(publish: Publish, production: Channel, settings: Settings) -> Channel:
    """production, which serves some of the files that the shipped rules' examples are about, for a while."""
    settings.PINNED_HOSTS = {"localhost": "production"}
    publish(put("index.html", "<h1>Hi</h1>"), put("css/app.css", "a {}"), put("css/site.css", "b {}"))
    return production


@pytest.fixture
def front(channel: Channel, settings: Settings) -> Iterator[Front]:
    with front_of(channel) as front:
        settings.PUBLIC_URLS = {"production": front.url}
        yield front


def looked() -> list[str]:
    """Do what the worker does every five minutes, each time as if they were over; return the jobs' words."""
    Job.objects.filter(kind=KIND).delete()
    queue_looks()
    queue_looks()
    jobs = list(Job.objects.filter(kind=KIND))
    for job in jobs:
        run_job(job.pk)
        job.refresh_from_db()
        assert job.state == Job.State.SUCCEEDED, job.error
    return [job.log.partition(" ")[2].strip() for job in jobs]


def test_what_is_sent_is_right_and_is_noted_once(channel: Channel, front: Front) -> None:
    first = look_for_drift(channel)
    assert (first.outcome, first.words) == (
        "right",
        "At each of 3 addresses, visitors get what this site sends.",
    )
    elsewhere = Drift.objects.create(
        channel=Channel.objects.get(name="staging"),
        url=first.url,
        began_at=first.began_at,
        looked_at=first.looked_at,
        outcome="right",
        asked=0,
    )
    again = look_for_drift(channel)
    again.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (again.pk, again.began_at) == (first.pk, first.began_at)
    assert elsewhere.looked_at == first.looked_at
    assert again.looked_at > first.looked_at
    assert front.hosts == {front.url.removeprefix("http://")}
    assert not AuditEntry.objects.filter(action="channel.drift").exists()


@pytest.mark.parametrize(
    ("name", "value", "expected", "seen"),
    [
        (
            "Cache-Control",
            "public, max-age=14400",
            "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400",
            "public, max-age=14400",
        ),
        ("X-Content-Type-Options", "", "nosniff", "not there"),
        ("Expires", "Thu, 01 Jan 2032 00:00:00 GMT", "not there", "Thu, 01 Jan 2032 00:00:00 GMT"),
        ("Content-Type", "text/plain", "text/css; charset=utf-8", "text/plain"),
    ],
)
def test_a_header_that_was_changed_on_the_way_is_named(
    channel: Channel, front: Front, name: str, value: str, expected: str, seen: str
) -> None:
    change = with_header(name, value)
    front.change = lambda path, headers: change(path, headers) | {"Via": "1.1 old-proxy", "Age": "9"}
    found = look_for_drift(channel)
    assert (found.outcome, found.words) == (
        "drifted",
        "At 1 of 3 addresses, visitors get something else than this site sends.",
    )
    assert found.findings == [
        {
            "address": "/css/app.css",
            "header": name.lower(),
            "expected": expected,
            "seen": seen,
            "where": "Via: 1.1 old-proxy; Age: 9",
        }
    ]


def test_what_caches_say_that_they_did_is_kept_by_rule(channel: Channel, front: Front) -> None:
    front.change = lambda path, headers: {
        **headers,
        **({"Cache-Status": "edge; hit"} if path == "/css/app.css" else {}),
        **({"X-Cache": "MISS from a"} if path == "/css/site.css" else {}),
    }
    drift = look_for_drift(channel)
    assert drift.caches == {
        "pages": {"asked": 1, "said": 0, "hit": 0},
        "everything": {"asked": 2, "said": 2, "hit": 1},
    }
    front.change = lambda path, headers: headers
    again = look_for_drift(channel)
    again.refresh_from_db()
    assert again.pk == drift.pk
    assert again.caches == {
        "pages": {"asked": 1, "said": 0, "hit": 0},
        "everything": {"asked": 2, "said": 0, "hit": 0},
    }
    front.stop()
    assert look_for_drift(channel).caches is None


def test_its_beginning_and_its_end_are_told_and_nothing_between(
    channel: Channel, front: Front, manager: User
) -> None:
    front.change = with_header("Cache-Control", "no-cache")
    began = look_for_drift(channel)
    look_for_drift(channel)
    front.change = lambda path, headers: headers
    assert look_for_drift(channel).pk != began.pk
    entries = AuditEntry.objects.filter(action="channel.drift").order_by("sequence")
    assert [entry.summary.partition(": ")[2] for entry in entries] == [
        "At 1 of 3 addresses, visitors get something else than this site sends.",
        "At each of 3 addresses, visitors get what this site sends.",
    ]
    assert Event.objects.filter(kind="drifted").count() == 2


def test_another_site_an_error_and_silence_are_told_apart(
    channel: Channel, front: Front, settings: Settings
) -> None:
    front.change = lambda path, headers: {"Content-Type": "text/html"}
    [finding, *_] = look_for_drift(channel).findings
    assert (finding["header"], finding["expected"]) == ("", "an answer of this site")
    assert finding["where"] == "nothing on the way names itself"
    front.status = 503
    [finding, *_] = look_for_drift(channel).findings
    assert (finding["header"], finding["expected"], finding["seen"]) == ("status", "200", "503")
    settings.PUBLIC_URLS = {"production": "http://127.0.0.1:1"}
    silent = look_for_drift(channel)
    assert (silent.outcome, silent.asked) == ("no_answer", 0)
    assert "http://127.0.0.1:1 does not answer" in silent.words


def test_a_copy_of_before_is_drift_only_when_it_is_older_than_it_may_be(
    channel: Channel, front: Front, publish: Publish
) -> None:
    publish(put("css/app.css", "a { color: red }"))
    front.change = lambda path, headers: headers | {"Age": "200"}
    assert look_for_drift(channel).outcome == "right"
    front.change = lambda path, headers: headers | {"Age": "90000"}
    [finding] = look_for_drift(channel).findings
    assert (finding["address"], finding["header"]) == ("/css/app.css", "age")
    assert finding["seen"].startswith("the origin answered so 1 d 1 h ago, from production-")


def test_the_worker_waits_until_caches_were_told_and_lets_old_notes_go(
    channel: Channel, front: Front, settings: Settings
) -> None:
    settings.PUBLIC_URLS |= {"staging": front.url}  # where nothing is live
    front.change = with_header("Cache-Control", "no-cache")
    old = timezone.now() - timedelta(days=100)
    for number in range(2):
        Drift.objects.create(
            channel=channel, url="http://old", began_at=old, looked_at=old, outcome="right", asked=number
        )
    assert looked() == []
    assert Drift.objects.count() == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("apps.releases.services.drift.SETTLES_WITHIN", timedelta())
        [line] = looked()
        assert looked() == [line]
    assert line.endswith("At 1 of 3 addresses, visitors get something else than this site sends.")
    assert Drift.objects.get().began_at != old


def test_it_does_not_wait_where_every_cache_was_told(channel: Channel, front: Front) -> None:
    publication = live_publication(channel)
    assert publication
    purge = Purge.objects.create(publication=publication, cache="varnish 10.0.0.5", total=1)
    finish_receipt(publication)
    looked()
    assert not Drift.objects.exists()
    Purge.objects.filter(pk=purge.pk).update(state="done", done=1, finished_at=timezone.now())
    looked()
    assert Drift.objects.get().outcome == "right"


def test_a_look_ends_by_itself_and_what_no_request_can_be_made_of_is_left_out(
    channel: Channel, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = sent_headers
    broken = {"X-Broken": "a\r\nb: c"}
    with monkeypatch.context() as patch:
        patch.setattr(
            public_look, "sent_headers", lambda example: broken if example.url == "/" else sent(example)
        )
        assert look_for_drift(channel).asked == 2
    with monkeypatch.context() as patch:
        patch.setattr(public_look, "MOST_ADDRESSES", 2)
        assert look_for_drift(channel).asked == 2
    monkeypatch.setattr(public_look, "LOOK_SECONDS", -1.0)
    look_for_drift(channel)
    drift = Drift.objects.get()
    assert (drift.asked, drift.words) == (
        1,
        "At the one address that was asked for, visitors get what this site sends.",
    )
    with without_guards("caching_cacheruleversion"):
        CacheRuleVersion.objects.update(examples=[])
    assert look_for_drift(channel).words == (
        "No address was asked for: no example has a file in what is live."
    )


def run(*words: str) -> tuple[Any, int]:
    output = io.StringIO()
    try:
        call_command("rule", "drift", *words, "--json", stdout=output, stderr=io.StringIO())
    except SystemExit as end:
        return json.loads(output.getvalue()), int(str(end.code))
    return json.loads(output.getvalue()), 0


def test_the_command_and_the_page_say_it(channel: Channel, front: Front, manager: User) -> None:
    page = f"/admin/releases/channel/{channel.pk}/change/"
    assert "It has not been yet." in staff_client(manager).get(page).text
    assert run()[1] == 0
    assert "visitors get what this site sends. It has been so since" in staff_client(manager).get(page).text
    front.change = with_header("Cache-Control", "<b>max-age=1</b>")
    found, status = run("--channel", "production")
    assert (status, found["outcome"], found["findings"][0]["header"]) == (1, "drifted", "cache-control")
    text = staff_client(manager).get(page).text
    assert "&lt;b&gt;max-age=1&lt;/b&gt;" in text
    assert "At 1 of 3 addresses, visitors get something else" in text


def test_without_an_address_it_says_what_to_set(live: Release, manager: User) -> None:
    found, status = run()
    assert (status, found["error"]["code"]) == (1, "no_public_url")
    assert "PUBLIC_URLS=production=https://" in found["error"]["next"]
    page = staff_client(manager).get(f"/admin/releases/channel/{live.channel_id}/change/").text
    assert "<code>PUBLIC_URLS</code> does not say where visitors get production" in page


def test_addresses_are_read_and_what_is_none_is_refused_at_the_start() -> None:
    assert parse_public_urls("production=https://www.example.com/; staging = http://10.0.0.5:8080;") == {
        "production": "https://www.example.com",
        "staging": "http://10.0.0.5:8080",
    }
    for text in ("production", "=https://a", "a=ftp://b", "a=https://b/c", "a=https://u:p@b", "a=http://b:x"):
        with pytest.raises(ImproperlyConfigured, match="is no public address of a channel"):
            parse_public_urls(text)
