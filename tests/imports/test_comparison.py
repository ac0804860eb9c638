"""What differs between a folder and what is live: just that, and all of it."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.caching.rules import HeaderSet
from apps.imports.comparison import Comparison, compare
from apps.imports.directory import list_directory
from apps.releases.manifest import ManifestReader, ManifestWriter
from tests.imports.conftest import write_files

HEADERS = HeaderSet("everything", 1, (("cache-control", "max-age=300"),), "1" * 64)
PATHS = st.sampled_from(
    [*(f"{name}.js" for name in "abé"), *(f"docs/{name}/x" for name in "abé"), "docs.css"]
)
# Some of one size, so that only their bytes tell them apart.
SITES = st.dictionaries(PATHS, st.sampled_from([b"", b"one", b"two", b"three"]), max_size=7)

Site = dict[str, bytes]


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def manifest_of(site: Site, file: Path) -> ManifestReader:
    with ManifestWriter(file) as writer:
        for path, content in site.items():
            blob, size = sha(content), len(content)
            writer.put(path, blob=blob, size=size, media_type="text/plain", header_set=HEADERS, release=1)
        writer.finish(rules_digest="0" * 64)
    return ManifestReader(file)


def compared(
    before: Site, now: Site, work: Path, *, prefix: str = "", mirrored: str | None = ""
) -> Comparison:
    listing = list_directory(write_files(work / "source", now), prefix=prefix)
    with manifest_of(before, work / "manifest") as base:
        return compare(listing, base, mirrored=mirrored, progress=lambda step, done, total: None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=SITES, now=SITES.filter(bool), prefix=st.sampled_from(["", "docs/"]), is_mirror=st.booleans())
def test_the_changes_lead_from_what_is_live_to_what_the_folder_holds(
    before: Site, now: Site, prefix: str, is_mirror: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    work = tmp_path_factory.mktemp("compared")
    outcome = compared(before, now, work, prefix=prefix, mirrored=prefix if is_mirror else None)
    placed = {prefix + path: content for path, content in now.items()}
    kept = {path: c for path, c in before.items() if not (is_mirror and path.startswith(prefix))}

    after = {path: content for path, content in before.items() if path not in outcome.removed}
    after |= {file.path: placed[file.path] for file in (*outcome.new, *outcome.changed)}
    assert after == kept | placed

    assert {file.path for file in outcome.new} == placed.keys() - before.keys()
    assert all(before[file.path] != placed[file.path] for file in outcome.changed)
    assert outcome.unchanged_count == sum(before.get(path) == content for path, content in placed.items())
    assert outcome.digests.items() <= {path: sha(content) for path, content in placed.items()}.items()


def test_where_nothing_is_live_everything_is_new(source: Path) -> None:
    listing = list_directory(write_files(source, {"b": b"", "a": b""}))
    outcome = compare(listing, None, mirrored="", progress=lambda step, done, total: None)
    assert [file.path for file in outcome.new] == ["a", "b"]
    assert (outcome.changed, outcome.removed, outcome.unchanged_count) == ([], [], 0)


def test_only_a_file_of_the_same_size_is_read(tmp_path: Path) -> None:
    outcome = compared({"a.js": b"short", "b.js": b"one"}, {"a.js": b"longer", "b.js": b"two"}, tmp_path)
    assert [file.path for file in outcome.changed] == ["a.js", "b.js"]
    assert outcome.digests == {"b.js": sha(b"two")}


def test_files_that_change_meanwhile_are_all_named(tmp_path: Path) -> None:
    site = {"a.js": b"one", "b.js": b"two", "c.js": b"six"}
    listing = list_directory(write_files(tmp_path / "source", site))
    for name in ("a.js", "c.js"):
        os.utime(tmp_path / "source" / name, ns=(0, 0))
    steps: list[tuple[str, int, int]] = []
    with manifest_of(site, tmp_path / "manifest") as base:
        outcome = compare(listing, base, mirrored="", progress=lambda *step: steps.append(step))
    assert [fault.name for fault in outcome.faults] == ["a.js", "c.js"]
    assert steps == [("Comparing", done, 3) for done in (1, 2, 3)]
