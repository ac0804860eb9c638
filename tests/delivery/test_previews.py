"""A preview at every front door: the release as it is, kept by nobody, shown to nobody else."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from apps.delivery.previews.answering import is_preview
from apps.delivery.previews.passwords import MOST_GUESSES
from apps.delivery.previews.shown import current_previews
from tests.delivery.conftest import CODED, LARGE, PAGE, SITE, STYLE, STYLE_BR, TEN
from tests.delivery.doors import Reply
from tests.delivery.previews import (
    DOMAIN,
    HASHED,
    PASSWORD,
    SECRET,
    Ask,
    Made,
    ask_in_process,
    asker,
    show,
    until,
)
from tests.serving import Gunicorn, Published, sha256

CANDIDATE = {
    **SITE,
    "new.html": b"<!doctype html><base href=//elsewhere.example/><title>New</title><p>n\xc3\xb6w",
    "wide.html": b"\xff\xfe<\x00p\x00>\x00",
    "robots.txt": b"User-agent: *\nAllow: /\n",
}
HOST_RULES = "production=*"


@dataclass(frozen=True, slots=True)
class Place:
    """A door with a site behind it: release 1 live at every host, release 2 a candidate."""

    ask: Ask
    site: Published

    def show(self, **words: object) -> Made:
        return show(self.site, 2, **words)  # type: ignore[arg-type]


def prepared(site: Published) -> Published:
    site.publish(1, SITE, coded=CODED)
    site.publish(2, CANDIDATE, coded=CODED, kept_from=dict.fromkeys(SITE, 1))
    site.point_at(1)
    return site


def served(tmp_path_factory: pytest.TempPathFactory, worker: str) -> Iterator[Place]:
    data = tmp_path_factory.mktemp(f"previews-{worker}")
    environment = {"GUNICORN_WORKER": worker, "CHANNEL_HOSTS": HOST_RULES}
    server = Gunicorn(data, workers=1, environment=environment)
    site = prepared(Published(server.storage))
    with server:
        yield Place(asker(server), site)


@pytest.fixture(scope="module")
def worker_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from served(tmp_path_factory, "delivery")


@pytest.fixture(scope="module")
def threads_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from served(tmp_path_factory, "threads")


@pytest.fixture
def here(storage_folder: Path, settings: Settings) -> Place:
    """The middleware in this process."""
    settings.SECRET_KEY = SECRET
    settings.CHANNEL_HOSTS = {"*": "production"}
    current_previews.cache_clear()
    return Place(ask_in_process, prepared(Published(storage_folder)))


@pytest.fixture(params=["middleware", "worker", "threads"])
def place(request: pytest.FixtureRequest) -> Place:
    name = {"middleware": "here"}.get(request.param, f"{request.param}_place")
    found: Place = request.getfixturevalue(name)
    return found


def assert_not_kept(answer: Reply) -> None:
    said = answer.headers
    assert said["cache-control"] == "private, no-store"
    assert said["x-robots-tag"] == "noindex, nofollow"
    assert said["referrer-policy"] == "same-origin"
    assert not {"cdn-cache-control", "surrogate-control", "surrogate-key"} & set(said)


# What it shows


def test_a_preview_is_the_candidate_and_the_channel_is_not(place: Place) -> None:
    host = place.show().host

    shown, live = place.ask("/new.html", host), place.ask("/new.html", "www.example.com")

    assert (shown.status, shown.body) == (200, CANDIDATE["new.html"])
    assert shown.headers["assetsite-release"] == "2"
    assert shown.headers["assetsite-digest"] == f"sha256:{place.site.pointers[2]['digest']}"
    assert_not_kept(shown)
    assert live.status == 404
    assert "assetsite-digest" not in live.headers


def test_what_its_cache_rule_says_is_shown_beside(place: Place) -> None:
    answer = place.ask("/ten.txt", place.show().host)
    live = place.ask("/ten.txt", "localhost")

    assert (
        answer.headers["assetsite-would-be-cache-control"]
        == live.headers["cache-control"]
        != "private, no-store"
    )


def test_ranges_conditions_and_codings_are_as_on_a_channel(place: Place) -> None:
    host = place.show().host

    part = place.ask("/ten.txt", host, range="bytes=2-5")
    assert (part.status, part.body, part.headers["content-range"]) == (206, TEN[2:6], "bytes 2-5/10")
    same = place.ask("/ten.txt", host, if_none_match=f'"{sha256(TEN)}"')
    assert (same.status, same.body) == (304, b"")
    coded = place.ask("/css/site.css", host, accept_encoding="br")
    assert (coded.body, coded.headers["content-encoding"]) == (STYLE_BR, "br")
    assert place.ask("/css/site.css", host).body == STYLE
    assert place.ask("/large.bin", host).body == LARGE
    head = place.ask("/large.bin", host, method="HEAD")
    assert (head.body, head.headers["content-length"]) == (b"", str(len(LARGE)))
    for answer in (part, same, coded, head):
        assert_not_kept(answer)
    assert place.ask("/ten.txt", host, range="bytes=99-").status == 416
    assert place.ask("/ten.txt", host, method="DELETE").status == 405
    assert place.ask("/docs", host).headers["location"] == "/docs/"
    assert place.ask("/none", host).status == 404


def test_robots_are_told_to_stay_away_whatever_the_release_says(place: Place) -> None:
    answer = place.ask("/robots.txt", place.show().host)

    assert answer.body == b"User-agent: *\nDisallow: /\n"
    assert_not_kept(answer)


def test_djangos_own_pages_are_not_at_a_previews_host(place: Place) -> None:
    host = place.show().host

    assert place.ask("/-/healthz", host).status == 404
    assert place.ask("/-/readyz", host).status == 404
    assert place.ask("/admin/", host).status == 404


def test_a_host_is_found_however_it_is_spelt(place: Place) -> None:
    made = place.show()

    for host in (made.host.upper(), f"{made.host}:8000", f"{made.host}.", f"{made.host}.:8000"):
        assert place.ask("/new.html", host).status == 200, host
    absolute = place.ask(f"http://{made.host}/new.html", "localhost")
    assert absolute.status == 200


def test_a_preview_of_a_draft_follows_when_it_is_built_again(place: Place) -> None:
    made = place.show(is_of_draft=True)
    assert place.ask("/new.html", made.host).status == 200

    first = place.site.pointers[1]
    made.rewrite(digest=first["digest"], manifest=first["manifest"])

    until(lambda: place.ask("/new.html", made.host), lambda answer: answer.status == 404)


# What it does not show


def gone(place: Place) -> Reply:
    """Return what a host gets that was made up."""
    return place.ask("/", f"r2-{'a' * 40}.{DOMAIN}")


def test_every_host_that_shows_nothing_gets_the_same_answer(place: Place) -> None:
    made, over, revoked = place.show(), place.show(seconds=-1), place.show()
    revoked.revoke()
    flipped = made.label[:-1] + ("b" if made.label[-1] != "b" else "c")
    another_release = made.label.replace("r2-", "r1-")
    expected = gone(place)
    assert expected.status == 404
    assert_not_kept(expected)

    hosts = [
        *(f"{label}.{DOMAIN}" for label in (over.label, revoked.label, flipped, another_release)),
        *(f"{label}.{DOMAIN}" for label in ("www", "r2", "r2-", "r02-" + made.label[3:], made.label + "a")),
        *(
            f"{label}.{DOMAIN}"
            for label in (f"www.{made.label}", "x" * 63, "y" * 240, "xn--bcher-kva", "-", "")
        ),
        *(DOMAIN, f"{DOMAIN}.", f"{DOMAIN}:8000", f".{DOMAIN}", f"..{DOMAIN}"),
    ]
    for host in hosts:
        for target in ("/", "/new.html", "/ten.txt", "/-/healthz", "/robots.txt", "/-/preview.css"):
            assert place.ask(target, host) == expected, (host, target)


def test_a_host_that_only_looks_like_one_is_a_channels(place: Place) -> None:
    label = place.show().label

    for host in (
        f"{label}.notpreview.localhost",
        f"{label}.{DOMAIN}.example.com",
        "preview.localhost.example",
    ):
        assert place.ask("/ten.txt", host).headers["assetsite-release"] == "1"
        assert place.ask("/new.html", host).status == 404


def test_a_preview_that_is_revoked_is_gone_within_a_poll(place: Place) -> None:
    made = place.show()
    assert place.ask("/new.html", made.host).status == 200

    made.revoke()

    assert until(lambda: place.ask("/", made.host), lambda answer: answer.status != 200) == gone(place)


def test_a_preview_ends_by_itself_though_nobody_removes_it(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = here.show(seconds=60)
    assert here.ask("/new.html", made.host).status == 200
    expected = gone(here)

    monkeypatch.setattr("apps.delivery.previews.shown.time.time", lambda: 4_000_000_000.0)

    assert here.ask("/new.html", made.host) == expected


def test_a_pointer_that_nobody_trusted_has_signed_shows_nothing(here: Place) -> None:
    made = here.show()
    made.file.write_bytes(made.file.read_bytes().replace(b'"release": 2', b'"release": 3'))

    assert here.ask("/new.html", made.host) == gone(here)


@pytest.mark.parametrize("words", [{"preview": "0" * 16}, {"release": 1}, {"format": 2}, {"options": None}])
def test_a_pointer_of_another_host_or_format_shows_nothing(here: Place, words: dict[str, object]) -> None:
    made = here.show()
    made.rewrite(**words)

    assert here.ask("/new.html", made.host) == gone(here)


def test_what_storage_lacks_is_said_and_not_kept(here: Place) -> None:
    made = here.show(manifest={"name": "manifests/none.sqlite", "sha256": "0" * 64, "size": 1})
    answer = here.ask("/", made.host)

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert_not_kept(answer)


def test_a_manifest_of_another_digest_is_not_shown(here: Place) -> None:
    made = here.show(digest="0" * 64)

    assert here.ask("/", made.host).status == 503


def test_a_manifest_that_is_written_to_is_shown_no_more_until_it_is_whole(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.delivery.previews.shown.POLL_SECONDS", 0.0)
    host = here.show().host
    manifest = here.site.folder / here.site.pointers[2]["manifest"]["name"]
    whole = manifest.read_bytes()
    assert [here.ask("/new.html", host).status for _ in range(2)] == [200, 200]
    manifest.chmod(0o644)
    manifest.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert [here.ask("/new.html", host).status for _ in range(2)] == [503, 503]
    manifest.write_bytes(whole)
    assert here.ask("/new.html", host).status == 200


def test_a_lost_blob_is_a_503_at_a_preview_too(here: Place) -> None:
    made = here.show()
    here.site.blob(CANDIDATE["new.html"]).unlink()

    answer = here.ask("/new.html", made.host)

    assert answer.status == 503
    assert_not_kept(answer)


def test_nothing_is_shown_while_storage_does_not_say_whether_it_may_be(here: Place) -> None:
    made = here.show()
    assert here.ask("/new.html", made.host).status == 200
    here.site.folder.rename(here.site.folder.with_name("away"))

    assert until(lambda: here.ask("/new.html", made.host), lambda answer: answer.status != 200).status == 503

    here.site.folder.with_name("away").rename(here.site.folder)
    assert until(lambda: here.ask("/new.html", made.host), lambda answer: answer.status != 503).status == 200


def test_a_forged_host_asks_storage_nothing(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made = here.show()
    monkeypatch.setattr("apps.assets.store.read_unless", lambda name, tag: pytest.fail(name))

    for number in range(100):
        assert here.ask("/", f"{made.label[:-2]}{number // 26 % 26 + 10:x}2.{DOMAIN}").status == 404
    assert len(current_previews()._known) == 0


def test_what_is_known_of_previews_is_bounded(here: Place) -> None:
    for _ in range(150):
        made = here.show()
        made.revoke()
        here.ask("/", made.host)

    assert len(current_previews()._known) <= 64


def test_a_channel_that_was_given_such_a_host_by_name_keeps_it(here: Place, settings: Settings) -> None:
    settings.PREVIEW_DOMAIN = "example.com"
    settings.CHANNEL_HOSTS = {"www.example.com": "production", "*": "production"}

    assert not is_preview("www.example.com:8000")
    assert is_preview("r1-x.example.com")
    assert here.ask("/ten.txt", "www.example.com").body == TEN


@hypothesis_settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text("abr2-.:[]A\xe9 _~%", max_size=70))
def test_no_host_below_the_domain_ever_falls_through_to_a_channel(here: Place, before: str) -> None:
    answer = here.ask("/ten.txt", f"{before}.{DOMAIN}".strip())

    assert answer.status in (400, 404)
    assert answer.body != TEN


# The banner


def test_a_page_has_its_banner_and_says_how_long_it_is(place: Place) -> None:
    host = place.show(has_banner=True).host

    page = place.ask("/new.html", host, accept_encoding="br, gzip", range="bytes=0-3")
    head = place.ask("/new.html", host, method="HEAD")

    assert page.status == 200
    assert page.body.startswith(CANDIDATE["new.html"])
    banner = page.body.removeprefix(CANDIDATE["new.html"]).decode("ascii")
    digest = place.site.pointers[2]["digest"][:12]
    assert f"Preview of release 2, not published. Digest {digest}, expires " in banner
    assert f'href="//{host}/-/preview.css"' in banner
    assert "<script" not in banner
    assert "style=" not in banner
    assert int(page.headers["content-length"]) == len(page.body)
    assert not {"etag", "repr-digest", "accept-ranges", "last-modified", "content-range"} & set(page.headers)
    assert head.headers == page.headers
    assert head.body == b""
    assert_not_kept(page)


def test_only_whole_pages_have_a_banner(place: Place) -> None:
    host = place.show(has_banner=True).host

    assert place.ask("/css/site.css", host).body == STYLE
    assert place.ask("/ten.txt", host, range="bytes=0-1").status == 206
    assert place.ask("/none.html", host).status == 404
    assert place.ask("/wide.html", host).body == CANDIDATE["wide.html"]
    fragment = place.ask("/", host, sec_fetch_dest="empty")
    assert (fragment.body, fragment.headers["etag"]) == (PAGE, f'"{sha256(PAGE)}"')


def test_a_drafts_banner_says_when_it_was_built(here: Place) -> None:
    answer = here.ask("/", here.show(has_banner=True, is_of_draft=True).host)

    assert b"not published, a draft, built 2026-09-21 " in answer.body


def test_the_banners_style_comes_from_the_previews_host(place: Place) -> None:
    answer = place.ask("/-/preview.css", place.show(has_banner=True, password=HASHED).host)

    assert answer.headers["content-type"].startswith("text/css")
    assert b"#assetsite-preview-banner" in answer.body


# The password


def form(password: str, to: str = "/new.html") -> bytes:
    return urlencode({"password": password, "to": to}).encode()


def enter(place: Place, host: str, password: str = PASSWORD, **headers: str) -> Reply:
    return place.ask("/-/preview", host, method="POST", body=form(password, **headers))


def test_a_preview_with_a_password_shows_nothing_without(place: Place) -> None:
    host = place.show(password=HASHED).host

    for target in ("/new.html?a=b", "/ten.txt", "/none", "/-/readyz"):
        answer = place.ask(target, host)
        assert answer.status == 403
        assert b"Password" in answer.body
        assert "assetsite-digest" not in answer.headers
        assert_not_kept(answer)
    assert b'value="/new.html?a=b"' in place.ask("/new.html?a=b", host).body
    assert place.ask("/-/preview", host).status == 403


def test_the_password_opens_this_preview_and_no_other(place: Place) -> None:
    host, other = place.show(password=HASHED).host, place.show(password=HASHED).host

    entered = enter(place, host)
    assert (entered.status, entered.headers["location"]) == (303, "/new.html")
    cookie, *attributes = entered.headers["set-cookie"].split("; ")
    assert {"Path=/", "HttpOnly", "SameSite=Lax"} < set(attributes)
    assert not any(attribute.startswith("Domain") for attribute in attributes)

    assert place.ask("/new.html", host, cookie=f"assetsite-preview=x; {cookie}; a=b").status == 200
    assert place.ask("/-/preview", host, cookie=cookie).headers["location"] == "/"
    assert place.ask("/new.html", other, cookie=cookie).status == 403
    assert place.ask("/new.html", host, cookie=cookie[:-1]).status == 403
    assert place.ask("/new.html", host, cookie=f"{cookie[:-1]}\xff").status == 403


def test_a_wrong_password_is_counted_and_then_nobody_may_guess_for_a_while(place: Place) -> None:
    host, other = place.show(password=HASHED).host, place.show(password=HASHED).host

    for _ in range(MOST_GUESSES):
        wrong = enter(place, host, "wrong")
        assert (wrong.status, b"This is not the password" in wrong.body) == (403, True)
        assert "set-cookie" not in wrong.headers
    locked = enter(place, host)
    assert locked.status == 429
    assert 0 < int(locked.headers["retry-after"]) <= 900
    assert "set-cookie" not in locked.headers
    assert enter(place, other).status == 303


@pytest.mark.parametrize(
    "to",
    ["//elsewhere.example/", "https://elsewhere.example/", "/\\elsewhere.example", "", "/a\nb", "new.html"],
)
def test_nobody_is_led_elsewhere_after_the_password(here: Place, to: str) -> None:
    assert enter(here, here.show(password=HASHED).host, to=to).headers["location"] == "/"


def test_a_form_that_is_none_is_a_wrong_guess(place: Place) -> None:
    host = place.show(password=HASHED).host

    for body in (b"\xff\xfe", b"a=b", b"&" * 10, b"password=" + b"x" * 5_000):
        assert place.ask("/-/preview", host, method="POST", body=body).status == 403
    assert place.ask("/new.html", host, method="POST", body=form(PASSWORD)).status == 403


def test_a_body_that_nobody_asked_for_is_not_read_at_a_preview(place: Place) -> None:
    host = place.show().host

    assert place.ask("/new.html", host, method="POST", body=b"x" * 9_000).status == 405


def test_behind_tls_the_cookie_is_secure(here: Place, settings: Settings) -> None:
    settings.PREVIEW_URL = f"https://{{}}.{DOMAIN}/"
    host = here.show(password=HASHED).host

    cookie = enter(here, host).headers["set-cookie"]

    assert cookie.startswith("__Host-assetsite-preview=")
    assert cookie.endswith("; Secure")
    assert here.ask("/new.html", host, cookie=cookie.partition(";")[0]).status == 200
