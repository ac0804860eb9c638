"""The manifest: what is looked up, how its digest is taken, and what a changed byte does to it."""

import hashlib
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.caching.rules import HeaderSet
from apps.releases.manifest import (
    Difference,
    ManifestFault,
    ManifestReader,
    ManifestWriter,
    Representation,
    diff,
)
from apps.releases.manifest.digest import starts_bucket

SHORT = HeaderSet("everything", 1, (("cache-control", "max-age=300"),), "1" * 64)
LONG = HeaderSet("fingerprinted", 1, (("cache-control", "max-age=31536000"),), "2" * 64)

# Few paths and few contents, so that changes meet; some of the paths begin a bucket.
BOUNDARIES = [path for path in (f"b/{number}.css" for number in range(4000)) if starts_bucket(path)][:8]
PATHS = st.sampled_from([*BOUNDARIES, *(f"{folder}/{name}.js" for folder in "abcé" for name in "xyz")])
CONTENTS = st.tuples(st.sampled_from("abc"), st.sampled_from([SHORT, LONG]))
SITES = st.dictionaries(PATHS, CONTENTS, max_size=20)

Site = dict[str, tuple[str, HeaderSet]]
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write(file: Path, site: Site, *, base: Path | None = None, was: Site | None = None) -> str:
    """Write `site` whole, or as changes to the manifest `base` of the site `was`; return the digest."""
    file.unlink(missing_ok=True)
    with ManifestWriter(file, base=base) as writer:
        for path in sorted(set(was or {}) - set(site)):
            assert writer.remove(path)
        for path, (content, headers) in site.items():
            if (was or {}).get(path) != (content, headers):
                writer.put(
                    path, blob=sha(content), size=1, media_type="text/css", header_set=headers, release=1
                )
        return writer.finish(rules_digest="0" * 64)


def test_what_was_put_is_found_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "m", {"css/site.css": ("a", SHORT), "js/é.js": ("b", LONG)})
    with ManifestReader(tmp_path / "m") as reader:
        entry = reader.lookup("js/é.js")
        assert entry
        assert (entry.blob, entry.size, entry.media_type, entry.release) == (sha("b"), 1, "text/css", 1)
        assert reader.header_sets[entry.header_set] == LONG
        assert reader.lookup("CSS/site.css") is None
        assert reader.lookup("css/site.css/") is None
        assert reader.path_count == 2


@relaxed
@given(before=SITES, after=SITES)
def test_a_copy_with_changes_has_the_digest_of_a_manifest_built_from_nothing(
    tmp_path: Path, before: Site, after: Site
) -> None:
    write(tmp_path / "base", before)
    changed = write(tmp_path / "changed", after, base=tmp_path / "base", was=before)
    assert changed == write(tmp_path / "whole", after)
    with ManifestReader(tmp_path / "changed") as reader:
        reader.verify()
        assert reader.path_count == len(after)


@relaxed
@given(before=SITES, after=SITES)
def test_a_diff_names_exactly_what_differs(tmp_path: Path, before: Site, after: Site) -> None:
    write(tmp_path / "old", before)
    write(tmp_path / "new", after, base=tmp_path / "old", was=before)
    with ManifestReader(tmp_path / "old") as old, ManifestReader(tmp_path / "new") as new:
        rows = list(diff(old, new))
    expected = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    assert [row.path for row in rows] == expected
    for row in rows:
        assert (row.old is not None, row.new is not None) == (row.path in before, row.path in after)
        assert row.is_content_changed == (
            before.get(row.path, ("", None))[0] != after.get(row.path, ("", None))[0]
        )


@relaxed
@given(before=SITES, after=SITES)
def test_two_sites_share_a_digest_only_if_they_are_the_same(
    tmp_path: Path, before: Site, after: Site
) -> None:
    assert (write(tmp_path / "one", before) == write(tmp_path / "other", after)) == (before == after)


def test_a_diff_with_nothing_lists_everything_on_one_side(tmp_path: Path) -> None:
    write(tmp_path / "m", {"a": ("a", SHORT)})
    with ManifestReader(tmp_path / "m") as reader:
        entry = reader.lookup("a")
        assert list(diff(None, reader)) == [Difference("a", None, entry, is_content_changed=True)]
        assert list(diff(reader, None)) == [Difference("a", entry, None, is_content_changed=True)]
    assert list(diff(None, None)) == []


def test_the_digest_can_be_computed_as_the_format_is_documented(tmp_path: Path) -> None:
    site = dict.fromkeys(sorted(["a", "b", *BOUNDARIES]), ("a", SHORT))
    rows: list[list[str]] = [[]]
    for path in site:
        if hashlib.sha256(path.encode()).hexdigest().startswith("00"):
            rows.append([])
        rows[-1].append(f"{path}\n{sha('a')}\n{SHORT.digest}\n")
    buckets = "".join(sha("".join(bucket)) + "\n" for bucket in rows)
    assert write(tmp_path / "m", site) == sha("assetsite manifest 1\n" + buckets)


def test_entries_come_in_order_and_below_a_prefix(tmp_path: Path) -> None:
    site: Site = dict.fromkeys(("css/b", "css/a", "css", "cssx/a", "é"), ("a", SHORT))
    write(tmp_path / "m", site)
    with ManifestReader(tmp_path / "m") as reader:
        assert [entry.path for entry in reader.entries()] == ["css", "css/a", "css/b", "cssx/a", "é"]
        assert [entry.path for entry in reader.entries(prefix="css/")] == ["css/a", "css/b"]
        assert set(reader.uploaded_many(["css", "none", "é"])) == {"css", "é"}


def test_content_codings_are_kept_beside_the_rows_and_leave_the_digest_alone(tmp_path: Path) -> None:
    digest = write(tmp_path / "m", {"a": ("a", SHORT), "b": ("b", SHORT)})
    with ManifestWriter(tmp_path / "coded", base=tmp_path / "m") as writer:
        writer.add_representations(
            sha("a"), [Representation("gzip", sha("gz"), 20), Representation("br", sha("br"), 10)]
        )
        assert writer.finish(rules_digest="0" * 64) == digest
    with ManifestReader(tmp_path / "coded") as reader:
        assert [coded.coding for coded in reader.representations(sha("a"))] == ["br", "gzip"]
        assert reader.representations(sha("b")) == ()
        assert reader.served_among({sha("b"), sha("c")}) == {sha("b")}


def test_the_time_of_a_first_publication_is_kept_and_never_moved(tmp_path: Path) -> None:
    with ManifestWriter(tmp_path / "m") as writer:
        writer.set_released(1, 1_790_000_000)
        writer.set_released(1, 1_790_009_999)
        writer.finish(rules_digest="0" * 64)
    with ManifestReader(tmp_path / "m") as reader:
        assert reader.released == {1: 1_790_000_000}


def test_other_rules_give_a_path_other_headers_and_another_digest(tmp_path: Path) -> None:
    before = write(tmp_path / "m", {"a": ("a", SHORT), "b": ("b", LONG)})
    with ManifestWriter(tmp_path / "n", base=tmp_path / "m") as writer:
        for entry in writer.entries():
            writer.set_header_set(entry, LONG)
        after = writer.finish(rules_digest="1" * 64)
    assert after != before
    assert after == write(tmp_path / "whole", {"a": ("a", LONG), "b": ("b", LONG)})
    with ManifestReader(tmp_path / "m") as old, ManifestReader(tmp_path / "n") as new:
        assert [(row.path, row.is_content_changed) for row in diff(old, new)] == [("a", False)]
        assert (old.rules_digest, new.rules_digest) == ("0" * 64, "1" * 64)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE entry SET blob = zeroblob(32) WHERE path = 'a'",
        "DELETE FROM entry WHERE path = 'b'",
        "INSERT INTO entry SELECT '', blob, size, media_type, header_set, 1, '', NULL FROM entry LIMIT 1",
        "INSERT INTO redirect VALUES ('old', '/new', 308, 1)",
        "UPDATE entry SET fingerprint = '0123456789ab', named_header_set = header_set WHERE path = 'a'",
        "UPDATE header_set SET digest = zeroblob(32)",
        "DELETE FROM bucket",
        "UPDATE bucket SET digest = zeroblob(32)",
        "UPDATE meta SET value = 'f' WHERE key = 'digest'",
    ],
)
def test_a_manifest_that_was_tampered_with_does_not_verify(tmp_path: Path, tampering: str) -> None:
    write(tmp_path / "m", {"a": ("a", SHORT), "b": ("b", SHORT)})
    with sqlite3.connect(tmp_path / "m") as db:
        db.execute(tampering)
    db.close()
    with ManifestReader(tmp_path / "m") as reader, pytest.raises(ManifestFault):
        reader.verify()


def test_what_is_no_manifest_is_named_and_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not SQLite at all" * 100)
    sqlite3.connect(tmp_path / "other").executescript("CREATE TABLE t (a)").connection.close()
    write(tmp_path / "newer", {})
    with sqlite3.connect(tmp_path / "newer") as db:
        db.execute("UPDATE meta SET value = '3' WHERE key = 'format'")
    db.close()
    for name, words in (
        ("missing", "unable"),
        ("text", "not a database"),
        ("other", "Assetsite"),
        ("newer", "3"),
    ):
        with pytest.raises(ManifestFault, match=rf"{name} is not a readable manifest.*{words}"):
            ManifestReader(tmp_path / name)


def test_a_damaged_base_is_not_built_upon(tmp_path: Path) -> None:
    write(tmp_path / "m", {f"{number}.css": ("a", SHORT) for number in range(2000)})
    content = bytearray((tmp_path / "m").read_bytes())
    content[8192:12288] = bytes(4096)
    (tmp_path / "m").write_bytes(content)
    with pytest.raises((ManifestFault, sqlite3.DatabaseError)):
        write(tmp_path / "n", {"0.css": ("b", SHORT)}, base=tmp_path / "m", was={})


def test_threads_share_a_reader_and_a_dropped_one_closes_its_files(tmp_path: Path) -> None:
    write(tmp_path / "m", {"a": ("a", SHORT)})
    reader = ManifestReader(tmp_path / "m")
    found: list[str] = []

    def look(reader: ManifestReader) -> None:
        entry = reader.lookup("a")
        found.append(entry.path if entry else "")

    threads = [threading.Thread(target=look, args=[reader]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["a"] * 4
    connections = reader._connections
    assert len(connections) == 5
    del reader, threads, thread
    assert connections == []
