"""Caches that are told surrogate keys: what a publication says of them, and how far it came in telling."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.assets import store
from apps.caching.defaults import EVERYTHING
from apps.caching.purging.asking import Server
from apps.caching.purging.by_method import MethodPurger
from apps.caching.purging.contract import Address, Key, Word
from apps.caching.rules import Example, Match, Policy
from apps.caching.serialisation import as_json
from apps.caching.services import add_rule
from apps.releases.models import Channel, Purge, Receipt
from apps.releases.purging import services
from apps.releases.purging.addresses import Amount, amount, hosts_of, words
from apps.releases.purging.reports import keys_in_words
from apps.releases.selectors.receipts import listed_urls, listed_with_keys
from apps.releases.services import verifying
from tests.releases.conftest import Publish, put, remove
from tests.releases.test_purging import come_back, live, run_and_die, work
from tests.staff import staff_client
from tests.vendors import Answer, Vendor

HOST = "www.example.com"


@pytest.fixture
def cache() -> Iterator[Vendor]:
    with Vendor() as vendor:
        yield vendor


@pytest.fixture
def purger(cache: Vendor) -> MethodPurger:
    server = Server("127.0.0.1", int(cache.place.rpartition(":")[2]), is_tls=False)
    return MethodPurger(server, batch_size=2, tells_keys=True)


@pytest.fixture
def first(production: Channel, publish: Publish, administrator: User, settings: Settings) -> Receipt:
    """The receipt of a first publication: files of two rules that name keys, and of one that names none."""
    settings.PINNED_HOSTS = {HOST: "production"}
    for order, (slug, keys) in enumerate({"theme": ("theme", "styles"), "shop": ("shop", "styles")}.items()):
        content = replace(
            EVERYTHING,
            name=slug,
            order=order + 1,
            match=Match(folders=(slug,)),
            policy=Policy(browser_ttl_seconds=60, surrogate_keys=keys),
            examples=(Example(url=f"/{slug}/a.css", rule=slug, is_cached=True),),
        )
        add_rule(slug=slug, content=as_json(content), actor=administrator)
    paths = ("theme/a.css", "theme/b.css", "theme/same.css", "shop/a.css", "plain.txt", "same.txt")
    publish(*(put(path, path) for path in paths))
    return listed(production)


@pytest.fixture
def receipt(first: Receipt, publish: Publish) -> Receipt:
    """The receipt of a second one, which changes, adds and removes some of them."""
    changed = (put(path, "two") for path in ("theme/a.css", "shop/a.css", "plain.txt", "theme/new.css"))
    publish(*changed, remove("theme/b.css"))
    return listed(first.publication.channel)


def listed(channel: Channel) -> Receipt:
    receipt = Receipt.objects.get(publication=live(channel))
    verifying._list_urls(receipt)
    receipt.refresh_from_db()
    return receipt


@pytest.fixture
def told(receipt: Receipt, purger: MethodPurger, monkeypatch: pytest.MonkeyPatch) -> Receipt:
    """The receipt, with one cache in front that is told keys, two words at once."""
    monkeypatch.setattr(services, "caches", lambda: [purger])
    return receipt


def test_a_receipt_counts_the_keys_of_what_was_answered_before(first: Receipt, receipt: Receipt) -> None:
    assert (first.url_count, first.keyed_url_count, first.surrogate_keys) == (6, 0, {})
    assert (receipt.url_count, receipt.keyed_url_count) == (5, 3)
    assert receipt.surrogate_keys == {"theme": 2, "shop": 1, "styles": 3}
    assert {url: set(keys) for url, keys in listed_with_keys(receipt)} == {
        "/theme/a.css": {"theme", "styles"},
        "/theme/b.css": {"theme", "styles"},
        "/shop/a.css": {"shop", "styles"},
        "/plain.txt": set(),
        "/theme/new.css": set(),
    }
    assert sorted(listed_urls(receipt)) == [
        "/plain.txt",
        "/shop/a.css",
        "/theme/a.css",
        "/theme/b.css",
        "/theme/new.css",
    ]


def test_keys_are_told_first_and_then_the_addresses_that_have_none(
    told: Receipt, cache: Vendor, purger: MethodPurger
) -> None:
    wanted: list[Word] = [Key("shop"), Key("styles"), Key("theme")]
    wanted += [Address(HOST, "/plain.txt"), Address(HOST, "/theme/new.css")]
    assert list(words(told, purger)) == wanted
    [purge] = services.begin(told)
    assert (purge.total, purge.key_count) == (5, 3)
    work()
    assert asked(cache) == [
        ("/", "shop styles"),
        ("/", "theme"),
        ("/plain.txt", None),
        ("/theme/new.css", None),
    ]
    purge.refresh_from_db()
    assert (purge.state, purge.done) == ("done", 5)
    services.begin(told)
    work()
    assert len(cache.asked) == 4


def asked(cache: Vendor) -> list[tuple[str, str | None]]:
    return [(each.target, each.headers.get("surrogate-key")) for each in cache.asked]


def test_it_goes_on_where_it_was_refused(told: Receipt, cache: Vendor) -> None:
    cache.answers = [Answer(200), Answer(200), Answer(429, headers={"Retry-After": "7"})]
    services.begin(told)
    work()
    waiting = Purge.objects.get()
    assert (waiting.state, waiting.done) == ("waiting", 2)
    assert come_back().state == "done"
    assert [value for _, value in asked(cache)] == ["shop styles", "theme", None, "theme", None, None]


def test_the_same_publication_tells_another_cache_every_address(receipt: Receipt, cache: Vendor) -> None:
    plain = MethodPurger(Server("a", 1, is_tls=False))
    assert {word.path for word in words(receipt, plain) if isinstance(word, Address)} == {
        "/plain.txt", "/shop/a.css", "/theme/a.css", "/theme/b.css", "/theme/new.css",
    }  # fmt: skip


def test_a_list_from_before_keys_were_kept_is_told_by_address(told: Receipt, purger: MethodPurger) -> None:
    with store.storage().open(told.urls_name, "rb") as stored:
        text = gzip.decompress(stored.read()).decode()
    store.local_path(told.urls_name).write_bytes(  # type: ignore[union-attr]
        gzip.compress("".join(f"{line.partition('\t')[0]}\n" for line in text.splitlines()).encode())
    )
    Receipt.objects.update(surrogate_keys=None, keyed_url_count=None)
    told.refresh_from_db()
    [purge] = services.begin(told)
    assert (purge.total, purge.key_count) == (5, 0)
    assert len(list(words(told, purger))) == 5


def test_each_host_of_the_channel_is_told_and_no_other(
    receipt: Receipt, purger: MethodPurger, settings: Settings
) -> None:
    settings.PINNED_HOSTS |= {"example.com": "production", "*": "production", "s.example.com": "staging"}
    hosts, plain = ["example.com", HOST], replace(purger, tells_keys=False)
    assert hosts_of(receipt.publication.channel) == hosts
    assert list(words(receipt, purger))[3:] == [
        Address(host, path) for path in ("/plain.txt", "/theme/new.css") for host in hosts
    ]
    assert [amount(receipt, one) for one in (purger, plain)] == [Amount(3, 4), Amount(0, 10)]
    assert len(list(words(receipt, plain))) == 10


def test_an_amount_is_said_in_words() -> None:
    assert [str(Amount(*counts)) for counts in ((0, 0), (0, 1), (1, 2), (2, 1))] == [
        "0 addresses",
        "1 address",
        "1 surrogate key and 2 addresses",
        "2 surrogate keys and 1 address",
    ]
    receipt = Receipt(surrogate_keys={"css": 1, "js": 3})
    assert keys_in_words(receipt, most=2) == "js (3), css (1)"
    assert keys_in_words(receipt, most=1) == "js (3), and 1 more"
    assert keys_in_words(Receipt(surrogate_keys=None)) == ""


@pytest.fixture
def said(receipt: Receipt, settings: Settings, cache: Vendor) -> Callable[..., str]:
    settings.PURGE_URLS = f"varnish://{cache.place}?by=keys,cloudflare://t0ken@127.0.0.1/zone"

    def call(*words: str) -> str:
        output = io.StringIO()
        call_command(*words, stdout=output, stderr=io.StringIO())
        return output.getvalue()

    return call


def test_a_dry_run_says_who_would_be_told_which_keys(
    receipt: Receipt, cache: Vendor, said: Callable[..., str]
) -> None:
    tag = receipt.publication.tag
    dry = said("purge", tag, "--dry-run")
    assert f"PURGE {cache.place} by keys: 3 surrogate keys and 2 addresses, in batches of 500: 1" in dry
    assert "Cloudflare zone zone: 5 addresses, in batches of 30: 1" in dry
    assert "3 of the paths had surrogate keys: styles (3), theme (2), shop (1)" in dry
    document = json.loads(said("purge", tag, "--dry-run", "--json"))
    assert document["surrogate_keys"] == {"theme": 2, "shop": 1, "styles": 3}
    assert [(plan["keys"], plan["addresses"]) for plan in document["caches"]] == [(3, 2), (0, 5)]
    assert "t0ken" not in f"{dry}{document}"
    assert cache.asked == []


def test_the_receipt_says_so_in_the_command_and_on_its_page(
    told: Receipt, cache: Vendor, manager: User, said: Callable[..., str]
) -> None:
    cache.answers = [Answer(200), Answer(500)]
    services.begin(told)
    work()
    publication = told.publication
    assert "Caches held 3 of them under surrogate keys: styles (3), theme (2), shop (1)" in said(
        "release", "receipt", publication.tag
    )
    report = json.loads(said("release", "receipt", publication.tag, "--json"))
    assert report["changed_urls"]["surrogate_keys"] == {"shop": 1, "styles": 3, "theme": 2}
    [purge] = report["purges"]
    assert (purge["keys"], purge["total"], purge["done"]) == (3, 5, 2)
    assert purge["in_words"].startswith("was told 2 of 5 (3 surrogate keys and 2 addresses); it said: ")
    url = f"/admin/releases/channel/{publication.channel_id}/receipt/{publication.sequence}/"
    page = " ".join(staff_client(manager).get(url).content.decode().split())
    assert "Caches held 3 of them under surrogate keys" in page
    assert "<code>styles</code> (3), <code>theme</code> (2)" in page
    assert "2 of 5, of which 3 surrogate keys" in page
    come_back()
    assert "forgot 3 surrogate keys and 2 addresses" in said("purge", publication.tag)


def test_many_keys_are_named_in_part(receipt: Receipt, manager: User, said: Callable[..., str]) -> None:
    Receipt.objects.filter(pk=receipt.pk).update(
        surrogate_keys={f"key-{number:03d}": 1 for number in range(25)}
    )
    publication = receipt.publication
    url = f"/admin/releases/channel/{publication.channel_id}/receipt/{publication.sequence}/"
    page = staff_client(manager).get(url).content.decode()
    assert "key-019" in page
    assert "key-020" not in page
    assert "and 5 more" in page
    assert "key-019 (1), and 5 more" in said("release", "receipt", publication.tag)


def test_a_worker_that_dies_among_the_keys_leaves_one_batch_to_be_told_twice(
    told: Receipt, cache: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    [purge] = services.begin(told)
    run_and_die(purge, monkeypatch)
    assert (purge.state, purge.done) == ("waiting", 2)
    assert come_back().state == "done"
    twice = [("/", "theme"), ("/plain.txt", None)]
    assert asked(cache) == [("/", "shop styles"), *twice, *twice, ("/theme/new.css", None)]
