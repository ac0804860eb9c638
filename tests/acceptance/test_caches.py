"""nginx and Varnish, configured by the export, in front of a real site: do the rules hold in them?"""

import gzip
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import brotli  # type: ignore[import-untyped]
import pytest

from apps.caching.defaults import DEFAULT_RULES
from apps.caching.purging.by_key import header_values
from apps.caching.rules import Example
from apps.releases.channels.targets import OWN_AGENT
from tests.acceptance.caches import Cache, has_vmod, outcome, require_vmod
from tests.acceptance.folders import write_folder
from tests.acceptance.site import PROJECT, Answer, Site, free_port
from tests.proxy import Exchange, Proxy, gone
from tests.scripts.test_documents import commands_of

pytestmark = pytest.mark.acceptance

EXAMPLES = [example for content in DEFAULT_RULES.values() for example in content.examples]
TEXT = b"/* one */\n" * 200
FILES = {
    **{
        f"{'index.html' if url == '/' else url[1:]}": TEXT
        for url in (urlsplit(one.url).path for one in EXAMPLES)
    },
    "docs/index.html": b"<!doctype html><title>Docs</title>",
    "account.html": b"<!doctype html><title>Account</title>",
    "brief/a.css": TEXT,
    "brief/b.css": TEXT,
    "lasting/a.css": TEXT,
    "names/a b&c;d.css": TEXT,
    "told/a.css": TEXT,
    "told/b c;d.css": TEXT,
    "told/same.css": TEXT,
    "names/\u00fc.css": TEXT,
    "keyed/a.css": TEXT,
    "keyed/same.css": TEXT,
    "checked/a.css": TEXT,
}
del FILES["docs/"]
RULES = {
    "brief": {
        "name": 'Brief "} \n */ {% evil %}',
        "order": 10,
        "match": {"folders": ["brief"]},
        "policy": {
            "browser_ttl_seconds": 1,
            "stale_if_error_seconds": 3600,
            "surrogate_keys": ["brief"],
        },
        "bypass_conditions": [
            {"kind": "query", "name": "fresh", "reason": 'Who "asks" so */ wants\nthe origin.'},
            {"kind": "cookie", "name": "team", "reason": "The team sees what is."},
            {"kind": "header", "name": "X-Debug", "reason": "For debugging."},
        ],
        "examples": [{"url": "/brief/a.css", "rule": "brief", "is_cached": True}],
        "expected_result": "Few requests.",
        "rollback_note": "Go back.",
    },
    "lasting": {
        "name": "Lasting",
        "order": 20,
        "match": {"folders": ["lasting"]},
        "policy": {
            "browser_ttl_seconds": 1,
            "stale_while_revalidate_seconds": 3600,
            "surrogate_keys": ["lasting", "brief-not"],
            "extra_headers": [["Link", f"<{'l' * 3_900}>"]],  # a head of more than nginx takes by itself
        },
        "examples": [{"url": "/lasting/a.css", "rule": "lasting", "is_cached": True}],
        "expected_result": "Nobody waits.",
        "rollback_note": "Go back.",
    },
    "keyed": {
        "name": "Keyed",
        "order": 30,
        "match": {"folders": ["keyed"]},
        "policy": {"browser_ttl_seconds": 3600, "surrogate_keys": ["theme", "shop:styles"]},
        "examples": [{"url": "/keyed/a.css", "rule": "keyed", "is_cached": True}],
        "expected_result": "One word forgets the theme.",
        "rollback_note": "Go back.",
    },
    "checked": {
        "name": "Checked",
        "order": 40,
        "match": {"folders": ["checked"]},
        "policy": {"stale_while_revalidate_seconds": 60, "stale_if_error_seconds": 60},
        "examples": [{"url": "/checked/a.css", "rule": "checked", "is_cached": False}],
        "expected_result": "Nobody sees an old one.",
        "rollback_note": "Go back.",
    },
}
BY_KEYS = {"ban": (), "xkey": ("--xkey",)}
# Copies that have one address and that no purge of it finds.
BY_DEVICE = "sub vcl_hash { hash_data(req.http.X-Device); }"
ADD_RULES = """
import json, sys
from apps.accounts.selectors import acting_user
from apps.caching.services import add_rule
for slug, content in json.load(sys.stdin).items():
    add_rule(slug=slug, content=content, actor=acting_user(None))
"""


@dataclass
class Fronts:
    """A running site, what passes its answers on and counts them, and the caches in front of that."""

    site: Site
    origin: Proxy
    caches: dict[str, Cache]
    by_keys: dict[str, Cache]
    folder: Path


def publish(site: Site, number: int, folder: Path) -> None:
    """Import a folder as the release of this number, and wait until every worker serves it."""
    site.manage("import", folder, "--title", f"Release {number}", "--mirror")
    site.manage("release", "edit", number, "--expected-result", "It is there.", "--rollback-note", "None.")
    site.manage("release", "submit", number)
    site.manage("release", "publish", number)
    site.wait_for_release(number)


def wait_for_purges(site: Site, publication: int) -> list[dict[str, Any]]:
    """Wait until nothing is purged any more after a publication; return what became of it."""
    deadline = time.monotonic() + 90
    while True:
        purges: list[dict[str, Any]] = site.manage("release", "receipt", publication)["purges"]
        if purges and all(purge["state"] != "waiting" for purge in purges):
            return purges
        assert time.monotonic() < deadline, purges
        time.sleep(0.1)


def wait_for_look(site: Site, publication: int) -> dict[str, Any]:
    """Wait until the caches in front were looked at after a publication; return what its receipt says."""
    deadline = time.monotonic() + 90
    while True:
        seen: dict[str, Any] = site.manage("release", "receipt", publication)["in_front"]
        if seen["state"] != "waits":
            return seen
        assert time.monotonic() < deadline, seen
        time.sleep(0.5)


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronts]:
    """One site for all: it takes seconds to start."""
    folder = tmp_path_factory.mktemp("caches")
    site, ports = Site(data=folder / "data"), {"nginx": free_port(), "varnish": free_port()}
    keyed = {kind: free_port() for kind in BY_KEYS if kind == "ban" or has_vmod(kind)}
    told = f"varnish://127.0.0.1:{ports['varnish']},nginx://{folder}/nginx/copies"
    told += "".join(f",varnish://127.0.0.1:{port}?by=keys" for port in keyed.values())
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PURGE_URLS", told)
        environment.setenv("PUBLIC_URLS", f"production=http://127.0.0.1:{ports['varnish']}")
        yield from started(site, folder, ports, keyed)


def started(site: Site, folder: Path, ports: dict[str, int], keyed: dict[str, int]) -> Iterator[Fronts]:
    with site.running():
        subprocess.run(
            [PROJECT / "scripts/manage", "shell", "-v", "0", "-c", ADD_RULES],
            env=site.environment,
            input=json.dumps(RULES),
            text=True,
            check=True,
        )
        site.manage("channel", "set", "production", "--required-approvals", 0)
        with (
            Proxy(site.public_port, uncounted=OWN_AGENT) as origin,
            Cache("nginx", site, origin.port, folder / "nginx", ports["nginx"]) as nginx,
            Cache("varnish", site, origin.port, folder / "varnish", ports["varnish"]) as varnish,
            ExitStack() as running,
        ):
            by_keys = {
                kind: running.enter_context(
                    Cache("varnish", site, origin.port, folder / kind, port, BY_KEYS[kind], BY_DEVICE)
                )
                for kind, port in keyed.items()
            }
            with varnish.also('sub vcl_deliver { set resp.http.Cache-Control = "max-age=7"; }'):
                publish(site, 2, write_folder(folder / "first", FILES))
                for publication in (1, 2):
                    wait_for_purges(site, publication)
                wait_for_look(site, 2)
            yield Fronts(site, origin, {"nginx": nginx, "varnish": varnish}, by_keys, folder)


@pytest.fixture(
    params=[pytest.param(kind, marks=getattr(pytest.mark, kind)) for kind in ("nginx", "varnish")]
)
def cache(request: pytest.FixtureRequest, fronts: Fronts) -> Cache:
    return fronts.caches[request.param]


@pytest.fixture
def asked(fronts: Fronts) -> Callable[[], int]:
    """Return a function that says how many requests have come to the origin since it was last asked."""
    seen = len(fronts.origin.asked)

    def count() -> int:
        nonlocal seen
        before, seen = seen, len(fronts.origin.asked)
        return seen - before

    return count


def until(cache: Cache, target: str, wanted: Callable[[Answer], bool]) -> Answer:
    """Ask until the answer is as wanted; return it."""
    deadline = time.monotonic() + 20
    while True:
        answer = cache.ask(target)
        if wanted(answer):
            return answer
        assert time.monotonic() < deadline, answer.headers
        time.sleep(0.05)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.url)
def test_each_example_of_a_shipped_rule_holds(
    fronts: Fronts, cache: Cache, asked: Callable[[], int], example: Example
) -> None:
    parts = urlsplit(example.url)
    host = "localhost" if not parts.netloc else "r1-forged.preview.localhost"
    for _ in range(2):
        answer = cache.ask(parts.path, host=host)
    asked()
    again = cache.ask(parts.path, host=host)
    if parts.netloc:
        assert (outcome(again), asked()) == ("bypass", 1)
        return
    assert (again.status, again.body) == (
        200,
        FILES[f"{parts.path[1:]}index.html" if parts.path.endswith("/") else parts.path[1:]],
    )
    assert again.headers["assetsite-rule"] == example.rule == answer.headers["assetsite-rule"]
    assert (outcome(again) == "hit") is example.is_cached
    assert asked() == (not example.is_cached)


def test_the_command_asks_for_the_examples_through_a_cache(fronts: Fronts, cache: Cache) -> None:
    found = fronts.site.manage("rule", "examples", "--through", f"http://127.0.0.1:{cache.port}")
    through = [(each["standing"], each["words"]) for each in found if each["asked"] == "cache"]
    previews = [words for standing, words in through if standing == "not asked"]
    assert {standing for standing, _ in through} == {"holds", "not asked"}
    assert set(previews) == {"preview is no host of this channel"}
    assert any(f"assetsite-{cache.kind}; hit" in words for _, words in through)


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/brief/b.css?fresh", {}),
        ("/brief/b.css?a=1&%66resh=1", {}),
        ("/brief/b.css", {"Cookie": "a=1; team=1"}),
        ("/brief/b.css", {"X_Debug": "1"}),
    ],
)
def test_a_bypass_condition_lets_the_origin_answer_and_leaves_what_is_kept(
    cache: Cache, asked: Callable[[], int], target: str, headers: dict[str, str]
) -> None:
    cache.ask("/brief/b.css")
    asked()
    for _ in range(2):
        assert outcome(cache.ask(target, **headers)) == "bypass"
    assert asked() == 2


@pytest.mark.parametrize("headers", [{"Cookie": "steam=1; a=team"}, {"X_Debugger": "1"}])
def test_what_only_looks_like_a_bypass_condition_is_none(cache: Cache, headers: dict[str, str]) -> None:
    until(cache, "/lasting/a.css?fresh", lambda answer: outcome(answer) == "hit")
    until(cache, "/css/app.css", lambda answer: outcome(answer) == "hit")
    assert outcome(cache.ask("/css/app.css", **headers)) == "hit"


def test_a_bypass_condition_is_found_in_any_field_of_its_name(cache: Cache) -> None:
    cache.ask("/brief/b.css")
    with socket.create_connection(("127.0.0.1", cache.port), timeout=30) as connection:
        connection.sendall(
            b"GET /brief/b.css HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Cookie: a=1\r\nCookie: team=1\r\n\r\n"
        )
        head = connection.makefile("rb").read().partition(b"\r\n\r\n")[0]
    assert b"; fwd=bypass" in head


@pytest.mark.varnish
def test_what_has_to_be_asked_about_each_time_is_never_shown_old(fronts: Fronts) -> None:
    """RFC 9111 section 4.2.4: `no-cache` forbids what the stale times beside it would allow."""
    cache = fronts.caches["varnish"]
    answers = [cache.ask("/checked/a.css") for _ in range(3)]
    assert answers[0].headers["cache-control"] == "no-cache, stale-while-revalidate=60, stale-if-error=60"
    assert "hit" not in map(outcome, answers)
    fronts.origin.faults["/checked/a.css"] = gone
    try:
        assert cache.ask("/checked/a.css").status == 503
    finally:
        fronts.origin.faults.clear()


def test_an_old_copy_is_checked_and_found_right(cache: Cache, fronts: Fronts) -> None:
    cache.ask("/brief/a.css")
    checked = until(cache, "/brief/a.css", lambda answer: outcome(answer) == "stale")
    assert ("fwd-status=304" in checked.headers["cache-status"]) is (cache.kind == "varnish")
    assert (checked.status, checked.body) == (200, TEXT)


def test_other_headers_of_a_file_that_stays_arrive_without_a_purge(cache: Cache, fronts: Fronts) -> None:
    """RFC 9111 section 4.3.4: a 304 brings the headers that the copy has from then on."""

    def by_another_rule(exchange: Exchange) -> None:
        exchange.head = exchange.head.replace(b"stale-if-error=3600", b"stale-if-error=1800")
        exchange.pass_on()

    assert "stale-if-error=3600" in cache.ask("/brief/a.css").headers["cache-control"]
    fronts.origin.faults["/brief/a.css"] = by_another_rule
    try:
        until(cache, "/brief/a.css", lambda one: "stale-if-error=1800" in one.headers["cache-control"])
    finally:
        fronts.origin.faults.clear()
    until(cache, "/brief/a.css", lambda one: "stale-if-error=3600" in one.headers["cache-control"])


def test_an_old_copy_bridges_an_origin_that_fails(cache: Cache, fronts: Fronts) -> None:
    cache.ask("/brief/a.css")
    fronts.origin.faults[""] = gone
    try:
        answer = until(cache, "/brief/a.css", lambda one: "detail=stale" in one.headers["cache-status"])
        assert (answer.status, answer.body) == (200, TEXT)
        assert cache.ask("/brief/never-asked-for.css").status in (502, 503)
        assert cache.ask("/").status in (502, 503)  # a page that nobody could check is not shown
    finally:
        fronts.origin.faults.clear()
    assert cache.ask("/").status == 200
    assert cache.ask("/brief/never-asked-for.css").status == 404


def test_an_old_copy_is_shown_while_the_new_one_is_fetched(cache: Cache, fronts: Fronts) -> None:
    cache.ask("/lasting/a.css")
    old = until(cache, "/lasting/a.css", lambda one: "detail=stale" in one.headers["cache-status"])
    assert (old.status, old.body) == (200, TEXT)
    until(cache, "/lasting/a.css", lambda one: "detail" not in one.headers["cache-status"])


def test_browsers_check_by_what_the_cache_keeps(cache: Cache, asked: Callable[[], int]) -> None:
    etag = until(cache, "/css/app.css", lambda one: outcome(one) == "hit").headers["etag"]
    asked()
    checked = cache.ask("/css/app.css", If_None_Match=etag)
    assert (checked.status, outcome(checked), asked()) == (304, "hit", 0)


def test_a_range_and_a_head_come_from_the_whole(cache: Cache, asked: Callable[[], int]) -> None:
    part = cache.ask("/img/logo.svg", Range="bytes=2-5")
    assert (part.status, part.body) == (206, TEXT[2:6])
    head = cache.ask("/img/logo.svg", method="HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(TEXT)))
    whole = until(cache, "/img/logo.svg", lambda one: outcome(one) == "hit")
    assert (whole.status, whole.body) == (200, TEXT)
    asked()
    assert cache.ask("/img/logo.svg", Range="bytes=0-0").body == TEXT[:1]
    assert asked() == 0


@pytest.mark.parametrize("target", ["/img/logo.svg", "/docs/?x", "/", "/brief/b.css?fresh"])
def test_a_range_is_answered_wherever_the_answer_comes_from(cache: Cache, target: str) -> None:
    """RFC 9110 section 14.2: one that cannot be read does not count, or has no such bytes."""
    whole = cache.ask(target).body
    for asked_for, first, last in (
        ("bytes=2-5", 2, 5),
        ("bytes=4-", 4, len(whole) - 1),
        ("bytes=-4", len(whole) - 4, len(whole) - 1),
    ):
        answer = cache.ask(target, Range=asked_for)
        assert (answer.status, answer.body) == (206, whole[first : last + 1]), asked_for
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
    for asked_for in ("bytes=0-0,-1", "items=0-3", "bytes=5-2", "bytes=-0", "bytes="):
        answer = cache.ask(target, Range=asked_for)
        if answer.status == 416:
            assert "no-store" in answer.headers["cache-control"], asked_for
        elif answer.status != 206:
            assert (answer.status, answer.body) == (200, whole), asked_for


def test_nobody_keeps_that_there_are_no_such_bytes(cache: Cache) -> None:
    for _ in range(2):
        answer = cache.ask("/img/logo.svg", Range="bytes=99999-")
        assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(TEXT)}")
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["cache-status"].count("assetsite-") == 1
    assert "no-store" not in cache.ask("/img/logo.svg").headers["cache-control"]


def test_content_codings_are_kept_apart(fronts: Fronts, cache: Cache) -> None:
    deadline = time.monotonic() + 30
    while "content-encoding" not in fronts.site.get("/css/site.css", accept_encoding="gzip").headers:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for _ in range(2):
        for asked_for in ("identity", "gzip", "br;q=0, gzip"):
            answer = cache.ask("/css/site.css", accept_encoding=asked_for)
            coded = answer.headers.get("content-encoding", "identity")
            assert coded in asked_for.removeprefix("br;q=0, ")
            assert (gzip.decompress(answer.body) if coded == "gzip" else answer.body) == TEXT
    assert (coded, outcome(answer)) == ("gzip", "hit")


# ── What must not poison or deceive a cache ─────────────────────────────────────────────────────────


@pytest.mark.parametrize("query", ["?utm_source=<script>", "?a=1&a=2", "?", "?%0d%0aX-Evil:1", "?;x"])
def test_a_query_makes_neither_another_copy_of_a_file_nor_another_request(
    cache: Cache, fronts: Fronts, asked: Callable[[], int], query: str
) -> None:
    until(cache, "/css/app.css", lambda one: outcome(one) == "hit")
    asked()
    answer = cache.ask(f"/css/app.css{query}")
    assert (answer.status, answer.body, outcome(answer), asked()) == (200, TEXT, "hit", 0)


def test_a_query_does_not_stay_in_a_redirect(cache: Cache) -> None:
    poisoned = cache.ask("/docs?next=//evil.example")
    assert poisoned.headers["location"] == "/docs/?next=//evil.example"
    assert cache.ask("/docs").headers["location"] == "/docs/"
    assert cache.ask("/docs?b").headers["location"] == "/docs/?b"


@pytest.mark.parametrize(
    "suffix", ["/x.css", "%2fx.css", ";x.css", "%3bx.css", "%00.css", "%0a.css", "%23.css", "%3f.css"]
)
def test_a_page_is_not_kept_under_a_files_name(cache: Cache, suffix: str) -> None:
    for _ in range(2):
        answer = cache.ask(f"/account.html{suffix}")
        assert answer.status in (400, 404)
        assert b"Account" not in answer.body
        assert outcome(answer) != "hit"


@pytest.mark.parametrize(
    "target",
    [
        "/css%2fapp.css",
        "/css/app%2ecss",
        "/%63ss/app.css",
        "/css/../css/app.css",
        "//css/app.css",
        "/css/./app.css",
        "/css\\app.css",
        "/names/%c3%bc.css",
        "/names/\u00fc.css".encode().decode("latin-1"),
        "/css/app.css%0d%0aX-Evil:%201",
    ],
)
def test_only_one_spelling_of_an_address_is_kept(cache: Cache, asked: Callable[[], int], target: str) -> None:
    cache.ask("/css/app.css")
    asked()
    for _ in range(2):
        answer = cache.ask(target)
        assert "x-evil" not in answer.headers
    assert outcome(answer) in ("bypass", "refused")
    assert asked() == (2 if outcome(answer) == "bypass" else 0)
    assert cache.ask("/css/app.css").body == TEXT


@pytest.mark.parametrize("target", ["/names/a%20b&c;d.css", "/names/%C3%BC.css"])
def test_the_one_spelling_is_kept(cache: Cache, target: str) -> None:
    assert until(cache, target, lambda one: outcome(one) == "hit").body == TEXT


@pytest.mark.parametrize(
    "fields",
    [
        {"X-Forwarded-Host": "evil.example"},
        {"X-Original-URL": "/account.html"},
        {"X-Rewrite-URL": "/account.html"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-Assetsite-Path": "/account.html", "X-Assetsite-Status": "hit", "X-Assetsite-Again": "failed"},
        {"Authorization": "Basic YTpi"},
        {"Forwarded": "host=evil.example;proto=http"},
        {"X-Forwarded-Proto": "ftp", "X-Forwarded-Port": "1"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_header_outside_the_key_changes_nothing(
    cache: Cache, fronts: Fronts, fields: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """Each case asks first for an address that nothing is kept of: 404 is kept for seconds."""
    name = f"/unkeyed-{abs(hash(request.node.name))}"
    first = cache.ask_with(name, {"Host": "localhost", **fields})
    second = cache.ask(name)
    assert (first.status, first.body) == (second.status, second.body) == (404, b"There is no such page.\n")
    assert b"evil" not in b"".join(f"{pair}".encode() for pair in second.headers.items())


def test_hosts_are_one_whatever_their_spelling(cache: Cache, asked: Callable[[], int]) -> None:
    more = ["localhost..", "localhost..:80"] if cache.kind == "varnish" else []  # nginx refuses these
    until(cache, "/css/app.css", lambda one: outcome(one) == "hit")
    asked()
    for host in ("LOCALHOST", "localhost:8080", "localhost.", "localhost:", *more):
        answer = cache.ask("/css/app.css", host=host)
        assert (answer.status, outcome(answer)) == (200, "hit"), host
    assert asked() == 0


def test_a_target_with_a_host_does_not_answer_for_another(cache: Cache) -> None:
    """The host in the target counts, for the key as for the origin (RFC 9112 section 3.2.2)."""
    for _ in range(2):
        answer = cache.ask("http://evil.example/img/logo.svg")
        assert answer.status != 200
    assert cache.ask("/img/logo.svg", host="evil.example").status != 200
    assert cache.ask("http://localhost/img/logo.svg", host="evil.example").body == TEXT


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_not_answered_from_what_is_kept(cache: Cache, method: str) -> None:
    kept = until(cache, "/css/app.css", lambda one: outcome(one) == "hit")
    other = cache.ask_with("/css/app.css", {"Host": "localhost", "Content-Length": "0"}, method=method)
    assert other.status in (204, 405)
    assert (cache.ask("/css/app.css").body, kept.status) == (TEXT, 200)


def test_what_is_too_large_for_one_hop_is_an_answer_for_one_visitor(cache: Cache) -> None:
    refused = cache.ask("/css/app.css", Cookie="a=" + "x" * 7000)
    assert (refused.status, refused.body) == (200, TEXT)  # a cookie does not go to the origin
    with suppress(OSError):  # Varnish hangs up
        assert cache.ask("/names/a%20b&c;d.css", Cookie="a=" + "x" * 100_000).status >= 400
    assert cache.ask("/names/a%20b&c;d.css").body == TEXT
    assert cache.ask("/css/app.css", X_Large="x" * 7000).status in (200, 400, 431)
    assert cache.ask("/css/app.css").status == 200


# ── Publishing ──────────────────────────────────────────────────────────────────────────────────────


DECODERS = {"identity": bytes, "gzip": gzip.decompress, "br": brotli.decompress}
CODINGS = ["identity", "gzip", "br, gzip", "deflate"]
DEVICES = ["phone", "desktop"]
KEPT_BY_DEVICE = ("/keyed/a.css", "/keyed/same.css", "/told/same.css")


@pytest.fixture(scope="module")
def told(fronts: Fronts) -> None:
    """Publish other content of files of which all caches have every coding, and wait for the purges."""
    site, new = fronts.site, b"/* two */\n" * 200
    for cache in fronts.by_keys.values():
        for target in KEPT_BY_DEVICE:
            for device in DEVICES:
                cache.ask(target, X_Device=device)
                assert outcome(cache.ask(target, X_Device=device)) == "hit"
    for cache in fronts.caches.values():
        for target in ("/told/a.css", "/told/b%20c;d.css", "/told/same.css", "/told/c.css"):
            for coding in CODINGS:
                cache.ask(target, Accept_Encoding=coding)
                again = cache.ask(target, Accept_Encoding=coding)
                assert again.status == (404 if target == "/told/c.css" else 200)
                assert outcome(again) == "hit" or again.status == 404
    second = {**FILES, "told/a.css": new, "told/b c;d.css": new, "told/c.css": new}
    second["keyed/a.css"] = new
    publish(site, 3, write_folder(fronts.folder / "second", second))
    purges = wait_for_purges(site, 3)
    wait_for_look(site, 3)
    assert {purge["state"] for purge in purges} == {"done"}
    amounts = [(purge["keys"], purge["total"]) for purge in purges]  # on localhost, 127.0.0.1 and [::1]
    assert amounts == [(0, 4 * 3), (0, 4 * 3), *[(2, 2 + 3 * 3)] * len(fronts.by_keys)]


@pytest.mark.parametrize("coding", CODINGS)
def test_a_publication_purges_every_copy_of_what_changed_and_nothing_else(
    told: None, cache: Cache, coding: str
) -> None:
    for target in ("/told/a.css", "/told/b%20c;d.css", "/told/c.css"):
        answer = cache.ask(target, Accept_Encoding=coding)
        decode = DECODERS[answer.headers.get("content-encoding", "identity")]
        assert decode(answer.body) == b"/* two */\n" * 200
    assert outcome(cache.ask("/told/same.css", Accept_Encoding=coding)) == "hit"


@pytest.mark.varnish
@pytest.mark.parametrize("kind", BY_KEYS)
def test_a_publication_purges_by_keys_every_copy_of_what_changed(
    fronts: Fronts, told: None, kind: str
) -> None:
    if kind != "ban":
        require_vmod(kind)
    cache = fronts.by_keys[kind]
    for device in DEVICES:
        seen = {target: cache.ask(target, X_Device=device) for target in KEPT_BY_DEVICE}
        assert {target: outcome(answer) for target, answer in seen.items()} == {
            "/keyed/a.css": "uri-miss",
            "/keyed/same.css": "uri-miss",  # which is the price
            "/told/same.css": "hit",
        }
        assert seen["/keyed/a.css"].body == b"/* two */\n" * 200
    assert cache.ask("/told/a.css").body == b"/* two */\n" * 200
    changed = fronts.site.manage("release", "receipt", 3)["changed_urls"]
    assert (changed["keyed"], changed["surrogate_keys"]) == (1, {"shop:styles": 1, "theme": 1})


@pytest.mark.varnish
@pytest.mark.parametrize("kind", BY_KEYS)
def test_as_many_keys_as_one_request_names_are_all_forgotten(fronts: Fronts, kind: str) -> None:
    if kind != "ban":
        require_vmod(kind)
    cache = fronts.by_keys[kind]
    for target in ("/keyed/same.css", "/told/same.css"):
        cache.ask(target)
    many = [f"{number:05d}" for number in range(1000)]
    values = list(header_values([*many, "theme"]))
    assert {cache.ask("/", method="PURGE", Surrogate_Key=value).status for value in values} == {200}
    assert outcome(cache.ask("/keyed/same.css")) == "uri-miss"
    assert outcome(cache.ask("/told/same.css")) == "hit"


@pytest.mark.varnish
def test_a_receipt_says_what_the_cache_in_front_makes_of_the_examples(fronts: Fronts, told: None) -> None:
    changed, right = (wait_for_look(fronts.site, publication) for publication in (2, 3))
    address = f"http://127.0.0.1:{fronts.caches['varnish'].port}"
    assert (changed["url"], changed["state"]) == (address, "fails")
    named = {step["subject"]: step["words"] for step in changed["steps"]}
    [words] = [
        words for what, words in named.items() if what.startswith("cache-control at /css/site.css and ")
    ]
    assert "visitors get “max-age=7”; on the way “Cache-Status: assetsite-varnish; " in words
    assert (right["url"], right["state"], right["steps"]) == (address, "holds", [])
    assert "visitors get what this site sends" in right["words"]
    assert fronts.site.manage("release", "receipt", 2)["state"] == "verified"


@pytest.mark.varnish
def test_only_who_may_purges(fronts: Fronts) -> None:
    cache = fronts.caches["varnish"]
    until(cache, "/css/site.css", lambda one: outcome(one) == "hit")
    assert cache.ask("/css/site.css", method="PURGE", X_Forwarded_For="127.0.0.1").status == 405
    assert outcome(cache.ask("/css/site.css")) == "hit"
    assert fronts.caches["nginx"].ask("/css/site.css", method="PURGE").status == 405
    assert cache.ask("/css/site.css", method="PURGE").status == 200
    assert outcome(cache.ask("/css/site.css")) != "hit"


@pytest.mark.varnish
@pytest.mark.parametrize(
    ("path", "fields", "gone", "kept"),
    [
        ("/", {"Surrogate_Key": "other brief"}, "/brief/b.css", "/names/%C3%BC.css"),
        ("/names/*", {}, "/names/%C3%BC.css", "/docs/manual.pdf"),
    ],
)
def test_a_surrogate_key_and_a_folder_purge_all_that_has_them(
    fronts: Fronts, path: str, fields: dict[str, str], gone: str, kept: str
) -> None:
    cache = fronts.caches["varnish"]
    for target in (kept, gone):
        until(cache, target, lambda one: outcome(one) == "hit")
    assert cache.ask(path, method="PURGE", **fields).status == 200
    assert outcome(cache.ask(gone)) == "uri-miss"
    assert outcome(cache.ask(kept)) == "hit"
    assert cache.ask("/", method="PURGE", Surrogate_Key='a" && obj.ttl > 0s').status == 400


@pytest.mark.varnish
def test_vmod_xkey_purges_each_copy_with_a_surrogate_key_and_nothing_else(fronts: Fronts) -> None:
    require_vmod("xkey")
    brief = [("/brief/a.css", coding) for coding in ("identity", "gzip")] + [("/brief/b.css", "identity")]
    lasting, others = [("/lasting/a.css", "identity")], [("/names/%C3%BC.css", "identity")]

    def fetched_anew(cache: Cache, *, purged: str) -> list[tuple[str, str]]:
        """Purge by keys; return which of all copies the cache has no more."""
        for target, coding in (every := brief + lasting + others):
            cache.ask(target, accept_encoding=coding)
        assert cache.ask("/", method="PURGE", Surrogate_Key=purged).status == 200
        answers = [(each, cache.ask(each[0], accept_encoding=each[1])) for each in every]
        assert not any("xkey" in answer.headers for _, answer in answers)
        return [each for each, answer in answers if outcome(answer) == "uri-miss"]

    xkey = fronts.by_keys["xkey"]
    assert fetched_anew(xkey, purged="nobody brie") == []
    assert fetched_anew(xkey, purged="nobody brief") == brief
    assert fetched_anew(xkey, purged="lasting") == lasting
    assert fetched_anew(xkey, purged="brief brief-not") == brief + lasting
    assert xkey.ask("/", method="PURGE", Surrogate_Key='a"').status == 400


def test_what_the_document_tells_people_to_type_works(fronts: Fronts) -> None:
    blocks = commands_of("docs/caches.md")
    assert len(blocks) == 4
    for block in blocks:
        done = subprocess.run(
            ["bash", "-euc", block.replace("scripts/manage", f"'{PROJECT}/scripts/manage'")],  # noqa: S607
            cwd=fronts.folder,
            env=fronts.site.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert (fronts.folder / "assetsite-nginx.conf").stat().st_size > 1000
    assert '"10.0.0.0"/8;' in (fronts.folder / "assetsite.vcl").read_text()
