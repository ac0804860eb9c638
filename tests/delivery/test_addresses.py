"""What an address leads to, in the order in which it is looked for."""

import json

import pytest

from apps.releases.manifest import Redirect
from tests.delivery.conftest import TEN
from tests.delivery.doors import Ask, Live
from tests.serving import file_of

OLD, NEW = b"h1 { color: red }\n", b"h1 { color: blue }\n"
FINGERPRINT = "3f2a9c1b0d4e"
NAMED = f"/css/site.{FINGERPRINT}.css"
PAGES = {"index.html": b"home", "about.html": b"about", "docs/index.html": b"docs", "docs/api.html": b"api",
         "404.html": b"lost", "lost.html": b"gone"}  # fmt: skip


class TestFingerprints:
    def test_a_path_is_served_under_its_fingerprinted_name_too(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, {"css/site.css": NEW}, fingerprints={"css/site.css": FINGERPRINT})
        plain, named = ask("/css/site.css"), ask(NAMED)
        assert plain.body == named.body == NEW
        assert plain.headers["cache-control"] == "public, max-age=300"
        assert named.headers["cache-control"] == "max-age=31536000, immutable"
        assert named.headers["assetsite-rule"] == "fingerprinted"

    def test_another_fingerprint_is_no_name_of_it(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, {"css/site.css": NEW}, fingerprints={"css/site.css": FINGERPRINT})
        reply = ask("/css/site.0f2a9c1b0d4e.css")
        assert (reply.status, reply.headers["cache-control"]) == (404, "no-store")

    def test_a_path_without_a_fingerprint_has_no_such_name(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, {"css/site.css": NEW})
        assert ask(NAMED).status == 404

    def test_a_name_of_an_earlier_publication_keeps_its_bytes(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, {NAMED[1:]: OLD})
        earlier = file_of(empty_site.pointers[1])
        empty_site.publish(2, {"css/site.css": NEW})
        assert ask(NAMED).status == 404
        empty_site.write(json.loads(empty_site.pointer.read_bytes()) | {"retained": earlier})
        reply = ask(NAMED)
        assert (reply.status, reply.body) == (200, OLD)
        assert reply.headers["assetsite-release"] == "1"
        assert ask("/css/site.css").body == NEW

    def test_what_is_live_comes_before_what_is_retained(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, {NAMED[1:]: OLD})
        earlier = file_of(empty_site.pointers[1])
        empty_site.publish(2, {NAMED[1:]: NEW})
        empty_site.write(json.loads(empty_site.pointer.read_bytes()) | {"retained": earlier})
        assert ask(NAMED).body == NEW


class TestCleanUrls:
    @pytest.mark.parametrize(
        ("target", "status", "found"),
        [
            ("/about", 200, "about"),
            ("/about.html", 308, "/about"),
            ("/about.html?a=%20b", 308, "/about?a=%20b"),
            ("/about.html?a=/", 308, "/about?a=/"),
            ("/?a=b", 200, "home"),
            ("/about/", 308, "/about"),
            ("/docs", 308, "/docs/"),
            ("/docs/", 200, "docs"),
            ("/docs/index.html", 308, "/docs/"),
            ("/index.html", 308, "/"),
            ("/docs/api", 200, "api"),
            ("/nothing", 404, "lost"),
            ("/404.html", 200, "lost"),
        ],
    )
    def test_each_page_has_one_address(
        self, empty_site: Live, ask: Ask, target: str, status: int, found: str
    ) -> None:
        empty_site.publish(1, PAGES)
        empty_site.set_options(clean_urls=True)
        reply = ask(target)
        assert (reply.status, reply.headers.get("location") or reply.body.decode()) == (status, found)

    def test_without_them_a_page_has_the_name_of_its_file(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, PAGES)
        assert ask("/about").status == ask("/about/").status == 404
        assert ask("/about.html").body == b"about"

    def test_a_file_keeps_an_address_that_a_page_would_have(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, PAGES | {"about": b"a file"})
        empty_site.set_options(clean_urls=True)
        assert ask("/about").body == b"a file"
        assert ask("/about.html").body == b"about"


class TestRedirects:
    REDIRECTS = (
        Redirect("old", "/new", 301),
        Redirect("blog/*", "/news/:splat", 302),
        Redirect("blog/2020/*", "/archive", 307),
        Redirect("ten.txt", "/nowhere", 308),
        Redirect("away/*", "https://example.org/:splat?from=us", 308),
    )

    @pytest.mark.parametrize(
        ("target", "status", "location"),
        [
            ("/old", 301, "/new"),
            ("/old?a=1", 301, "/new?a=1"),
            ("/blog/a/b%20c", 302, "/news/a/b%20c"),
            ("/blog/2020/x", 307, "/archive"),
            ("/away/x?y=1", 308, "https://example.org/x?from=us"),
        ],
    )
    def test_they_lead_where_no_file_is(
        self, empty_site: Live, ask: Ask, target: str, status: int, location: str
    ) -> None:
        empty_site.publish(1, {"ten.txt": TEN}, redirects=self.REDIRECTS)
        reply = ask(target)
        assert (reply.status, reply.headers["location"]) == (status, location)
        assert reply.headers["cache-control"] == "public, max-age=0, s-maxage=10"

    def test_a_file_comes_first(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, {"ten.txt": TEN}, redirects=self.REDIRECTS)
        assert ask("/ten.txt").body == TEN

    def test_they_come_and_go_with_their_release(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, {"ten.txt": TEN}, redirects=self.REDIRECTS)
        empty_site.publish(2, {"ten.txt": TEN})
        assert ask("/old").status == 404
        empty_site.point_at(1)
        assert ask("/old").status == 301


class TestOptions:
    def test_answers_need_not_name_release_and_rule(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, PAGES)
        assert ask("/about.html").headers["assetsite-release"] == "1"
        empty_site.set_options(names_release=False)
        for target in ("/about.html", "/nothing", "/nothing.js", "/docs"):
            assert not [name for name in ask(target).headers if name.startswith("assetsite-")]

    def test_a_channel_chooses_the_page_of_a_404(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, PAGES)
        empty_site.set_options(not_found_page="lost.html")
        assert (ask("/nothing").status, ask("/nothing").body) == (404, b"gone")

    def test_no_cache_keeps_a_404_as_long_as_the_page_that_it_shows(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, PAGES)
        empty_site.set_options(not_found_page="lost.html")
        page, missing = ask("/lost.html").headers, ask("/nothing").headers
        assert page["cdn-cache-control"] == page["surrogate-control"] == "max-age=86400"
        assert missing["cache-control"] == "public, max-age=0, s-maxage=10"
        assert not {"cdn-cache-control", "surrogate-control"} & missing.keys()

    def test_or_none(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, PAGES)
        empty_site.set_options(not_found_page="")
        assert ask("/nothing").body == b"There is no such page.\n"

    def test_a_page_says_which_parts_it_needs_first(self, empty_site: Live, ask: Ask) -> None:
        empty_site.publish(1, PAGES, links={"index.html": "</site.css>; rel=preload; as=style"})
        assert ask("/").headers["link"] == "</site.css>; rel=preload; as=style"
        assert "link" not in ask("/about.html").headers
