"""Any two of release, channel, publication and draft, named as people type them, and compared by command."""

import json
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.accounts.models import User
from apps.assets import store
from apps.assets.exceptions import StorageFull
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.serialisation import as_json
from apps.caching.services import add_version
from apps.releases import local_files
from apps.releases.comparing import differences, tallies
from apps.releases.comparing.comparables import comparable_named
from apps.releases.exceptions import DraftTooLarge, ManifestMissing, UnknownComparable, UnknownRelease
from apps.releases.models import Channel, Release
from apps.releases.selectors import live_publication
from apps.releases.services import drafted, publishing, redirects, review
from apps.releases.services.drafted import drafted_manifest
from tests.releases.conftest import MakeRelease, Publish, put, remove, served

Capture = pytest.CaptureFixture[str]


def diff(capsys: Capture, *words: object) -> Any:
    call_command("release", "diff", *map(str, words), "--json")
    return json.loads(capsys.readouterr().out)


def kinds(rows: Any) -> dict[str, str]:
    return {row["path"]: row["kind"] for row in rows}


SPRING = {"css/site.css": "changed", "img/new.svg": "added", "js/old.js": "removed"}


def test_everything_that_is_served_or_will_be_has_a_name(
    approved: Release, live: Release, manager: User
) -> None:
    tag = publishing.publish(release=approved, actor=manager).tag
    now = live_publication(live.channel)
    assert now is not None
    digests = {
        name: comparable_named(name).reader.digest  # type: ignore[union-attr]
        for name in ("1", "2", "production", "production/1", "production/2", tag, "2/base", f" {tag} ")
    }
    assert {digests[name] for name in ("1", "production/1", "2/base")} == {live.manifest_id}
    assert {digests[name] for name in ("2", "production", "production/2", tag, f" {tag} ")} == {
        approved.manifest_id
    }
    assert comparable_named("production").permanent == tag
    assert comparable_named("nothing").reader is None
    assert comparable_named("1/base").reader is None


@pytest.mark.parametrize(
    "name", ["", "  ", "production/9", "production-2026-01-01.9", "draft", "2/", "/1", "staging/1", "9" * 40]
)
def test_a_name_that_leads_nowhere_is_refused_with_what_can_be_named(live: Release, name: str) -> None:
    with pytest.raises((UnknownComparable, UnknownRelease)) as refused:
        comparable_named(name)
    assert refused.value.next_step


def test_a_channel_that_serves_nothing_is_compared_as_nothing(production: Channel, capsys: Capture) -> None:
    assert comparable_named("production").title == "production, which serves nothing yet"
    assert diff(capsys, "production", "nothing") == []


def test_a_draft_is_compared_as_its_changes_on_its_base(spring: Release, capsys: Capture) -> None:
    stored = sorted(store.temporary_folder().parent.rglob("*.sqlite"))
    for draft in (spring.pk, "draft"):
        assert kinds(diff(capsys, "production", draft)) == SPRING
    assert kinds(diff(capsys, spring.pk, "nothing")) == dict.fromkeys(
        ("css/site.css", "img/new.svg", "index.html"), "removed"
    )
    spring.refresh_from_db()
    assert spring.manifest is None
    assert sorted(store.temporary_folder().parent.rglob("*.sqlite")) == stored


def test_any_two_of_release_channel_publication_and_draft_are_compared(
    approved: Release, manager: User, make_release: MakeRelease, capsys: Capture
) -> None:
    tag = publishing.publish(release=approved, actor=manager).tag
    draft = make_release(put("css/site.css", "a { color: green }"), remove("img/new.svg"))
    back = {"css/site.css": "changed", "img/new.svg": "removed", "js/old.js": "added"}
    edited = {"css/site.css": "changed", "img/new.svg": "removed"}
    both = {"css/site.css": "changed", "js/old.js": "removed"}
    first, now, new = ("1", "production/1"), ("2", "production", tag), (draft.pk, "draft")
    table: list[tuple[tuple[object, ...], tuple[object, ...], dict[str, str]]] = [
        (first, now, SPRING), (now, first, back), (now, new, edited), (first, new, both), (now, now, {}),
    ]  # fmt: skip
    for old, other, wanted in table:
        for pair in zip(cycle(old), other, strict=False):
            assert kinds(diff(capsys, *pair)) == wanted, pair
    call_command("release", "diff", tag, "draft")
    assert capsys.readouterr().out == "~ css/site.css\n- img/new.svg\n"
    call_command("release", "diff", "production", tag)
    assert capsys.readouterr().out == f"production and {tag} serve the same.\n"


def test_a_draft_has_the_digest_that_its_build_has(spring: Release, editor: User) -> None:
    drafted = drafted_manifest(spring)
    review.submit(release=spring, actor=editor)
    spring.refresh_from_db()
    assert drafted.digest == spring.manifest_id
    assert {entry.path: entry.blob for entry in drafted.entries()} == served(spring)


def test_a_draft_that_changes_is_compared_anew(spring: Release, editor: User, capsys: Capture) -> None:
    assert len(diff(capsys, "1", "2")) == 3
    spring.changes.get(asset__path="js/old.js").delete()
    assert sorted(kinds(diff(capsys, "1", "2"))) == ["css/site.css", "img/new.svg"]
    redirects.put_redirect(release=spring, source="/a", target="/b", status=308, actor=editor)
    assert kinds(diff(capsys, "1", "2"))["/a"] == "redirect_added"


def test_two_drafts_are_compared(spring: Release, make_release: MakeRelease, capsys: Capture) -> None:
    other = make_release(put("css/site.css", "a { color: blue }"), put("img/new.svg", "<svg></svg>"))
    assert kinds(diff(capsys, spring.pk, other.pk)) == {"img/new.svg": "changed", "js/old.js": "added"}


def test_what_was_backed_out_is_not_shown(live: Release, make_release: MakeRelease, capsys: Capture) -> None:
    draft = make_release(put("css/site.css", "a { color: red }"), put("a.txt", "a"))
    assert kinds(diff(capsys, live.pk, draft.pk)) == {"a.txt": "added"}


def test_what_a_draft_cannot_know_yet_is_said(
    live: Release, named: Channel, make_release: MakeRelease, administrator: User
) -> None:
    draft = make_release(put("a.css", "a"))
    notes = comparable_named(str(draft.pk)).notes
    assert notes[0].endswith("this is its changes on what it was begun on.")
    assert "refer to these" in notes[1]
    assert len(notes) == 2


def test_a_draft_of_very_many_changes_is_built_first(
    spring: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafted, "MOST_CHANGES", 2)
    with pytest.raises(DraftTooLarge) as refused:
        comparable_named(str(spring.pk))
    assert "Submit" in refused.value.next_step


def test_a_file_that_moved_is_named_as_moved(live: Release, publish: Publish, capsys: Capture) -> None:
    publish(put("js/new.js", "1"), remove("js/old.js"), put("other.txt", "other"))
    rows = {row["path"]: row for row in diff(capsys, 1, 2)}
    assert (rows["js/new.js"]["kind"], rows["js/new.js"]["moved_from"]) == ("added", "js/old.js")
    assert (rows["js/old.js"]["kind"], rows["js/old.js"]["moved_to"]) == ("removed", "js/new.js")
    assert rows["other.txt"]["moved_from"] is None
    assert kinds(diff(capsys, 1, 2, "--kind", "moved")) == {"js/new.js": "added"}
    assert kinds(diff(capsys, 1, 2, "--kind", "added")) == {"other.txt": "added"}
    assert diff(capsys, 1, 2, "--kind", "removed") == []
    assert kinds(diff(capsys, 2, 1, "--kind", "moved")) == {"js/old.js": "added"}
    assert diff(capsys, 1, 2, "--kind", "moved", "--type", "image") == []
    assert diff(capsys, 1, "nothing", "--kind", "moved") == []
    call_command("release", "diff", "1", "2")
    said = capsys.readouterr().out.splitlines()
    assert "+ js/new.js (moved from js/old.js)" in said
    assert "- js/old.js (moved to js/new.js)" in said


def test_a_diff_is_filtered_by_folder_type_and_number(spring: Release, capsys: Capture) -> None:
    assert kinds(diff(capsys, 1, 2, "--below", "/css/")) == {"css/site.css": "changed"}
    for typed in ("image/*", "image", "IMAGE/svg+xml"):
        assert kinds(diff(capsys, 1, 2, "--type", typed)) == {"img/new.svg": "added"}
    assert kinds(diff(capsys, 1, 2, "--limit", 1)) == {"css/site.css": "changed"}
    assert diff(capsys, 1, 2, "--limit", 0) == []
    call_command("release", "diff", "1", "2", "--kind", "headers")
    assert "Nothing fits." in capsys.readouterr().out


def test_lines_are_shown_where_they_are_asked_for(spring: Release, capsys: Capture) -> None:
    rows = {row["path"]: row for row in diff(capsys, 1, 2, "--text")}
    text = rows["css/site.css"]["text"]
    assert [(line["kind"], line["text"].split(" ⟨")[0]) for line in text["lines"]] == [
        ("removed", "a { color: red }"),
        ("added", "a { color: blue }"),
    ]
    assert (text["added"], text["removed"], text["is_cut"]) == (1, 1, False)
    call_command("release", "diff", "1", "2", "--text")
    assert "+ a { color: blue }" in capsys.readouterr().out
    assert "text" not in diff(capsys, 1, 2)[0]


@pytest.fixture
def other_rule(live: Release, administrator: User) -> None:
    """The rule for everything has another header from now on."""
    content = as_json(DEFAULT_RULES["everything"])
    content["policy"]["extra_headers"] = [["X-Robots-Tag", "noindex"]]
    add_version(rule_slug="everything", actor=administrator, content=content)


def test_a_summary_counts_and_says_whose_headers_change(
    live: Release, other_rule: None, publish: Publish, capsys: Capture
) -> None:
    publish(put("js/a.js", "a"), put("js/b.js", "b"), remove("js/old.js"))
    report = diff(capsys, 1, 2, "--summary")
    assert (report["added"], report["changed"], report["removed"], report["moved"]) == (2, 0, 1, 0)
    assert (report["headers"], report["following"], report["redirects"]) == (1, 0, 0)
    (change,) = report["header_changes"]
    assert (change["paths"], change["prefix"], change["folders"]) == (1, "css/site.css", {})
    assert change["rule"] == "rule everything, version 1 → 2"
    assert change["headers"] == ["x-robots-tag: none → noindex"]
    call_command("release", "diff", "1", "2", "--summary")
    said = capsys.readouterr().out
    assert "2 added, 0 changed, 1 removed, 0 moved, 0 following, 1 with other headers only" in said
    assert "1 URL at /css/site.css: x-robots-tag: none → noindex (rule everything, version 1 → 2)" in said


def test_rules_that_a_draft_brings_are_said_to_be_known_later(
    live: Release, other_rule: None, make_release: MakeRelease, capsys: Capture
) -> None:
    draft = make_release(put("js/a.js", "a"))
    assert "other cache rules" in comparable_named(str(draft.pk)).notes[-1]
    assert kinds(diff(capsys, 1, draft.pk)) == {"js/a.js": "added"}


def test_counts_that_the_disk_refuses_leave_a_comparison_without_moves(
    spring: Release, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tallies, "keep_file", full)
    assert kinds(diff(capsys, 1, 2)) == SPRING
    assert kinds(diff(capsys, 1, 2, "--summary")) == SPRING


def test_counts_are_made_once_for_either_way(spring: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = comparable_named("1").reader, comparable_named("2").reader
    made = tallies.tally_of(old, new)
    assert made is not None
    made.close()
    monkeypatch.setattr(tallies, "write_tally", None)
    for one, other, added in ((old, new, 1), (new, old, 1), (old, new, 1)):
        found = tallies.quick_tally(one, other)
        assert found is not None
        assert found.counts()["added"].paths == added
        found.close()


def test_a_page_does_not_wait_for_counts_of_very_much(
    spring: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = comparable_named("nothing").reader, comparable_named("2").reader
    monkeypatch.setattr(tallies, "QUICK_BUCKETS", 0)
    assert tallies.quick_tally(old, new) is None
    made = tallies.tally_of(old, new)
    assert made is not None
    made.close()
    assert tallies.quick_tally(old, new) is not None


def test_a_file_of_counts_that_is_damaged_is_made_again(spring: Release) -> None:
    old, new = comparable_named("1").reader, comparable_named("2").reader
    made = tallies.tally_of(old, new)
    assert made is not None
    made.close()
    for file in local_files.kept_folder().glob("tally-*"):
        file.write_bytes(b"no database")
    again = tallies.tally_of(old, new)
    assert again is not None
    assert again.counts()["changed"].paths == 1
    again.close()


def test_files_that_are_kept_are_few(spring: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(local_files._KEPT_FILES, "tally", 2)
    for name in ("1", "2", "nothing"):
        for other in ("1", "2", "nothing"):
            found = tallies.tally_of(comparable_named(name).reader, comparable_named(other).reader)
            assert found is not None
            found.close()
    assert len(list(local_files.kept_folder().glob("tally-*"))) == 2


def test_a_manifest_that_went_is_missed_with_a_next_step(spring: Release) -> None:
    old, new = comparable_named("1"), comparable_named("2")
    assert new.reader is not None
    new.reader.file.unlink()
    with differences.Comparison(old, new, None) as comparison, pytest.raises(ManifestMissing):
        list(comparison.rows(differences.Filter()))


def test_a_kept_file_is_written_beside_its_place_and_an_unfinished_one_goes(tmp_path: Path) -> None:
    """Where storage writes its own files may be another file system, from which nothing can be renamed."""
    written: list[Path] = []

    def fail(file: Path) -> None:
        written.append(file)
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageFull):
        local_files.keep_file("tally-x.json", fail)
    assert written[0].parent == local_files.kept_folder()
    assert list(local_files.kept_folder().iterdir()) == []
    for number in range(25):  # killed meanwhile
        (local_files.kept_folder() / f"unfinished-{number}").touch()
    local_files.keep_file("tally-x.json", lambda file: file.write_bytes(b"whole"))
    assert len(list(local_files.kept_folder().iterdir())) == 21
