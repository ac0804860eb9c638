"""Which surrogate keys a publication touches: compared with what delivery sent before, address by address."""

from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.caching.rules import HeaderSet
from apps.delivery.release import LiveRelease
from apps.delivery.respond import Request, Response, respond
from apps.releases.channels.changed_urls import changed_urls
from apps.releases.channels.expected_answers import Addresses, url_of
from apps.releases.channels.keys_before import keys_before
from apps.releases.manifest import ManifestReader, ManifestWriter
from tests.releases.test_changed_urls import (
    ADDRESSES,
    FORMS,
    PAGES,
    PATHS,
    SOURCES,
    TARGETS,
    Site,
    answered,
    live,
    named,
    sha,
    write,
)

OPEN = "*"  # a file of this very name, beside redirects of everything


def keyed(digit: str, *keys: str) -> HeaderSet:
    headers = (("surrogate-key", " ".join(keys)), ("cache-tag", ",".join(keys)))
    return HeaderSet(f"rule-{digit}", 1, (("content-type", "text/html"), *headers), digit * 64)


HEADER_SETS = [PAGES, keyed("3", "theme"), keyed("4", "theme", "shop"), keyed("5", "blog")]
SITES = st.builds(
    Site,
    st.dictionaries(
        st.sampled_from([*PATHS, f"b/{OPEN}"]), st.tuples(st.sampled_from("xy"), st.sampled_from(HEADER_SETS))
    ),
    st.dictionaries(st.sampled_from(SOURCES), TARGETS, max_size=3),
)


def sent(release: LiveRelease, path: str) -> Response:
    return respond(Request("GET", url_of(path), {}), release, now=0)


def sent_keys(response: Response) -> set[str]:
    """The keys of a file's answer, as a cache reads them."""
    headers = {name.lower(): value for name, value in response.headers}
    return set(headers.get("surrogate-key", "").split()) if response.status == 200 else set()


def kept(release: LiveRelease, path: str) -> tuple[object, ...]:
    return (*answered(release, path), sent_keys(sent(release, path)))


@settings(deadline=None)
@given(before=SITES, after=SITES, addresses=ADDRESSES)
def test_the_keys_are_those_of_every_answer_that_changed_and_reach_every_copy_of_it(
    before: Site, after: Site, addresses: Addresses
) -> None:
    with (
        TemporaryDirectory() as folder,
        write(Path(folder, "old"), before) as old,
        write(Path(folder, "new"), after) as new,
    ):
        listed = {url: keys_before(old, url, addresses) for url in changed_urls(old, new, addresses)}
        was, now = live(old, addresses), live(new, addresses)
        told = set(chain.from_iterable(listed.values()))
        left = [url for url, keys in listed.items() if not keys]
        paths = {*PATHS, *FORMS, *(unquote(url)[1:] for url in listed)} - {
            unquote(url)[1:] for url in listed if url.endswith("/*")
        }
        changed = [path for path in paths if kept(was, path) != kept(now, path)]
        assert told == set().union(*(sent_keys(sent(was, path)) for path in changed))
        for path in changed:
            assert sent_keys(sent(was, path)) & told or named(path, left), path


def test_a_first_publication_has_none() -> None:
    assert keys_before(None, "/a.html", Addresses()) == ()


def test_a_fingerprinted_name_has_the_keys_of_its_own_headers(tmp_path: Path) -> None:
    with ManifestWriter(tmp_path / "m") as writer:
        writer.put(
            "a.css", blob=sha("x"), size=1, media_type="text/css", header_set=keyed("3", "theme"), release=1,
            fingerprint="a" * 12, named_header_set=keyed("5", "lasting"),
        )  # fmt: skip
        writer.finish(rules_digest="0" * 64)
    with ManifestReader(tmp_path / "m") as old:
        assert keys_before(old, "/a.css", Addresses()) == ("theme",)
        assert keys_before(old, f"/a.{'a' * 12}.css", Addresses()) == ("lasting",)
        assert keys_before(old, f"/a.{'b' * 12}.css", Addresses()) == ()
