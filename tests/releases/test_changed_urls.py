"""Which addresses a publication changes: compared with what delivery answers, address by address."""

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.caching.rules import HeaderSet
from apps.delivery.pointer import ChannelOptions
from apps.delivery.release import LiveRelease
from apps.delivery.respond import Request, respond
from apps.releases.channels.changed_urls import changed_urls
from apps.releases.channels.expected_answers import Addresses, answer_at, url_of
from apps.releases.manifest import ManifestReader, ManifestWriter, Redirect

PAGES = HeaderSet("pages", 1, (("content-type", "text/html"), ("cache-control", "no-cache")), "1" * 64)
LONG = HeaderSet(
    "fingerprinted", 1, (("content-type", "text/html"), ("cache-control", "max-age=9")), "2" * 64
)
# Every form of a few names, so that files, folders and redirects meet.
PATHS = [
    "index.html", "404.html", "a", "a.html", "a.html.html", "a/index.html", "a/b.html", "a/b", "é.css",
    "a/é/index.html",
]  # fmt: skip
FORMS = ["", "a/", "a/b/", "a/é", "a/é/", "a/index", "index", "a/x", "404", "é", "old", "old/", "b/old", "b/"]
SOURCES = ["a", "a/b", "old", "old/", "b/*", "a/*", "*"]


class Site(NamedTuple):
    """Path → content and headers; source → target and status."""

    files: dict[str, tuple[str, HeaderSet]]
    redirects: dict[str, tuple[str, int]]


FILES = st.tuples(st.sampled_from("xy"), st.sampled_from([PAGES, LONG]))
TARGETS = st.tuples(st.sampled_from(["/a", "/z/:splat"]), st.sampled_from([301, 308]))
SITES = st.builds(
    Site,
    st.dictionaries(st.sampled_from(PATHS), FILES),
    st.dictionaries(st.sampled_from(SOURCES), TARGETS, max_size=3),
)
ADDRESSES = st.builds(Addresses, st.booleans(), st.sampled_from(["404.html", "", "a.html"]))


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write(file: Path, site: Site) -> ManifestReader:
    with ManifestWriter(file) as writer:
        for path, (content, headers) in site.files.items():
            writer.put(path, blob=sha(content), size=1, media_type="text/html", header_set=headers, release=1)
        for source, (target, status) in site.redirects.items():
            writer.put_redirect(Redirect(source, target, status), release=1)
        writer.finish(rules_digest="0" * 64)
    return ManifestReader(file)


def live(reader: ManifestReader, addresses: Addresses) -> LiveRelease:
    options = ChannelOptions(addresses.clean_urls, addresses.not_found_page, names_release=False)
    return LiveRelease("production", 1, 1, reader.digest, "t", 1, 1, reader, options)


def answered(release: LiveRelease, path: str) -> tuple[object, ...]:
    """What a visitor gets, as far as a cache would keep it from one release to the next."""
    response = respond(Request("GET", url_of(path), {}), release, now=0)
    if response.status == 404:
        return (404,)
    names = {"cache-control", "content-type", "etag", "link", "location"}
    headers = {name: value for name, value in response.headers if name.lower() in names}
    return response.status, tuple(sorted(headers.items()))


def named(path: str, urls: list[str]) -> bool:
    """Whether a purge of these addresses reaches a path."""
    exact = {unquote(url)[1:] for url in urls}
    return path in exact or any(
        path.startswith(url[:-1]) for url in exact if url == "*" or url.endswith("/*")
    )


@settings(deadline=None)
@given(before=SITES, after=SITES, addresses=ADDRESSES)
def test_exactly_what_visitors_get_otherwise_is_named_once(
    before: Site, after: Site, addresses: Addresses
) -> None:
    with (
        TemporaryDirectory() as folder,
        write(Path(folder, "old"), before) as old,
        write(Path(folder, "new"), after) as new,
    ):
        urls = list(changed_urls(old, new, addresses))
        was, now = live(old, addresses), live(new, addresses)
        assert len(urls) == len(set(urls))
        exact = {unquote(url)[1:] for url in urls if not url.endswith("*")}
        for path in {*PATHS, *FORMS, *exact}:
            is_other = answered(was, path) != answered(now, path)
            assert not is_other or named(path, urls), path
            assert is_other or path not in exact, path


@settings(deadline=None)
@given(site=SITES, addresses=ADDRESSES, path=st.sampled_from([*PATHS, *FORMS]))
def test_what_a_probe_expects_is_what_delivery_answers(site: Site, addresses: Addresses, path: str) -> None:
    with TemporaryDirectory() as folder, write(Path(folder, "m"), site) as reader:
        expected = answer_at(reader, path, addresses)
        response = respond(Request("GET", url_of(path), {}), live(reader, addresses), now=0)
        headers = {name.lower(): value for name, value in response.headers}
        assert response.status == expected.status
        assert headers.get("location", "") == expected.location
        if expected.status == 200:
            assert headers["etag"] == f'"{expected.blob}"'
            assert headers["content-length"] == str(expected.size)


def test_a_page_named_as_another_ones_address_is_not_forgotten(tmp_path: Path) -> None:
    double = Site({"a.html.html": ("x", PAGES)}, {})
    both = Site({"a.html.html": ("x", PAGES), "a.html": ("y", PAGES)}, {})
    addresses = Addresses(clean_urls=True)
    with write(tmp_path / "old", double) as old, write(tmp_path / "new", both) as new:
        urls = list(changed_urls(old, new, addresses))
        was, now = live(old, addresses), live(new, addresses)
        for path in ("a", "a/", "a.html", "a.html/", "a.html.html"):
            assert (answered(was, path) != answered(now, path)) == named(path, urls), path


def test_a_first_publication_changes_every_address(tmp_path: Path) -> None:
    site = Site({"index.html": ("x", PAGES), "docs/index.html": ("x", PAGES)}, {"old": ("/docs/", 301)})
    with write(tmp_path / "m", site) as reader:
        urls = set(changed_urls(None, reader, Addresses()))
        assert urls == {"/", "/index.html", "/docs", "/docs/", "/docs/index.html", "/old"}
        assert set(changed_urls(reader, None, Addresses())) == urls
        assert list(changed_urls(reader, reader, Addresses())) == []


@pytest.mark.parametrize(
    ("fingerprint", "headers", "is_named"),
    [("b" * 12, PAGES, False), ("a" * 12, PAGES, False), ("a" * 12, LONG, True)],
)
def test_a_fingerprinted_name_is_purged_only_where_its_headers_change(
    tmp_path: Path, fingerprint: str, headers: HeaderSet, is_named: bool
) -> None:
    def reader(name: str, fingerprint: str, headers: HeaderSet) -> ManifestReader:
        with ManifestWriter(tmp_path / name) as writer:
            writer.put(
                "a.css", blob=sha(fingerprint), size=1, media_type="text/css", header_set=PAGES, release=1,
                fingerprint=fingerprint, named_header_set=headers,
            )  # fmt: skip
            writer.finish(rules_digest="0" * 64)
        return ManifestReader(tmp_path / name)

    with reader("old", "a" * 12, PAGES) as old, reader("new", fingerprint, headers) as new:
        urls = list(changed_urls(old, new, Addresses()))
        assert (f"/a.{fingerprint}.css" in urls) == is_named
        assert ("/a.css" in urls) == (fingerprint != "a" * 12), "its own headers and content are the same"


def test_a_bundlers_name_that_is_gone_is_still_answered_for(tmp_path: Path) -> None:
    name = "assets/vendor-BX3k9aQz.js"
    with (
        write(tmp_path / "old", Site({name: ("x", LONG), "a.js": ("x", PAGES)}, {})) as old,
        write(tmp_path / "new", Site({}, {})) as new,
    ):
        assert list(changed_urls(old, new, Addresses())) == ["/a.js"]
        assert set(changed_urls(new, old, Addresses())) == {"/a.js", f"/{name}"}
