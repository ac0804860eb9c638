"""Redirects as values: what may be typed, where it leads whatever is asked for, and what goes in circles."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.releases.manifest import Redirect
from apps.releases.redirects.values import (
    MAX_TARGET_CHARACTERS,
    RedirectFault,
    files_behind,
    find_loop,
    location_of,
    parse_redirect,
    parse_source,
    parse_target,
    typed_source,
)

SITE = "https://site.example"


@pytest.mark.parametrize(
    ("typed", "source"),
    [
        ("/old", "old"),
        ("/old/", "old/"),
        ("/", ""),
        ("/*", "*"),
        ("/old/*", "old/*"),
        ("/old%20page", "old page"),
        ("/old page", "old page"),
        ("/caf%C3%A9", "café"),
        ("/cafe\u0301", "café"),
        ("/50%25", "50%"),
        ("/a%3Fb%23c", "a?b#c"),
    ],
)
def test_a_source_is_kept_as_paths_are(typed: str, source: str) -> None:
    assert parse_source(typed) == source
    assert parse_source(typed_source(source)) == source


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "begin with a slash"),
        ("old", "begin with a slash"),
        ("https://site.example/old", "begin with a slash"),
        ("//old", "empty part"),
        ("/a//b", "empty part"),
        ("//*", "is empty"),
        ("/old?x=1", "query or a fragment"),
        ("/old#top", "query or a fragment"),
        ("/old*", "elsewhere"),
        ("/*/old", "elsewhere"),
        ("/old/%2A", "elsewhere"),
        ("/old/**", "elsewhere"),
        ("/a\r\nSet-Cookie: x", "control character"),
        ("/a%0d%0ab", "control character"),
        ("/a%00", "control character"),
        ("/a%zz", "hexadecimal"),
        ("/a%FF", "UTF-8"),
        ("/a\ud800", "UTF-8"),
        ("/a\\b", "backslash"),
        ("/../old", "“..”"),
        ("/%2e%2e/old", "“..”"),
        ("/-/old", "keeps for itself"),
        ("/-/*", "keeps for itself"),
        ("/library/*", "keeps for itself"),
        ("/" + "x/" * 300, "512 are the most"),
    ],
)
def test_a_source_that_cannot_be_is_refused_with_the_reason(typed: str, reason: str) -> None:
    with pytest.raises(RedirectFault, match=re.escape(reason)) as fault:
        parse_source(typed)
    assert fault.value.field == "source"


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ("/new", "/new"),
        ("/", "/"),
        ("/new page", "/new%20page"),
        ("/new%20page", "/new%20page"),
        ("/übersicht?q=ä&b=a b#töp", "/%C3%BCbersicht?q=%C3%A4&b=a%20b#t%C3%B6p"),
        ("/cafe\u0301", "/caf%C3%A9"),
        ("/new/:splat", "/new/:splat"),
        ("/new/:splat.html", "/new/:splat.html"),
        ("/10:30", "/10:30"),
        ("HTTPS://Example.COM/Path", "https://example.com/Path"),
        ("http://example.com:8080", "http://example.com:8080"),
        ("https://bücher.example/:splat", "https://xn--bcher-kva.example/:splat"),
        ("https://192.0.2.1/", "https://192.0.2.1/"),
    ],
)
def test_a_target_is_kept_as_it_goes_into_location(typed: str, target: str) -> None:
    assert parse_target(typed, has_splat=True) == target
    assert parse_target(target, has_splat=True) == target


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "is missing"),
        ("new", "neither a path"),
        ("//evil.example", "two slashes"),
        ("//evil.example/:splat", "two slashes"),
        ("/\\evil.example", "backslash"),
        ("\\\\evil.example", "backslash"),
        ("https://site.example\\@evil.example", "backslash"),
        ("javascript:alert(1)", "neither a path"),
        ("data:text/html,x", "neither a path"),
        ("ftp://example.com/", "neither a path"),
        ("https:/evil.example", "neither a path"),
        ("https:evil.example", "neither a path"),
        ("https:///evil", "no host name"),
        ("https://site.example@evil.example/", "user in front"),
        ("https://user:pass@evil.example/", "user in front"),
        ("https://evil.example:port/", "no host name"),
        ("https://[::1]/", "no host name"),
        ("https://a..b/", "no host name"),
        ("https://-a.example/", "no host name"),
        ("https://:splat/", "no host name"),
        ("https://:splat.example/", "no host name"),
        ("https://ex ample.com/", "no host name"),
        ("/a\r\nX: y", "control character"),
        ("\t/a", "control character"),
        ("/a%2", "hexadecimal"),
        ("/a\udfff", "UTF-8"),
        ("/a/../b", "“..”"),
        ("/%2e%2e/b", "“..”"),
        ("/a/:splat/:splat", "more than once"),
        ("/a?x=:splat", "outside of its path"),
        ("/a/:year/:splat", "placeholder :year"),
        ("/" + "ü" * 400, f"{MAX_TARGET_CHARACTERS} are the most"),
    ],
)
def test_a_target_that_cannot_be_is_refused_with_the_reason(typed: str, reason: str) -> None:
    with pytest.raises(RedirectFault, match=re.escape(reason)) as fault:
        parse_target(typed, has_splat=True)
    assert fault.value.field == "target"


def test_a_splat_needs_a_star_to_stand_for() -> None:
    with pytest.raises(RedirectFault, match="no \\*") as fault:
        parse_redirect("/old", "/new/:splat")
    assert fault.value.field == "target"
    assert parse_redirect("/old/*", "/new/:splat") == Redirect("old/*", "/new/:splat", 308)


@pytest.mark.parametrize("status", [200, 300, 303, 304, 404, 0])
def test_other_statuses_are_refused(status: int) -> None:
    with pytest.raises(RedirectFault, match="301, 302, 307, 308") as fault:
        parse_redirect("/old", "/new", status)
    assert fault.value.field == "status"


@pytest.mark.parametrize(
    ("source", "target", "path", "query", "location"),
    [
        ("old", "/new", "old", "", "/new"),
        ("old", "/new", "old", "a=1&b=2", "/new?a=1&b=2"),
        ("old", "/new?own=1", "old", "a=1", "/new?own=1"),
        ("old", "/new#top", "old", "a=1", "/new?a=1#top"),
        ("old", "/new#what?", "old", "a=1", "/new?a=1#what?"),
        ("old/*", "/new/:splat", "old/a/b.html", "x", "/new/a/b.html?x"),
        ("old/*", "/new/:splat", "old/", "", "/new/"),
        ("old/*", "/new", "old/anything", "", "/new"),
        ("*", "https://other.example/:splat", "a b/é", "", "https://other.example/a%20b/%C3%A9"),
        ("old/*", "/new/:splat?x=1", "old/a", "q", "/new/a?x=1"),
        ("old/*", "/:splat", "old//evil.example", "", "/evil.example"),
        ("old/*", "/:splat", "old///evil.example", "", "/evil.example"),
        ("old/*", "/:splat", "old/\\evil.example", "", "/%5Cevil.example"),
        ("old/*", "/:splat", "old/%2f%2fevil.example", "", "/%252f%252fevil.example"),
        ("old/*", "/:splat", "old/\r\nSet-Cookie: a=b", "", "/%0D%0ASet-Cookie:%20a=b"),
        ("old/*", "/:splat", "old/?x#y", "", "/%3Fx%23y"),
        ("old", "/new", "old", "a=1\r\nSet-Cookie: b", "/new?a=1%0D%0ASet-Cookie:%20b"),
        ("old", "/new", "old", "a=%20é#x", "/new?a=%20%C3%A9%23x"),
    ],
)
def test_where_a_redirect_leads(source: str, target: str, path: str, query: str, location: str) -> None:
    assert location_of(Redirect(source, target), path, query) == location


HOSTILE = st.text(st.sampled_from("/\\.:@%?#&=ae2fE5c\r\n\t é\x00\ud800") | st.characters(), max_size=20)


@given(rest=HOSTILE, query=HOSTILE)
@pytest.mark.parametrize("target", ["/:splat", "/a/:splat", "/a:splat", "/new", "/:splat#x"])
def test_whatever_is_asked_for_a_path_leads_to_this_site(target: str, rest: str, query: str) -> None:
    location = location_of(Redirect("old/*", target), f"old/{rest}", query)
    assert location.isascii()
    assert not re.search(r"[\x00-\x20\x7f\\]", location)
    assert location.startswith("/")
    assert not location.startswith("//")
    assert urlsplit(urljoin(SITE, location)).netloc == "site.example"


@given(rest=HOSTILE, query=HOSTILE)
def test_whatever_is_asked_for_an_address_leads_to_its_host(rest: str, query: str) -> None:
    location = location_of(Redirect("*", "https://other.example/:splat"), rest, query)
    assert not re.search(r"[\x00-\x20\x7f\\]", location)
    assert location.startswith("https://other.example/")


@given(typed=HOSTILE.map(lambda text: "/" + text) | HOSTILE | HOSTILE.map(lambda text: "https://" + text))
def test_whatever_is_typed_what_is_taken_is_safe_and_stays_as_it_is(typed: str) -> None:
    try:
        target = parse_target(typed, has_splat=True)
    except RedirectFault:
        return
    assert target.isascii()
    assert not re.search(r"[\x00-\x20\x7f\\]", target)
    assert target.startswith(("/", "https://", "http://"))
    assert not target.startswith("//")
    assert parse_target(target, has_splat=True) == target


def loop(*redirects: tuple[str, str], served: tuple[str, ...] = ()) -> list[str] | None:
    parsed = {found.source: found for found in (parse_redirect(*redirect) for redirect in redirects)}
    return find_loop(parsed, lambda path: path in served)


@pytest.mark.parametrize(
    ("redirects", "chain"),
    [
        ([("/a", "/a")], ["/a", "/a"]),
        ([("/a", "/b"), ("/b", "/a?x=1#y")], ["/a", "/b", "/a"]),
        ([("/a", "/b"), ("/b", "/c"), ("/c", "/b")], ["/a", "/b", "/c", "/b"]),
        ([("/a/*", "/b/:splat"), ("/b/*", "/a/:splat")], ["/a/*", "/b/*", "/a/*"]),
        ([("/a/*", "/b/:splat"), ("/b/x", "/a/x")], ["/b/x", "/a/x", "/b/x"]),
        ([("/caf%C3%A9", "/caf%C3%A9")], ["/café", "/café"]),
        ([("/*", "/index.html")], ["/*", "/index.html", "/index.html"]),
    ],
)
def test_what_comes_back_to_itself_is_a_loop(redirects: list[tuple[str, str]], chain: list[str]) -> None:
    assert loop(*redirects) == chain


def test_what_goes_on_and_on_is_a_loop() -> None:
    chain = loop(("/a/*", "/a/b/:splat"))
    assert chain
    assert chain[:3] == ["/a/*", "/a/b/*", "/a/b/b/*"]


@pytest.mark.parametrize(
    "redirects",
    [
        [("/a", "/b"), ("/b", "/c")],
        [("/a", "https://site.example/a")],
        [("/x/*", "/:splat"), ("/old", "/x/x/page")],
        [("/a", "/a/")],
        [("/a/*", "/a")],
    ],
)
def test_what_ends_is_no_loop(redirects: list[tuple[str, str]]) -> None:
    assert loop(*redirects) is None


def test_what_is_served_ends_a_chain() -> None:
    assert loop(("/*", "/index.html"), served=("index.html",)) is None
    assert loop(("/a", "/b"), ("/b", "/a"), served=("b",)) is None
    assert loop(("/a", "/b"), ("/b", "/a"), served=("a",)) is None


@pytest.mark.parametrize(
    ("path", "plain", "clean"),
    [
        ("", ["index.html"], ["index.html"]),
        ("a/", ["a/index.html"], ["a/index.html", "a.html"]),
        ("a", ["a", "a/index.html"], ["a", "a/index.html", "a.html"]),
    ],
)
def test_the_files_that_answer_before_redirects_depend_on_clean_urls(
    path: str, plain: list[str], clean: list[str]
) -> None:
    assert files_behind(path, clean_urls=False) == plain
    assert files_behind(path, clean_urls=True) == clean
