"""The examples of rules, asked for as visitors ask: by command, and by the receipt of a publication."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django.asserts import assertContains
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Example
from apps.releases.checks.live_examples import sent_headers
from apps.releases.models import Channel, Receipt, Release
from apps.releases.services import publishing
from tests.public_door import Door, public_door
from tests.releases.conftest import Publish, put
from tests.releases.test_commands import refused
from tests.releases.test_receipts import seen, steps, switched
from tests.staff import staff_client
from tests.tampering import without_guards

SITE, RULE = "/css/site.css", "everything"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def door(settings: Settings) -> Iterator[Door]:
    settings.PINNED_HOSTS = {"localhost": "production", "www.example.com": "production"}
    with public_door(settings.PINNED_HOSTS) as door:
        yield door


def example(url: str, **fields: Any) -> dict[str, Any]:
    return {"url": url, "rule": RULE, "is_cached": True, **fields}


def let_rule_have(*examples: dict[str, Any], **fields: Any) -> None:
    """Let `everything` have these examples alone, and the other rules none."""
    with without_guards("caching_cacheruleversion"):
        CacheRuleVersion.objects.update(examples=[])
        CacheRuleVersion.objects.filter(rule__slug=RULE).update(examples=list(examples), **fields)


def asked(capsys: Capture, *words: str, fails: bool = False) -> list[Any]:
    """Return how each example stands, and in which words; that the command failed is as expected."""
    capsys.readouterr()
    if fails:
        with pytest.raises(SystemExit):
            call_command("rule", "examples", *words, "--json")
    else:
        call_command("rule", "examples", *words, "--json")
    return [(each["asked"], each["standing"], each["words"]) for each in json.loads(capsys.readouterr().out)]


def of_cache(found: list[Any]) -> list[tuple[str, str]]:
    return [(standing, words) for place, standing, words in found if place == "cache"]


def standings(found: list[Any]) -> list[str]:
    return [standing for _, standing, _ in found]


def let_answers_say(door: Door, name: str, value: str) -> None:
    """Let something between visitors and the site say what it likes."""
    as_it_is = door.answer

    def answer(method: str, url: str, host: str) -> tuple[int, list[tuple[str, str]], bytes]:
        status, headers, body = as_it_is(method, url, host)
        others = [each for each in headers if each[0].lower() != name.lower()]
        return status, [*others, (name, value)], body

    door.answer = answer  # type: ignore[method-assign]


def test_what_is_live_is_asked_as_a_visitor_asks(door: Door, live: Release, capsys: Capture) -> None:
    let_rule_have(
        example(SITE, browser_ttl_seconds=300),
        example("http://www.example.com/css/site.css?v=1", request_headers=[["Accept-Encoding", "br"]]),
        example("/js/none.js"),
        example("http://preview/css/site.css", is_cached=False),
        example("http://attacker.example/css/site.css"),
        example("/%2e%2e/secret", rule="", is_cached=False),
        example(SITE, request_headers=[["A", "b\r\nHost: x"]]),
        example(SITE, request_headers=[["Transfer-Encoding", "chunked"], ["Host", "www.example.com"]]),
        example(SITE, request_headers=[["Accept", "*/*"], ["Host", "attacker.example:80"]]),
        example("http://[::1/x"),
        example(SITE, browser_ttl_seconds=7),
    )
    switched(live.channel)
    door.follow()
    found = asked(capsys)
    said = [f"{standing}: {words}" for _, standing, words in found]
    assert said[:6] == [
        "holds: cached 5 min, by everything",
        "holds: cached 5 min, by everything",
        "not asked: no file lies there in what is live",
        "not asked: preview is no host of this channel",
        "not asked: attacker.example is no host of this channel",
        "holds: checked with the origin each time, by no rule",
    ]
    assert said[6].startswith("not asked: no request can be made of it: Invalid header value")
    assert said[7].startswith("holds")
    assert said[8] == said[4]
    assert said[9].startswith("not asked: it cannot be asked: ")
    assert said[10] == "not asked: it does not hold in what is live either: cached 5 min, by everything"
    assert door.asked == [SITE, f"{SITE}?v=1", "/%2e%2e/secret", SITE]


def test_what_belongs_to_the_connection_is_not_sent() -> None:
    names = ("Transfer-Encoding", "CONTENT-LENGTH", "te", "Host", "Accept")
    headers = tuple((name, "1") for name in names)
    assert sent_headers(Example("/", is_cached=True, rule="", request_headers=headers)) == {"Accept": "1"}


def test_a_bypass_is_nothing_that_an_origin_shows(door: Door, live: Release, capsys: Capture) -> None:
    bypass = {"kind": "query", "name": "fresh", "reason": "Somebody looks."}
    let_rule_have(example(f"{SITE}?fresh", is_cached=False), bypass_conditions=[bypass])
    switched(live.channel)
    door.follow()
    [(_, standing, words)] = asked(capsys)
    assert (standing, words) == ("not asked", "caches step aside for it, which only a cache in front shows")


def test_what_somebody_changes_on_the_way_is_found(door: Door, live: Release, capsys: Capture) -> None:
    let_rule_have(example(SITE, browser_ttl_seconds=300))
    switched(live.channel)
    door.follow()
    let_answers_say(door, "Cache-Control", "max-age=7")
    [(_, standing, words)] = asked(capsys, fails=True)
    assert standing == "fails"
    assert words == "expected cached 5 min in browsers, by everything, seen cached 7 s, by everything"
    let_answers_say(door, "Cache-Control", "max-age=0, s-maxage=60")
    [(_, _, words)] = asked(capsys, fails=True)
    assert words.endswith("seen cached 0 s in browsers, 1 min in shared caches, by everything")
    let_answers_say(door, "Cache-Control", "private, max-age=60")
    [(_, _, words)] = asked(capsys, fails=True)
    assert words.endswith("seen cached 1 min in browsers, 0 s in shared caches, by everything")
    let_answers_say(door, "Cache-Control", "max-age=300")
    let_answers_say(door, "Assetsite-Rule", "another")
    [(_, _, words)] = asked(capsys, fails=True)
    assert words.endswith("seen cached 5 min, by another")
    Channel.objects.filter(pk=live.channel_id).update(names_release=False)
    assert standings(asked(capsys)) == ["holds"], "no answer of that channel names its rule"
    door.change = lambda url, status, body: (503, b"")
    [(_, _, words)] = asked(capsys, fails=True)
    assert words == "answered 503, expected cached 5 min in browsers, by everything"


@pytest.fixture
def cache(live: Release, door: Door) -> Iterator[tuple[str, dict[str, str]]]:
    """A cache in front that says what it is told to say; its address, and what it says."""
    said: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            _, headers, _ = door.answer("HEAD", self.path, self.headers["Host"])
            self.send_response_only(200)
            for name, value in (*headers, *said.items()):
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", said
        server.shutdown()


def test_a_cache_in_front_is_asked_twice_and_believed_about_itself(
    cache: tuple[str, dict[str, str]], live: Release, door: Door, capsys: Capture
) -> None:
    bypass = {"kind": "query", "name": "fresh", "reason": "Somebody looks."}
    let_rule_have(example(SITE), example(f"{SITE}?fresh", is_cached=False), bypass_conditions=[bypass])
    switched(live.channel)
    door.follow()
    address, said = cache
    assert (
        of_cache(asked(capsys, "--through", address))
        == [("not asked", "no cache on the way says what it did (Cache-Status, X-Cache)")] * 2
    )
    assert door.asked.count(SITE) == 3
    said["Cache-Status"] = "front; hit"
    assert of_cache(asked(capsys, "--through", address, fails=True)) == [
        ("holds", "Cache-Status: front; hit"),
        ("fails", "expected that it asks the origin, seen Cache-Status: front; hit"),
    ]
    said["Cache-Status"] = "front; fwd=bypass"
    assert of_cache(asked(capsys, "--through", address, fails=True)) == [
        ("fails", "expected an answer of the cache's own, seen Cache-Status: front; fwd=bypass"),
        ("holds", "Cache-Status: front; fwd=bypass"),
    ]


@pytest.mark.parametrize("place", ["ftp://x", "http://", "http://a:b", "http://u@h/", "http://h/path", "h:0"])
def test_a_place_that_is_none_is_refused(live: Release, capsys: Capture, door: Door, place: str) -> None:
    assert refused(capsys, "rule", "examples", "--through", place)["code"] == "wrong_address"


def test_nobody_there_and_no_host_are_said(
    live: Release, capsys: Capture, door: Door, settings: Settings
) -> None:
    let_rule_have(example(SITE))
    words = ("rule", "examples", "--origin", "127.0.0.1:1")
    assert refused(capsys, *words)["code"] == "nowhere_to_fetch"
    for nowhere in ("http://a..b", "http://a b", f"http://{'a' * 64}"):
        assert refused(capsys, *words[:2], "--origin", nowhere)["code"] == "nowhere_to_fetch"
    settings.PINNED_HOSTS = {}
    assert refused(capsys, *words)["code"] == "nowhere_to_fetch"


def test_a_receipt_says_what_became_of_the_examples(
    door: Door, approved: Release, manager: User, capsys: Capture
) -> None:
    switched(approved.channel)
    publishing.publish(release=approved, actor=manager)
    done = switched(approved.channel)
    door.follow()
    receipt = seen(done)
    count = sum(len(rule.examples) for rule in DEFAULT_RULES.values())
    assert receipt.verdict == Receipt.Verdict.VERIFIED
    [(is_good, words)] = steps(receipt, "rule").values()
    assert is_good
    assert words == f"2 hold, {count - 2} not asked"
    shown = staff_client(manager).get(f"/admin/releases/channel/{done.channel_id}/receipt/{done.sequence}/")
    assertContains(shown, words)
    call_command("release", "receipt", done.tag)
    assert f"✓ Examples of cache rules: {words}" in capsys.readouterr().out


def test_a_publication_whose_examples_do_not_hold_outside_is_not_verified(
    door: Door, live: Release, publish: Publish, capsys: Capture
) -> None:
    let_rule_have(example(SITE), example(f"{SITE}?a", browser_ttl_seconds=300))
    publish(put("a.txt", "a"))
    done = switched(live.channel)
    door.follow()
    let_answers_say(door, "Cache-Control", "max-age=7")
    receipt = seen(done)
    assert receipt.verdict == Receipt.Verdict.FAILED
    assert receipt.words.startswith(f"{RULE}, example 2: {SITE}?a expected cached 5 min")
    numbers = dict(receipt.steps.filter(kind="rule").values_list("number", "words"))
    assert numbers[0] == "1 hold, 1 fail"
    assert set(numbers) == {0, 1}
