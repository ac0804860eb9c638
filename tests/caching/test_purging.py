"""What caches and vendors are asked to forget, over real HTTP, and what becomes of their refusals."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Thread

import pytest

from apps.caching.purging import asking
from apps.caching.purging.configured import UnknownCache, purgers
from apps.caching.purging.contract import Address, Key, PurgeFailed, Purger, TryLater, Word
from tests.vendors import Answer, Vendor

ADDRESSES = [
    Address("www.example.com", "/css/app.css"),
    Address("www.example.com", "/a%20b/"),
    Address("www.example.com", "/old/*"),
]
WORDS: list[Word] = [Key("theme"), Key("Shop:styles"), *ADDRESSES[:1]]
TOKEN = "s3cret-t0ken"
PURGED = (
    b'{"success": true, "errors": [], "messages": [], "result": {"id": "023e105f4ecef8ad9ca31a8372d0c353"}}'
)
INVALIDATED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Invalidation xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>I2J0I21PCUYOIK</Id>
<Status>InProgress</Status><CreateTime>2026-11-23T10:00:00Z</CreateTime><InvalidationBatch><Paths>
<Quantity>1</Quantity><Items><Path>/</Path></Items></Paths><CallerReference>r</CallerReference>
</InvalidationBatch></Invalidation>"""


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as vendor:
        yield vendor


def one(text: str) -> Purger:
    [purger] = purgers(text)
    return purger


def fastly(vendor: Vendor) -> Purger:
    return one(f"fastly://{TOKEN}@{vendor.place}?tls=0")


def cloudflare(vendor: Vendor) -> Purger:
    return one(f"cloudflare://{TOKEN}@{vendor.place}/023e105f?tls=0")


def cloudfront(vendor: Vendor) -> Purger:
    return one(f"cloudfront://AKIA:{TOKEN}@E2QWRUHEXAMPLE?endpoint=http://{vendor.place}")


def varnish(vendor: Vendor) -> Purger:
    return one(f"varnish://{vendor.place}")


def fastly_by_keys(vendor: Vendor) -> Purger:
    return one(f"fastly://{TOKEN}@{vendor.place}/SU1Z0isxPaozGVKXdv0eY?tls=0&by=keys")


def cloudflare_by_keys(vendor: Vendor) -> Purger:
    return one(f"cloudflare://{TOKEN}@{vendor.place}/023e105f?tls=0&by=keys")


def cloudfront_by_keys(vendor: Vendor) -> Purger:
    return one(f"cloudfront://AKIA:{TOKEN}@E2QWRUHEXAMPLE?endpoint=http://{vendor.place}&by=keys")


def varnish_by_keys(vendor: Vendor) -> Purger:
    return one(f"varnish://{vendor.place}?by=keys")


def test_varnish_and_others_get_a_request_for_each_address(vendor: Vendor) -> None:
    vendor.answers = [Answer(200), Answer(404)]
    varnish(vendor).purge(ADDRESSES, reference="r")
    assert [(one.method, one.target, one.headers["host"]) for one in vendor.asked] == [
        ("PURGE", path, "www.example.com") for path in ("/css/app.css", "/a%20b/", "/old/*")
    ]
    one(f"http://{vendor.place}?method=BAN").purge(ADDRESSES[:1], reference="r")
    assert vendor.asked[-1].method == "BAN"


def test_cloudflare_gets_urls_and_prefixes(vendor: Vendor) -> None:
    vendor.usual = Answer(200, PURGED)
    purger = cloudflare(vendor)
    purger.purge(ADDRESSES, reference="r")
    assert purger.batch_size == 30
    assert {(asked.method, asked.target) for asked in vendor.asked} == {
        ("POST", "/client/v4/zones/023e105f/purge_cache")
    }
    assert {asked.headers["authorization"] for asked in vendor.asked} == {f"Bearer {TOKEN}"}
    assert {asked.headers["content-type"] for asked in vendor.asked} == {"application/json"}
    assert [json.loads(asked.body) for asked in vendor.asked] == [
        {"files": ["https://www.example.com/css/app.css", "https://www.example.com/a%20b/"]},
        {"prefixes": ["www.example.com/old/"]},
    ]


@pytest.mark.parametrize("body", [b'{"success": false, "errors": [{"code": 1}]}', b"<html>", b"[]"])
def test_cloudflare_has_to_say_that_it_did_it(vendor: Vendor, body: bytes) -> None:
    vendor.answers = [Answer(200, body)]
    with pytest.raises(PurgeFailed, match="did not say"):
        cloudflare(vendor).purge(ADDRESSES, reference="r")


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (ADDRESSES, b'{"status": "error"}'),
        (ADDRESSES, b"<html>"),
        (ADDRESSES, b""),
        ([Key("theme")], b"<html>"),
        ([Key("theme")], b"[]"),
        ([Key("theme")], b"{}"),
    ],
)
def test_fastly_has_to_say_that_it_did_it(vendor: Vendor, words: list[Word], body: bytes) -> None:
    vendor.answers = [Answer(200, body)]
    with pytest.raises(PurgeFailed, match="did not say"):
        fastly_by_keys(vendor).purge(words, reference="r")
    assert len(vendor.asked) == 1


def test_fastly_gets_urls_and_says_what_it_cannot(vendor: Vendor) -> None:
    vendor.usual = Answer(200, b'{"status": "ok", "id": "108-1391560174-974124"}')
    with pytest.raises(PurgeFailed, match=re.escape("cannot purge /old/*")):
        fastly(vendor).purge(ADDRESSES, reference="r")
    assert [(one.method, one.target, one.headers["fastly-key"]) for one in vendor.asked] == [
        ("POST", "/purge/www.example.com/css/app.css", TOKEN),
        ("POST", "/purge/www.example.com/a%20b/", TOKEN),
    ]


def test_cloudfront_gets_paths_once_however_many_hosts_there_are(vendor: Vendor) -> None:
    vendor.usual = Answer(201, INVALIDATED)
    purger = cloudfront(vendor)
    purger.purge([*ADDRESSES, Address("example.com", "/old/*")], reference="assetsite-production-1-0")
    assert purger.batch_size == 3000
    [asked] = vendor.asked
    assert (asked.method, asked.target) == (
        "POST",
        "/2020-05-31/distribution/E2QWRUHEXAMPLE/invalidation",
    )
    assert asked.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIA/")
    assert re.findall(rb"<Path>(.*?)</Path>", asked.body) == [b"/css/app.css", b"/a%20b/", b"/old/*"]
    assert b"<Quantity>3</Quantity>" in asked.body
    assert b"<CallerReference>assetsite-production-1-0</CallerReference>" in asked.body


def test_varnish_and_others_get_many_keys_in_one_request(vendor: Vendor) -> None:
    varnish_by_keys(vendor).purge(WORDS, reference="r")
    one(f"http://{vendor.place}?method=BAN&by=keys").purge(WORDS[:1], reference="r")
    asked = [(each.method, each.target, each.headers.get("surrogate-key")) for each in vendor.asked]
    assert asked == [
        ("PURGE", "/", "theme Shop:styles"),
        ("PURGE", "/css/app.css", None),
        ("BAN", "/", "theme"),
    ]
    assert [each.headers["host"] for each in vendor.asked] == [
        vendor.place,
        "www.example.com",
        vendor.place,
    ]


@pytest.mark.parametrize("status", [404, 410, 412])
def test_a_cache_that_has_not_read_the_keys_has_failed(vendor: Vendor, status: int) -> None:
    vendor.usual = Answer(status)
    varnish(vendor).purge(ADDRESSES, reference="r")
    with pytest.raises(PurgeFailed, match=str(status)):
        varnish_by_keys(vendor).purge(WORDS, reference="r")


@pytest.mark.parametrize("make", [varnish_by_keys, fastly_by_keys])
def test_more_keys_than_a_header_holds_go_in_several(
    vendor: Vendor, make: Callable[[Vendor], Purger]
) -> None:
    vendor.usual = Answer(200, b'{"a key": "108-1391560174-974124"}')
    keys = [Key(f"{number:03d}{'k' * 125}") for number in range(100)]
    make(vendor).purge(keys, reference="r")
    values = [asked.headers["surrogate-key"] for asked in vendor.asked]
    assert " ".join(values).split() == [key.name for key in keys]
    assert all(len(value) <= 4096 for value in values)
    assert len(values) == 4


def test_fastly_gets_the_keys_of_a_service(vendor: Vendor) -> None:
    vendor.answers = [
        Answer(200, b'{"theme": "108-1391560174-974124", "Shop:styles": "108-1391560174-974125"}'),
        Answer(200, b'{"status": "ok", "id": "108-1391560174-974126"}'),
    ]
    purger = fastly_by_keys(vendor)
    purger.purge(WORDS, reference="r")
    assert purger.batch_size <= 256
    assert [(asked.method, asked.target, asked.headers.get("surrogate-key")) for asked in vendor.asked] == [
        ("POST", "/service/SU1Z0isxPaozGVKXdv0eY/purge", "theme Shop:styles"),
        ("POST", "/purge/www.example.com/css/app.css", None),
    ]
    assert {asked.headers["fastly-key"] for asked in vendor.asked} == {TOKEN}


def test_cloudflare_gets_keys_as_tags(vendor: Vendor) -> None:
    vendor.usual = Answer(200, PURGED)
    cloudflare_by_keys(vendor).purge(WORDS, reference="r")
    assert [json.loads(asked.body) for asked in vendor.asked] == [
        {"tags": ["theme", "Shop:styles"]},
        {"files": ["https://www.example.com/css/app.css"]},
    ]


def test_cloudfront_gets_keys_as_tags_each_once_in_whatever_case(vendor: Vendor) -> None:
    vendor.usual = Answer(201, INVALIDATED)
    cloudfront_by_keys(vendor).purge([Key("Theme"), *WORDS], reference="assetsite-production-1-0")
    [asked] = vendor.asked
    assert re.findall(rb"<Path>(.*?)</Path>", asked.body) == [b"#theme", b"#shop:styles", b"/css/app.css"]
    assert b"<Quantity>3</Quantity>" in asked.body


MAKERS = [varnish, cloudflare, fastly, cloudfront]
BY_KEYS = [varnish_by_keys, cloudflare_by_keys, fastly_by_keys, cloudfront_by_keys]
THROTTLED = b"<ErrorResponse><Error><Code>Throttling</Code><Message>m</Message></Error></ErrorResponse>"
FAILED = b"<ErrorResponse><Error><Code>InternalFailure</Code><Message>m</Message></Error></ErrorResponse>"
DENIED = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>m</Message></Error></ErrorResponse>"


@pytest.mark.parametrize("make", [*MAKERS, *BY_KEYS])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(429, THROTTLED, {"Retry-After": "7"}), TryLater),
        (Answer(500, FAILED), TryLater),
        (Answer(403, DENIED), PurgeFailed),
    ],
    ids=["429", "500", "403"],
)
def test_a_refusal_says_whether_to_try_again_and_tells_no_secret(
    vendor: Vendor, make: Callable[[Vendor], Purger], answer: Answer, kind: type[PurgeFailed]
) -> None:
    vendor.answers = [answer]
    purger = make(vendor)
    with pytest.raises(PurgeFailed) as refusal:
        purger.purge(WORDS if purger.tells_keys else ADDRESSES, reference="r")
    assert type(refusal.value) is kind
    assert len(vendor.asked) == 1
    assert str(answer.status) in str(refusal.value)
    assert TOKEN not in f"{refusal.value} {purger!r} {purger.name}"
    if isinstance(refusal.value, TryLater) and answer.headers and "CloudFront" not in purger.name:
        assert refusal.value.after_seconds == 7


def test_a_date_to_come_again_is_understood(vendor: Vendor) -> None:
    at = datetime.now(UTC) + timedelta(minutes=10)
    vendor.answers = [Answer(429, headers={"Retry-After": format_datetime(at, usegmt=True)})]
    vendor.answers.append(Answer(429, headers={"Retry-After": "soon"}))
    with pytest.raises(TryLater) as later:
        varnish(vendor).purge(ADDRESSES, reference="r")
    assert 500 < (later.value.after_seconds or 0) <= 600
    with pytest.raises(TryLater) as later:
        varnish(vendor).purge(ADDRESSES, reference="r")
    assert later.value.after_seconds is None


@pytest.mark.parametrize("make", MAKERS)
def test_a_cache_that_is_not_there_is_tried_later(make: Callable[[Vendor], Purger]) -> None:
    with Vendor() as gone:
        purger = make(gone)
    with pytest.raises(TryLater, match="not reached"):
        purger.purge(ADDRESSES, reference="r")


@contextmanager
def saying(words: bytes, *, again: bytes = b"") -> Iterator[str]:
    """Listen, and say this to whoever comes first, then `again` until they leave; yield where."""

    def serve() -> None:
        client, _ = listener.accept()
        with suppress(OSError), client:
            client.settimeout(0.02 if again else 5)
            client.sendall(words)
            while again:
                with suppress(TimeoutError):
                    if not client.recv(1000):
                        return
                client.sendall(again)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Thread(target=serve, daemon=True)
        serving.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        serving.join()


def test_an_answer_that_is_none_is_tried_later_and_told_as_words_that_can_be_kept() -> None:
    garbage = b"HTTP/9 \0\r\x1b" + b"x" * 1000 + b"\r\n\r\n"
    with saying(garbage) as place, pytest.raises(TryLater, match=r"BadStatusLine: HTTP/9 +x+…$") as later:
        one(f"varnish://{place}").purge(ADDRESSES, reference="r")
    assert str(later.value).isprintable()
    with pytest.raises(TryLater, match="not reached: Unicode"):
        one("varnish://a..b").purge(ADDRESSES, reference="r")


def test_a_cache_that_never_ends_its_answer_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_SECONDS", 0.1)
    with saying(b"HTTP/1.1 200 OK\r\nX: ", again=b"x") as place, pytest.raises(TryLater, match="not whole"):
        one(f"varnish://{place}").purge(ADDRESSES, reference="r")


def test_nginx_loses_the_files_of_what_changed_and_no_others(tmp_path: Path) -> None:
    kept = {"www.example.com/css/app.css2", "www.example.com/old", "other.example.com/css/app.css"}
    lost = {"www.example.com/css/app.css", "www.example.com/old/a/b", "www.example.com/a%20b/"}
    # Two variants of each, and one that nginx is just fetching.
    for place, key in enumerate([*kept, *lost, *lost, *kept, *lost]):
        fetched = ".0000000012" if place >= len([*kept, *lost, *lost]) else ""
        file = tmp_path / f"{place % 7}" / f"{place:032x}{fetched}"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"\5\0binary\n\0\nKEY: " + key.encode() + b"\nHTTP/1.1 200 OK\r\n\r\nKEY: x\n")
    others = [
        tmp_path / "1" / name for name in ("site.sqlite3", "f" * 31, f"{'f' * 32}.1")
    ]  # named as no copy is
    for other in others:
        other.write_bytes(b"\nKEY: www.example.com/css/app.css\n")
    others.append(tmp_path / "1" / ("d" * 32))
    others[-1].write_bytes(b"\nKEY: www.example.com/css/app.css")  # nobody knows how the key goes on
    (tmp_path / "1" / ("e" * 32)).write_bytes(b"something else")
    purger = one(f"nginx://{tmp_path}")
    purger.purge(ADDRESSES, reference="r")
    left = {file.read_bytes().split(b"\nKEY: ")[1].split(b"\n")[0].decode() for file in tmp_path.glob("*/0*")}
    assert left == kept
    assert all(other.exists() for other in others)
    with pytest.raises(PurgeFailed, match="no folder"):
        one(f"nginx://{tmp_path}/elsewhere").purge(ADDRESSES, reference="r")


@pytest.mark.parametrize(
    "text",
    [
        "ftp://a",
        "varnish://",
        f"cloudflare://{TOKEN}@api.cloudflare.com",
        "cloudflare://api.cloudflare.com/zone",
        "fastly://api.fastly.com",
        "nginx://",
        "nginx://a/var/cache",
        "file:///var/cache",
        "cloudfront://",
        f"cloudfront://AKIA:{TOKEN}@E2QWRUHEXAMPLE?endpoint=cloudfront.example.com",
        f"cloudfront://AKIA:{TOKEN}@E2QWRUHEXAMPLE?endpoint=https://[",
        f"cloudfront://AKIA:{TOKEN}@E2QWRUHEXAMPLE?endpoint=https://a_b.example.com",
        f"cloudfront://AKIA:{TOKEN}@E2QWRUHEXAMPLE?endpoint=ftp://example.com",
        f"https://{TOKEN}@a:port",
        "varnish://a,varnish://a:6081",
        "varnish://a,varnish://a?by=keys",
        "varnish://a?by=tags",
        "varnish://a?by=",
        "varnish://a?by=keys&by=keys",
        f"fastly://{TOKEN}@api.fastly.com?by=keys",
        f"fastly://{TOKEN}@api.fastly.com/a/b?by=keys",
        f"fastly://{TOKEN}%0A@api.fastly.com",
        f"cloudflare://{TOKEN}%E2%80%A6@api.cloudflare.com/zone",
        "https://a?method=PURGE%20/",
    ],
)
def test_an_address_of_no_cache_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(UnknownCache) as fault:
        purgers(text)
    assert TOKEN not in str(fault.value)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4566", "https://[::1]:4566/cloudfront"])
def test_cloudfront_may_have_an_endpoint_of_any_host(endpoint: str) -> None:
    assert one(f"cloudfront://E2QWRUHEXAMPLE?endpoint={endpoint}").name == "CloudFront E2QWRUHEXAMPLE"


def test_nginx_is_not_told_keys_and_says_what_to_do() -> None:
    with pytest.raises(
        UnknownCache, match=r"\?by=keys at place 2, but nginx .* by address alone: leave it out"
    ):
        purgers("varnish://a,nginx:///var/cache/nginx?by=keys")
    assert one("nginx:///var/cache/nginx?by=addresses").tells_keys is False


def test_a_cache_that_is_told_keys_has_another_name_and_each_service_its_own() -> None:
    names = [
        purger.name
        for purger in purgers(
            "varnish://a?by=keys,cloudflare://t@a/z?by=keys,cloudfront://E2?by=keys,"
            "fastly://t@api.fastly.com/One?by=keys,fastly://t@api.fastly.com/Two?by=keys"
        )
    ]
    assert names == [
        "PURGE a:6081 by keys",
        "Cloudflare zone z by keys",
        "CloudFront E2 by keys",
        "Fastly api.fastly.com:443 service One by keys",
        "Fastly api.fastly.com:443 service Two by keys",
    ]


def test_a_port_that_is_not_named_is_the_usual_one() -> None:
    names = [purger.name for purger in purgers("varnish://a,http://a,https://a,http://a:8080")]
    assert names == ["PURGE a:6081", "PURGE a:80", "PURGE a:443", "PURGE a:8080"]


def test_an_answer_that_is_too_long_to_be_read_does_not_spoil_the_next_request(vendor: Vendor) -> None:
    vendor.usual = Answer(200, b"x" * 100_000)
    varnish(vendor).purge(ADDRESSES, reference="r")
    assert vendor.targets == [address.path for address in ADDRESSES]


def test_nothing_named_is_no_cache() -> None:
    assert purgers("") == purgers(" , ") == []
