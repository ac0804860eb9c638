"""The file of the names that are kept, against a union over all publications that is made from nothing."""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.caching.matching import is_fingerprinted
from apps.caching.rules import HeaderSet
from apps.releases.manifest import ManifestReader, ManifestWriter, Representation
from apps.releases.manifest.names import fingerprinted_name
from apps.releases.manifest.retained import RetainedWriter, Served
from tests.releases.test_manifest_derived import write_format_1

PLAIN = HeaderSet("everything", 1, (("cache-control", "max-age=300"),), "1" * 64)
LONG = HeaderSet("fingerprinted", 1, (("cache-control", "max-age=31536000"),), "2" * 64)
RED, BLUE = "3f2a9c1b0d4e", "9c1b0d4e3f2a"
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@dataclass(frozen=True)
class Content:
    """What a path serves, and the fingerprint that it has."""

    text: str
    fingerprint: str = ""


type Site = dict[str, Content]

# A file that was uploaded under the name that the build gives to another meets it in some of the sites.
SITES = st.dictionaries(
    st.sampled_from(["app.js", "css/site.css", "index.html", f"app.{RED}.js", "vendor-BX3k9aQz.js"]),
    st.builds(Content, st.sampled_from("abc"), st.sampled_from(["", RED, BLUE])),
    max_size=5,
).map(
    lambda site: {
        path: Content(content.text) if is_fingerprinted(path) or path.endswith("html") else content
        for path, content in site.items()
    }
)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write(file: Path, site: Site, *, release: int = 1, coded: bool = False) -> ManifestReader:
    file.unlink(missing_ok=True)
    with ManifestWriter(file) as writer:
        for path, content in site.items():
            writer.put(
                path,
                blob=sha(content.text),
                size=len(content.text),
                media_type="text/plain",
                header_set=LONG if is_fingerprinted(path) else PLAIN,
                release=release,
                fingerprint=content.fingerprint,
                named_header_set=LONG if content.fingerprint else None,
            )
            if coded:
                coding = Representation("br", sha(f"{content.text} coded"), 1)
                writer.add_representations(sha(content.text), [coding])
        writer.finish(rules_digest="0" * 64)
    return ManifestReader(file)


def names_of(site: Site) -> dict[str, str]:
    """Return fingerprinted name → text of all that a site serves; a file of that name comes first."""
    named = {
        fingerprinted_name(path, content.fingerprint): content.text
        for path, content in site.items()
        if content.fingerprint
    }
    return named | {path: content.text for path, content in site.items() if is_fingerprinted(path)}


def kept_of(history: list[Site], first: int) -> dict[str, tuple[str, int]]:
    """Return name → (text, publication that it was last live in) of what has to be kept, by its meaning."""
    kept = {
        name: (text, number)
        for number, site in enumerate(history, start=1)
        if number >= first
        for name, text in names_of(site).items()
    }
    return {name: found for name, found in kept.items() if name not in names_of(history[-1])}


def gather(
    file: Path, history: list[ManifestReader], *, since: int, first: int, base: Path | None = None
) -> str | None:
    """Write the names that are kept after a history, from publication `since` on; return the digest."""
    file.unlink(missing_ok=True)
    served = [Served(reader, number, number * 10) for number, reader in enumerate(history, start=1)]
    with RetainedWriter(file, base=base) as writer:
        for old, new in pairwise(served[since - 1 :]):
            writer.step(old, new.reader)
        writer.expire(before=first)
        return writer.finish() if writer.count else None


def read(file: Path) -> dict[str, tuple[str, int]]:
    with closing(sqlite3.connect(file)) as db:
        last_live = dict(db.execute("SELECT path, publication FROM last_live"))
    with ManifestReader(file) as reader:
        reader.verify()
        texts = {sha(text): text for text in "abc"}
        entries = {entry.path: (texts[entry.blob], last_live[entry.path]) for entry in reader.entries()}
    assert entries.keys() == last_live.keys()
    return entries


@relaxed
@given(
    history=st.lists(SITES, min_size=1, max_size=6),
    window=st.integers(min_value=1, max_value=6),
)
@example(history=[{f"app.{RED}.js": Content("a"), "app.js": Content("b", RED)}, {}], window=2)
@example(history=[{f"app.{RED}.js": Content("a")}, {"app.js": Content("b", RED)}, {}], window=3)
def test_exactly_the_names_of_the_last_publications_are_kept_step_by_step_or_from_nothing(
    tmp_path: Path, history: list[Site], window: int
) -> None:
    readers: list[ManifestReader] = []
    base: Path | None = None
    for number, site in enumerate(history, start=1):
        readers.append(write(tmp_path / f"{number}.manifest", site, release=number))
        first, file = max(1, number - window + 1), tmp_path / f"{number}.kept"
        digest = gather(file, readers, since=max(1, number - 1), first=first, base=base)
        assert (read(file) if digest else {}) == kept_of(history[:number], first)
        assert digest == gather(tmp_path / "whole", readers, since=first, first=first)
        base = file if digest else None
    for reader in readers:
        reader.close()


def test_a_name_keeps_its_headers_its_codings_its_release_and_its_date(tmp_path: Path) -> None:
    old = write(tmp_path / "1", {"app.js": Content("a", RED), "app-BX3k9aQz.css": Content("b")}, coded=True)
    new = write(tmp_path / "2", {"app.js": Content("c", BLUE)}, release=2)
    gather(tmp_path / "kept", [old, new], since=1, first=1)
    with ManifestReader(tmp_path / "kept") as kept:
        named = kept.lookup(f"app.{RED}.js")
        assert named
        assert (named.blob, named.size, named.media_type, named.release) == (sha("a"), 1, "text/plain", 1)
        assert {kept.header_sets[entry.header_set] for entry in kept.entries()} == {LONG}
        assert [coded.encoded for coded in kept.representations(sha("a"))] == [sha("a coded")]
        assert kept.released == {1: 10}
        assert kept.path_count == 2


def test_what_only_expired_names_needed_goes_with_them(tmp_path: Path) -> None:
    first = write(tmp_path / "1", {"app.js": Content("a", RED), "b.js": Content("b", RED)}, coded=True)
    second = write(tmp_path / "2", {"app.js": Content("b", BLUE)}, release=2, coded=True)
    third = write(tmp_path / "3", {"app.js": Content("c", RED)}, release=3)
    gather(tmp_path / "all", [first, second, third], since=1, first=1)
    gather(tmp_path / "late", [first, second, third], since=3, first=2, base=tmp_path / "all")
    assert read(tmp_path / "late") == {f"app.{BLUE}.js": ("b", 2)}
    with ManifestReader(tmp_path / "late") as kept:
        assert kept.representations(sha("a")) == ()
        assert kept.representations(sha("b")) != ()
        assert kept.released == {2: 20}


def test_a_file_shrinks_when_most_of_its_names_have_gone(tmp_path: Path) -> None:
    many = {f"js/{number}.js": Content("a", RED) for number in range(2_000)}
    history = [write(tmp_path / "1", many), write(tmp_path / "2", {"app.js": Content("a", RED)})]
    history.append(write(tmp_path / "3", {}))
    gather(tmp_path / "all", history, since=1, first=1)
    gather(tmp_path / "few", history, since=3, first=2, base=tmp_path / "all")
    assert read(tmp_path / "few") == {f"app.{RED}.js": ("a", 2)}
    assert (tmp_path / "few").stat().st_size * 2 < (tmp_path / "all").stat().st_size


def test_a_manifest_of_the_first_format_may_be_what_comes_before_or_after(tmp_path: Path) -> None:
    write_format_1(tmp_path / "old", {"a.css": "a", "vendor-BX3k9aQz.js": "b"})
    with ManifestReader(tmp_path / "old") as old:
        new = write(tmp_path / "new", {"app.js": Content("a", RED)})
        gather(tmp_path / "kept", [old, new, old], since=1, first=1)
    assert read(tmp_path / "kept") == {f"app.{RED}.js": ("a", 2)}


def test_paths_without_a_fingerprint_are_not_kept(tmp_path: Path) -> None:
    old = write(tmp_path / "1", {"index.html": Content("a"), "app.js": Content("b")})
    with RetainedWriter(tmp_path / "kept") as writer:
        writer.step(Served(old, 1, 10), write(tmp_path / "2", {}))
        assert (writer.is_changed, writer.count, writer.oldest) == (False, 0, None)
