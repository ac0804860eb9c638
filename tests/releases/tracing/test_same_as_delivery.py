"""A trace names what delivery sends: status, Location and every header, for whatever manifest and address."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.caching.rules import HeaderSet
from apps.delivery.pointer import ChannelOptions
from apps.delivery.release import LiveRelease
from apps.delivery.respond import Request, respond
from apps.releases.channels.expected_answers import url_of
from apps.releases.manifest import ManifestReader, ManifestWriter, Redirect, Representation
from apps.releases.models import Channel, Release
from apps.releases.tracing.answering import answered
from apps.releases.tracing.places import Place
from tests.releases.test_changed_urls import LONG, PAGES, sha

NAMED = "3f2a9c1b0d4e"
VARYING = HeaderSet("vary", 3, (("cache-control", "private"), ("vary", "Origin"), ("link", "</a>")), "3" * 64)
PATHS = ["index.html", "404.html", "a", "a.html", "a/index.html", "a/b.html", "é.css", "a/b.css", "x.json"]
GONE = [f"b.{NAMED}.css", f"a/b.{NAMED}.html", "a.html"]
FORMS = [
    *PATHS, *GONE, "", "a/", "a/b", "a/b/", "é.css/", "old/x", "old", f"a/b.{NAMED}.css",
    f"a.{NAMED}.html", "é.css", "a//b", "%", "%ff", "..", "missing.js", "missing.html",
]  # fmt: skip


class Site(NamedTuple):
    files: dict[str, tuple[HeaderSet, bool, bool]]
    """Path → headers, whether it has a fingerprinted name, and whether a content coding."""
    redirects: dict[str, tuple[str, int]]
    retained: list[str]
    clean_urls: bool
    not_found_page: str
    names_release: bool


SITES = st.builds(
    Site,
    st.dictionaries(
        st.sampled_from(PATHS),
        st.tuples(st.sampled_from([PAGES, LONG, VARYING]), st.booleans(), st.booleans()),
    ),
    st.dictionaries(
        st.sampled_from(["a", "old", "old/*", "*"]),
        st.tuples(st.sampled_from(["/a", "/z/:splat"]), st.sampled_from([301, 308])),
        max_size=2,
    ),
    st.lists(st.sampled_from(GONE), unique=True),
    st.booleans(),
    st.sampled_from(["404.html", "", "a.html", "missing.html"]),
    st.booleans(),
)
TARGETS = st.builds(
    lambda path, query: (path if path.startswith("%") else url_of(path)[1:]) + query,
    st.sampled_from(FORMS),
    st.sampled_from(["", "?x=1", "?"]),
)


def written(file: Path, entries: Iterator[tuple[str, HeaderSet, bool, bool]], site: Site) -> ManifestReader:
    with ManifestWriter(file) as writer:
        for path, headers, is_named, is_coded in entries:
            writer.put(
                path, blob=sha(path), size=len(path), media_type="text/html", header_set=headers, release=1,
                fingerprint=NAMED if is_named and "." in path else "",
                named_header_set=VARYING if is_named and "." in path else None,
            )  # fmt: skip
            if is_coded:
                writer.add_representations(sha(path), [Representation("gzip", sha("gzip"), 1)])
        for source, (target, status) in site.redirects.items():
            writer.put_redirect(Redirect(source, target, status), release=1)
        writer.finish(rules_digest="0" * 64)
    return ManifestReader(file)


@settings(deadline=None, max_examples=300)
@given(site=SITES, target=TARGETS)
@example(Site({}, {}, [], True, "", True), "/a%CC%88")
def test_a_trace_names_what_delivery_sends(site: Site, target: str) -> None:
    sent = f"/{target.removeprefix('/')}"
    with TemporaryDirectory() as folder:
        reader = written(Path(folder, "live"), ((path, *kept) for path, kept in site.files.items()), site)
        retained = written(Path(folder, "kept"), ((path, LONG, False, False) for path in site.retained), site)
        with reader, retained:
            options = ChannelOptions(site.clean_urls, site.not_found_page, site.names_release)
            live = LiveRelease("production", 1, 1, reader.digest, "t", 0, 0, reader, options, retained)
            expected = respond(Request("GET", sent, {}), live, now=0)
            found = answered(_place(site, reader, retained), sent)

    assert found.status == expected.status
    assert without(found.headers) == without(expected.headers)


def without(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Leave out what no cache goes by: when it was there first, and how long a sentence is."""
    return {name: value for name, value in headers if name not in {"Last-Modified", "Content-Length"}}


def _place(site: Site, reader: ManifestReader, retained: ManifestReader) -> Place:
    channel = Channel(
        name="production",
        clean_urls=site.clean_urls,
        not_found_page=site.not_found_page,
        names_release=site.names_release,
    )
    return Place(channel, Release(pk=1, channel=channel), reader, retained=retained, is_live=True)
