"""Two manifests beside each other: what SQL says of them is what a comparison of all their rows says."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.releases.manifest import ManifestFault, ManifestReader, ManifestWriter, diff
from apps.releases.manifest.digest import Row, bucket_rows
from apps.releases.manifest.pair import (
    EVERYTHING,
    KINDS,
    DifferingRow,
    Pair,
    Reach,
    Wanted,
    changed_buckets,
    joined,
)
from tests.releases.test_manifest import BOUNDARIES, LONG, PATHS, SHORT, relaxed, sha

TYPES = ("text/css", "image/png", "image/svg+xml")
FILES = st.fixed_dictionaries(
    {
        "blob": st.sampled_from("abc"),
        "header_set": st.sampled_from([SHORT, LONG]),
        "media_type": st.sampled_from(TYPES),
        "fingerprint": st.sampled_from(["", "0" * 12, "1" * 12]),
        "original": st.sampled_from(["", "a", "b"]),
        "link": st.sampled_from(["", "</a.css>", "</b.css>"]),
    }
)
SITES = st.dictionaries(PATHS, FILES, max_size=20)
WANTED = st.builds(
    Wanted,
    kinds=st.frozensets(st.sampled_from(KINDS)),
    below=st.sampled_from(["", "b/", "é", "nothing"]),
    after=st.one_of(st.just(""), PATHS),
    media_type=st.sampled_from(["*", "image/*", "text/css", "audio/*"]),
)

type Site = dict[str, dict[str, object]]


def write(file: Path, site: Site, *, base: Path | None = None) -> None:
    """Write `site`, as changes to `base` where one is given, so that ids are those of a copy."""
    file.unlink(missing_ok=True)
    with ManifestWriter(file, base=base) as writer:
        for path in [entry.path for entry in writer.entries()]:
            writer.remove(path)
        for path, each in site.items():
            put(writer, path, each)
        writer.finish(rules_digest="0" * 64)


def put(writer: ManifestWriter, path: str, each: dict[str, object]) -> None:
    fingerprint = str(each["fingerprint"])
    writer.put(
        path,
        blob=sha(str(each["blob"])),
        size=1,
        media_type=str(each["media_type"]),
        header_set=each["header_set"],  # type: ignore[arg-type]
        release=1,
        fingerprint=fingerprint,
        named_header_set=LONG if fingerprint else None,
    )
    if each["original"]:
        writer.set_original(path, blob=sha(str(each["original"])), size=1)
    if each["link"]:
        writer.set_page_link(path, str(each["link"]))


def rows_of(file: Path) -> dict[str, Row]:
    """Return every row that the digest of a manifest is taken over, by path."""
    with closing(sqlite3.connect(file)) as db:
        return {row[0]: row for row in bucket_rows(db, "")}


def naive_kind(old: Row | None, new: Row | None) -> str:
    """Compare two rows as docs/manifest.md says what they mean."""
    if old is None or new is None:
        return "added" if old is None else "removed"
    if (old[5] or old[1]) != (new[5] or new[1]):
        return "changed"
    return "following" if old[1] != new[1] else "headers"


def naively(before: Site, after: Site, old: Path, new: Path, wanted: Wanted) -> Iterator[tuple[str, str]]:
    old_rows, new_rows = rows_of(old), rows_of(new)
    for path in sorted({*old_rows, *new_rows}):
        kind = naive_kind(old_rows.get(path), new_rows.get(path))
        types = [str(site[path]["media_type"]) for site in (before, after) if path in site]
        if (
            old_rows.get(path) != new_rows.get(path)
            and kind in wanted.kinds
            and path.startswith(wanted.below)
            and path > wanted.after
            and any(fnmatchcase(name, wanted.media_type) for name in types)
        ):
            yield path, kind


@relaxed
@given(before=SITES, after=SITES, wanted=WANTED, is_copy=st.booleans())
def test_it_finds_what_a_comparison_of_all_rows_finds(
    tmp_path: Path, before: Site, after: Site, wanted: Wanted, *, is_copy: bool
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    write(old, before)
    write(new, after, base=old if is_copy else None)
    for choice in (wanted, EVERYTHING):
        with ManifestReader(old) as one, ManifestReader(new) as other, Pair(one, other) as pair:
            found = list(pair.rows(choice))
            assert [row[:2] for row in found] == list(naively(before, after, old, new, choice))
            for path, _, was, now in found:
                assert (was, now) == (one.lookup(path), other.lookup(path))


@relaxed
@given(site=SITES, wanted=WANTED)
def test_beside_nothing_everything_was_added_or_removed(tmp_path: Path, site: Site, wanted: Wanted) -> None:
    file, empty = tmp_path / "m", tmp_path / "empty"
    write(file, site)
    write(empty, {})
    with ManifestReader(file) as reader:
        added = [(row.path, row.old) for row in diff(None, reader, wanted)]
        removed = [(row.path, row.new) for row in diff(reader, None, wanted)]
    assert added == [(path, None) for path, _ in naively({}, site, empty, file, wanted)]
    assert removed == [(path, None) for path, _ in naively(site, {}, file, empty, wanted)]


def test_a_page_reads_on_where_the_one_before_ended(tmp_path: Path) -> None:
    paths = sorted([*BOUNDARIES, *(f"b/{number}" for number in range(50))])
    each = {"blob": "a", "header_set": SHORT, "media_type": "text/css", "fingerprint": "", "original": ""}
    write(tmp_path / "m", {path: {**each, "link": ""} for path in paths})
    read: list[str] = []
    with ManifestReader(tmp_path / "m") as reader, Pair(None, reader) as pair:
        while page := [row[0] for row in islice(pair.rows(Wanted(after=max(read, default=""))), 7)]:
            read += page
    assert read == paths


@relaxed
@given(before=SITES, after=SITES, wanted=WANTED)
def test_who_does_not_wait_for_the_end_reads_on_where_he_stopped(
    tmp_path: Path, before: Site, after: Site, wanted: Wanted
) -> None:
    write(tmp_path / "old", before)
    write(tmp_path / "new", after)
    found: list[DifferingRow] = []
    with (
        mock.patch("apps.releases.manifest.pair.BUCKETS_AT_ONCE", 1),
        ManifestReader(tmp_path / "old") as old,
        ManifestReader(tmp_path / "new") as new,
        Pair(old, new) as pair,
    ):
        whole, choice, reach = list(pair.rows(wanted)), wanted, Reach(buckets=2)
        found += pair.rows(choice, reach=reach)
        while reach.stopped_at:
            assert all(row[0] < reach.stopped_at for row in found)
            choice, reach = replace(wanted, start=reach.stopped_at), Reach(buckets=2)
            found += pair.rows(choice, reach=reach)
    assert found == whole


def test_how_far_is_read_is_counted_in_buckets_however_they_lie(tmp_path: Path) -> None:
    each = {"header_set": SHORT, "media_type": "text/css", "fingerprint": "", "original": "", "link": ""}
    paths = sorted(BOUNDARIES)
    before: Site = {path: {**each, "blob": "a"} for path in paths}
    changed = [*paths[:3], paths[4], paths[6]]  # three buckets in a row, then one here and there
    write(tmp_path / "old", before)
    write(tmp_path / "new", before | {path: {**each, "blob": "b"} for path in changed})
    with ManifestReader(tmp_path / "old") as old, ManifestReader(tmp_path / "new") as new:
        for buckets, read, stopped_at in ((1, 3, paths[4]), (3, 3, paths[4]), (4, 4, paths[6]), (5, 5, "")):
            with Pair(old, new) as pair:
                reach = Reach(buckets=buckets)
                assert [row[0] for row in pair.rows(reach=reach)] == changed[:read]
                assert reach.stopped_at == stopped_at


def test_the_manifest_with_fewer_paths_leads(tmp_path: Path) -> None:
    each = {"header_set": SHORT, "media_type": "text/css", "fingerprint": "", "original": "", "link": ""}
    many: Site = {f"{number:05}": {**each, "blob": "a"} for number in range(5_000)}
    write(tmp_path / "many", many)
    write(tmp_path / "one", {"04000": {**each, "blob": "b"}})
    steps = []
    with ManifestReader(tmp_path / "many") as old, ManifestReader(tmp_path / "one") as new:
        for before, after in ((old, new), (new, old)):
            with Pair(before, after) as pair:
                count = 0

                def step() -> int:
                    nonlocal count
                    count += 1
                    return 0

                pair.db.set_progress_handler(step, 10)
                rows = list(pair.rows(Wanted(kinds=frozenset({"changed"}))))
                assert [row[:2] for row in rows] == [("04000", "changed")]
                steps.append(count)
    assert max(steps) < 100, "not a step for each of five thousand paths"


def test_only_ranges_that_differ_are_read_and_none_of_them_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.releases.manifest.pair.BUCKETS_AT_ONCE", 2)
    each = {"header_set": SHORT, "media_type": "text/css", "fingerprint": "", "original": "", "link": ""}
    last = max(BOUNDARIES)
    before: Site = {path: {**each, "blob": "a"} for path in BOUNDARIES}
    write(tmp_path / "old", before)
    write(tmp_path / "new", before | {last: {**each, "blob": "b"}})
    with ManifestReader(tmp_path / "old") as old, ManifestReader(tmp_path / "new") as new:
        assert changed_buckets(old, old) == []
        assert [ends[0] for ends in changed_buckets(old, new)] == [last]
        whole = joined(changed_buckets(None, new))
    assert whole[0][0] == ""
    assert [ends for _, ends in whole[:-1]] == [begins for begins, _ in whole[1:]]
    assert len(whole) == (len(BOUNDARIES) + 2) // 2


def test_a_file_that_went_is_not_taken_for_an_empty_manifest(tmp_path: Path) -> None:
    write(tmp_path / "m", {})
    with ManifestReader(tmp_path / "m") as reader:
        (tmp_path / "m").unlink()
        with pytest.raises(ManifestFault):
            Pair(None, reader)
