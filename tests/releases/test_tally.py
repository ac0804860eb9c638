"""What differs between two manifests, counted: as a comparison of all rows counts it, either way round."""

import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from apps.releases.manifest import ManifestFault, ManifestReader, ManifestWriter, Wanted, diff
from apps.releases.manifest.pair import EVERYTHING, KINDS
from apps.releases.manifest.tally import Counted, Tally, write_tally
from tests.releases.test_manifest import LONG, SHORT, relaxed
from tests.releases.test_pair import SITES, Site, naively, put, rows_of, write

PLAIN = {"blob": "a", "header_set": SHORT, "media_type": "text/css", "fingerprint": "", "original": ""}
FILE = {**PLAIN, "link": ""}


def tally(tmp_path: Path, before: Site, after: Site) -> Path:
    write(tmp_path / "old", before)
    write(tmp_path / "new", after, base=tmp_path / "old")
    (tmp_path / "tally").unlink(missing_ok=True)
    with ManifestReader(tmp_path / "old") as old, ManifestReader(tmp_path / "new") as new:
        write_tally(tmp_path / "tally", old, new)
    return tmp_path / "tally"


def naive_moves(old: Path, new: Path) -> set[tuple[str, str]]:
    """Pair what went with what came by content, in the order of paths."""
    before, after = rows_of(old), rows_of(new)
    went, came = defaultdict(list), defaultdict(list)
    for path in sorted(before.keys() - after.keys()):
        went[before[path][5] or before[path][1]].append(path)
    for path in sorted(after.keys() - before.keys()):
        came[after[path][5] or after[path][1]].append(path)
    return {pair for blob in went for pair in zip(went[blob], came[blob], strict=False)}


@relaxed
@given(before=SITES, after=SITES)
def test_it_counts_what_a_comparison_of_all_rows_counts(tmp_path: Path, before: Site, after: Site) -> None:
    file = tally(tmp_path, before, after)
    old, new = tmp_path / "old", tmp_path / "new"
    found = list(naively(before, after, old, new, EVERYTHING))
    moves = naive_moves(old, new)
    with Tally(file) as there, Tally(file, is_reversed=True) as back:
        assert {kind: each.paths for kind, each in there.counts().items()} == {
            **dict.fromkeys(KINDS, 0),
            **Counter(kind for _, kind in found),
        }
        assert set(there.moves()) == moves
        assert {(new, old) for old, new in back.moves()} == moves
        assert there.move_count() == len(moves)
        for one, other in moves:
            assert (there.moved_to(one), there.moved_from(other)) == (other, one)
            assert (back.moved_to(other), back.moved_from(one)) == (one, other)
        both = before.keys() & after.keys()
        moved_sets = [path for path in both if before[path]["header_set"] != after[path]["header_set"]]
        assert there.header_change_count()[1] == len(moved_sets)


@relaxed
@given(before=SITES, after=SITES)
def test_among_the_paths_that_a_build_has_touched_it_counts_the_same(
    tmp_path: Path, before: Site, after: Site
) -> None:
    old, new, files = tmp_path / "old", tmp_path / "new", (tmp_path / "all", tmp_path / "among")
    write(old, before)
    for file in (new, *files):
        file.unlink(missing_ok=True)
    with ManifestWriter(new, base=old) as writer:
        for path in before.keys() - after.keys():
            writer.remove(path)
        for path in after:
            if before.get(path) != after[path]:
                put(writer, path, after[path])
        writer.finish(rules_digest="0" * 64)
    with ManifestReader(old) as one, ManifestReader(new) as other:
        write_tally(files[0], one, other)
        write_tally(files[1], one, other, among=writer.touched)
    assert rows_in(files[0]) == rows_in(files[1])


def rows_in(file: Path) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(file)) as db:
        tables = ("counted", "header_change", "move", "place", "names")
        return [sorted(db.execute(f"SELECT * FROM {table}"), key=repr) for table in tables]


def test_among_paths_nothing_else_is_read(tmp_path: Path) -> None:
    write(tmp_path / "old", {"a": FILE, "b": FILE})
    write(tmp_path / "new", {"a": {**FILE, "blob": "b"}, "c": FILE})
    with ManifestReader(tmp_path / "old") as old, ManifestReader(tmp_path / "new") as new:
        write_tally(tmp_path / "tally", old, new, among=["a"])
    with Tally(tmp_path / "tally") as found:
        assert [kind for kind, each in found.counts().items() if each.paths] == ["changed"]


def test_a_build_from_nothing_does_not_say_what_it_touched(tmp_path: Path) -> None:
    with ManifestWriter(tmp_path / "m") as writer:
        put(writer, "a", FILE)
        assert writer.touched is None


@relaxed
@given(before=SITES, after=SITES)
def test_the_buckets_of_a_kind_hold_all_of_it(tmp_path: Path, before: Site, after: Site) -> None:
    file = tally(tmp_path, before, after)
    with ManifestReader(tmp_path / "old") as old, ManifestReader(tmp_path / "new") as new:
        for sides, is_reversed in (((old, new), False), ((new, old), True)):
            with Tally(file, is_reversed=is_reversed) as counted:
                for kind in KINDS:
                    wanted, within = counted.narrowed(Wanted(kinds=frozenset({kind})))
                    assert bool(within) == bool(counted.counts()[kind].paths)
                    whole = list(diff(*sides, Wanted(kinds=frozenset({kind}))))
                    assert list(diff(*sides, wanted, within=within)) == whole


def test_buckets_without_what_is_wanted_are_not_read(tmp_path: Path) -> None:
    site = {f"{number:04}": FILE for number in range(3_000)}
    file = tally(tmp_path, site, {**site, "0000": {**FILE, "blob": "b"}, "2999x": FILE})
    with Tally(file) as counted:
        (added,) = counted.narrowed(Wanted(kinds=frozenset({"added"})))[1]
        (changed,) = counted.narrowed(Wanted(kinds=frozenset({"changed"})))[1]
    assert changed[0] <= "0000" < changed[1] <= added[0] <= "2999x" < added[1]


def test_the_way_back_has_added_and_removed_and_their_bytes_changed_round(tmp_path: Path) -> None:
    file = tally(tmp_path, {"a": FILE, "b": FILE, "c": FILE}, {"c": {**FILE, "blob": "b"}, "d/e": FILE})
    with Tally(file) as there, Tally(file, is_reversed=True) as back:
        assert there.counts()["removed"] == Counted(2, 2, 0)
        assert back.counts()["added"] == Counted(2, 0, 2)
        assert back.counts()["removed"] == Counted(1, 1, 0)
        assert back.counts()["changed"] == Counted(1, 1, 1)


def test_moves_are_read_below_a_prefix_and_on_from_a_path(tmp_path: Path) -> None:
    before = {f"old/{name}": {**FILE, "blob": name} for name in "abc"}
    after = {f"new/{name}": {**FILE, "blob": name} for name in "abc"}
    with Tally(tally(tmp_path, before, after)) as found:
        assert list(found.moves(after="new/a")) == [("old/b", "new/b"), ("old/c", "new/c")]
        assert list(found.moves(below="new/c")) == [("old/c", "new/c")]
        assert list(found.moves(below="old/")) == []
        assert (found.moved_from("old/a"), found.moved_to("new/a")) == ("", "")


def test_header_changes_are_grouped_by_what_changes_and_where(tmp_path: Path) -> None:
    longer = ("js/a/x.js", "js/a/y.js", "js/a/y/z.js", "css/one.css", "top.css")
    before: Site = {**dict.fromkeys(longer, FILE), "img/a.png": {**FILE, "header_set": LONG}}
    after = {path: {**FILE, "header_set": LONG} for path in longer} | {"img/a.png": FILE}
    with Tally(tally(tmp_path, before, after)) as there:
        first, second = there.header_changes(limit=10)
        assert (first.old, first.new, first.paths, first.prefix) == (SHORT, LONG, 5, "")
        assert (first.folders, first.unnamed) == ((("js/a/", 3), ("css/one.css", 1)), 1)
        assert (second.old, second.new, second.paths, second.prefix) == (LONG, SHORT, 1, "img/a.png")
        assert (second.folders, second.unnamed) == ((), 0)
        assert there.header_change_count() == (2, 6)
        assert len(there.header_changes(limit=1)) == 1
    with Tally(tmp_path / "tally", is_reversed=True) as back:
        assert (back.header_changes(limit=1)[0].old, back.header_changes(limit=1)[0].new) == (LONG, SHORT)
        assert back.header_changes(limit=1)[0].folders == first.folders


def test_folders_beyond_a_bound_are_counted_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.releases.manifest.tally._MOST_FOLDERS", 2)
    before: Site = dict.fromkeys(("a/1", "b/1", "c/1", "d/1"), FILE)
    after = {path: {**FILE, "header_set": LONG} for path in before}
    with Tally(tally(tmp_path, before, after)) as found:
        (change,) = found.header_changes(limit=9)
        assert (change.paths, change.folders, change.unnamed) == (4, (("a/1", 1), ("b/1", 1)), 2)


def test_what_is_no_tally_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database")
    for name in ("text", "missing"):
        with pytest.raises(ManifestFault):
            Tally(tmp_path / name)
    write(tmp_path / "manifest", {})
    with pytest.raises(ManifestFault):
        Tally(tmp_path / "manifest")


def test_beside_nothing_all_paths_are_counted_as_added(tmp_path: Path) -> None:
    write(tmp_path / "m", {"a": FILE, "b/c": FILE})
    with ManifestReader(tmp_path / "m") as reader:
        write_tally(tmp_path / "tally", None, reader)
    with Tally(tmp_path / "tally") as found:
        assert found.counts()["added"] == Counted(2, 0, 2)
        assert found.header_change_count() == (0, 0)
