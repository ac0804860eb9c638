"""What a publication lets the caches in front forget: once, all of it, whatever happens in between."""

import io
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.assets import store
from apps.caching.purging.asking import Server
from apps.caching.purging.by_method import MethodPurger
from apps.caching.purging.contract import Word
from apps.jobs.models import Job
from apps.jobs.running import run as run_job
from apps.releases.exceptions import CannotPurge
from apps.releases.models import Channel, Publication, Purge, Receipt
from apps.releases.purging import services
from apps.releases.selectors import live_publication
from apps.releases.services import verifying
from tests.releases.clock import stopped_clock
from tests.releases.conftest import Publish, put
from tests.staff import staff_client
from tests.vendors import Answer, Vendor

PATHS = ["/a.css", "/b.css", "/c.css", "/d.css", "/e.css"]


@pytest.fixture
def cache() -> Iterator[Vendor]:
    with Vendor() as vendor:
        yield vendor


@pytest.fixture
def receipt(
    cache: Vendor, production: Channel, publish: Publish, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Receipt:
    """The receipt of a publication that changed five files, on one host, with a cache that takes two."""
    settings.PINNED_HOSTS = {"www.example.com": "production"}
    publish(*(put(path[1:], path) for path in PATHS))
    receipt = Receipt.objects.get(publication=live(production))
    verifying._list_urls(receipt)
    purger = MethodPurger(
        Server("127.0.0.1", int(cache.place.rpartition(":")[2]), is_tls=False), batch_size=2
    )
    monkeypatch.setattr(services, "caches", lambda: [purger])
    return receipt


def live(channel: Channel) -> Publication:
    found = live_publication(channel)
    assert found
    return found


def work() -> None:
    """Do what the worker does with what is queued."""
    for job in Job.objects.filter(kind=services.KIND, state=Job.State.QUEUED):
        run_job(job.pk)


def come_back() -> Purge:
    """Let the time come for what waits, and do it; return the purge."""
    Purge.objects.filter(state="waiting").update(next_at=timezone.now() - timedelta(seconds=1))
    services.hand_over_due()
    work()
    return Purge.objects.get()


def test_each_changed_address_is_purged_once(receipt: Receipt, cache: Vendor) -> None:
    [purge] = services.begin(receipt)
    services.hand_over_due()  # it has been handed over already
    assert Job.objects.filter(kind=services.KIND).count() == 1
    work()
    services.begin(receipt)
    assert services.run(purge.pk).endswith("done.")
    services.hand_over_due()
    work()
    assert cache.targets == PATHS
    assert {asked.headers["host"] for asked in cache.asked} == {"www.example.com"}
    purge.refresh_from_db()
    assert (purge.state, purge.done, purge.total, purge.words) == ("done", 5, 5, "")


def test_what_is_refused_for_a_while_goes_on_where_it_was(receipt: Receipt, cache: Vendor) -> None:
    cache.answers = [Answer(200), Answer(200), Answer(429, headers={"Retry-After": "120"})]
    [purge] = services.begin(receipt)
    before = timezone.now()
    work()
    purge.refresh_from_db()
    assert (purge.state, purge.done, purge.failures) == ("waiting", 2, 1)
    assert purge.next_at is not None
    assert timedelta(seconds=119) < purge.next_at - before < timedelta(seconds=130)
    assert "429" in purge.words
    services.hand_over_due()
    work()
    assert len(cache.asked) == 3  # it is not its time yet
    assert come_back().state == "done"
    assert cache.targets == [*PATHS[:3], *PATHS[2:]]


def test_each_failure_doubles_the_pause_up_to_half_an_hour(receipt: Receipt, cache: Vendor) -> None:
    cache.usual, pauses = Answer(500), []
    with stopped_clock() as clock:
        [purge] = services.begin(receipt)
        for _ in range(4):
            services.run(purge.pk)
            purge.refresh_from_db()
            assert purge.next_at
            pauses.append((purge.next_at - clock.now).total_seconds())
        cache.usual = Answer(503, headers={"Retry-After": "86400"})
        services.run(purge.pk)
        purge.refresh_from_db()
        assert purge.next_at == clock.now + timedelta(minutes=30)
    assert pauses == [5, 10, 20, 40]


def test_what_becomes_of_one_cache_is_nothing_to_another(
    receipt: Receipt, cache: Vendor, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vendor(usual=Answer(405)) as refusing, Vendor(usual=Answer(429)) as busy:
        servers = [
            Server("127.0.0.1", int(vendor.place.rpartition(":")[2]), is_tls=False)
            for vendor in (busy, cache, refusing)
        ]
        monkeypatch.setattr(services, "caches", lambda: [MethodPurger(server) for server in servers])
        purges = services.begin(receipt)
        work()
        states = [Purge.objects.get(pk=purge.pk).state for purge in purges]
        assert states == ["waiting", "done", "failed"]
        assert [Purge.objects.get(pk=purge.pk).failures for purge in purges] == [1, 0, 0]
        refusing.usual = Answer(200)
        services.purge_again(publication=receipt.publication, actor=manager)
        work()
    states = [Purge.objects.get(pk=purge.pk).state for purge in purges]
    assert states == ["waiting", "done", "done"]
    assert [len(vendor.asked) for vendor in (busy, cache, refusing)] == [1, 5, 6]


def test_a_list_that_is_missing_from_storage_is_said_and_can_be_told_again(
    receipt: Receipt, cache: Vendor, manager: User
) -> None:
    receipt.refresh_from_db()
    file = store.local_path(receipt.urls_name)
    assert file
    kept = file.read_bytes()
    file.unlink()
    services.begin(receipt)
    work()
    purge = Purge.objects.get()
    assert (purge.state, cache.asked) == ("failed", [])
    assert "is missing from storage" in purge.words
    file.write_bytes(kept)
    services.purge_again(publication=receipt.publication, actor=manager)
    work()
    purge.refresh_from_db()
    assert (purge.state, purge.failures) == ("done", 0)


def run_and_die(purge: Purge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker die when it has told its second batch, and has not written that down yet."""
    tell = MethodPurger.purge

    def die(self: MethodPurger, words: Sequence[Word], *, reference: str) -> None:
        tell(self, words, reference=reference)
        if reference.endswith("-2"):
            raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(MethodPurger, "purge", die)
        with pytest.raises(KeyboardInterrupt):
            services.run(purge.pk)
    purge.refresh_from_db()


def test_a_worker_that_dies_leaves_one_batch_to_be_told_twice(
    receipt: Receipt, cache: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    [purge] = services.begin(receipt)
    run_and_die(purge, monkeypatch)
    assert (purge.state, purge.done) == ("waiting", 2)
    assert purge.next_at is not None  # somebody comes for it
    assert come_back().state == "done"
    assert cache.targets == [*PATHS[:4], *PATHS[2:]]


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_a_host_that_comes_or_goes_meanwhile_leaves_no_address_out(
    receipt: Receipt,
    cache: Vendor,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    after: int,
) -> None:
    hosts = {f"{letter}.example.com": "production" for letter in "ab"}
    settings.PINNED_HOSTS = dict(list(hosts.items())[:before])
    [purge] = services.begin(receipt)
    run_and_die(purge, monkeypatch)
    settings.PINNED_HOSTS = dict(list(hosts.items())[:after])
    cache.asked.clear()
    purge = come_back()
    assert (purge.state, purge.done, purge.total) == ("done", 5 * after, 5 * after)
    told = {(asked.headers["host"], asked.target) for asked in cache.asked}
    assert told == {(host, path) for host in settings.PINNED_HOSTS for path in PATHS}


@pytest.mark.parametrize("wish", ["9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wish_for_the_far_future_is_heard_for_half_an_hour(
    receipt: Receipt, cache: Vendor, wish: str
) -> None:
    cache.answers = [Answer(429, headers={"Retry-After": wish})]
    [purge] = services.begin(receipt)
    work()
    purge.refresh_from_db()
    assert purge.next_at
    assert purge.next_at <= timezone.now() + timedelta(minutes=30)
    assert come_back().state == "done"


def test_it_is_given_up_and_can_be_begun_again_by_who_may(
    receipt: Receipt, cache: Vendor, manager: User, editor: User, caplog: pytest.LogCaptureFixture
) -> None:
    cache.usual = Answer(500)
    [purge] = services.begin(receipt)
    work()
    for _ in range(services.MAX_FAILURES - 1):
        purge = come_back()
    assert (purge.state, purge.done) == ("failed", 0)
    assert "given up after 10 tries" in purge.words
    assert "was not purged" in caplog.text
    cache.usual, cache.answers = Answer(200), [Answer(500)]
    with pytest.raises(Forbidden):
        services.purge_again(publication=receipt.publication, actor=editor)
    services.purge_again(publication=receipt.publication, actor=manager)
    work()
    purge = Purge.objects.get()
    assert (purge.state, purge.failures) == ("waiting", 1)
    assert come_back().state == "done"


def test_a_refusal_for_good_is_not_tried_again(receipt: Receipt, cache: Vendor) -> None:
    cache.answers = [Answer(405)]
    services.begin(receipt)
    work()
    assert come_back().state == "failed"
    assert len(cache.asked) == 1


def test_a_cache_that_is_named_no_more_ends_its_purge(
    receipt: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    [purge] = services.begin(receipt)
    monkeypatch.setattr(services, "caches", list)
    assert "no more" in services.run(purge.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        Purge.objects.update(state="done")


def test_a_publication_tells_its_caches_and_a_wrong_setting_does_not_hold_it_up(
    receipt: Receipt, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.undo()
    settings.PURGE_URLS = "gopher://token@a"
    verifying.complete_receipt(receipt)
    assert "Nothing in front is purged" in caplog.text
    assert "token" not in caplog.text
    settings.PURGE_URLS = "varnish://127.0.0.1:1"
    verifying.complete_receipt(receipt)
    assert Purge.objects.get().cache == "PURGE 127.0.0.1:1"


def test_the_command_says_what_it_would_do_and_does_it(
    receipt: Receipt, cache: Vendor, settings: Settings, administrator: User
) -> None:
    settings.PURGE_URLS = f"varnish://{cache.place},cloudflare://token@127.0.0.1/zone"
    tag = receipt.publication.tag

    def said(*words: str) -> str:
        output = io.StringIO()
        call_command("purge", tag, *words, stdout=output, stderr=io.StringIO())
        return output.getvalue()

    dry = said("--dry-run")
    for line in ("5 addresses, in batches of 30: 1", "in batches of 500: 1", "www.example.com/e.css"):
        assert line in dry
    assert "token" not in dry
    assert json.loads(said("--dry-run", "--json"))["hosts"] == ["www.example.com"]
    assert (cache.asked, Purge.objects.count()) == ([], 0)
    assert "was told 0 of 5" in said()
    work()
    assert "forgot 5 addresses" in said()
    assert cache.targets == PATHS


def test_nothing_is_purged_where_nobody_is_named(
    receipt: Receipt, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "caches", list)
    assert services.begin(receipt) == []
    with pytest.raises(CannotPurge, match="names no cache"):
        services.purge_again(publication=receipt.publication, actor=manager)


def test_what_is_not_listed_yet_is_not_purged_and_it_is_said_where_to_look(
    receipt: Receipt, publish: Publish, manager: User
) -> None:
    publish(put("a.css", "other"))
    publication = live(receipt.publication.channel)
    with pytest.raises(CannotPurge, match="is not listed") as refusal:
        services.purge_again(publication=publication, actor=manager)
    assert f"`scripts/manage release receipt {publication.tag}` says why" in refusal.value.next_step


def test_the_receipts_page_shows_each_cache(receipt: Receipt, cache: Vendor, manager: User) -> None:
    cache.answers = [Answer(200), Answer(200), Answer(500)]
    services.begin(receipt)
    work()
    publication = receipt.publication
    url = f"/admin/releases/channel/{publication.channel_id}/receipt/{publication.sequence}/"
    page = staff_client(manager).get(url).content.decode()
    assert f"PURGE {cache.place}" in page
    assert "2 of 5" in page
    assert "answered PURGE /c.css with 500" in page
