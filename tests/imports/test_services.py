"""An import makes one draft of what differs, or none and says why."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db.models import Model

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.assets.models import Asset, Blob
from apps.assets.store import read_blob
from apps.audit.models import AuditEntry
from apps.imports.exceptions import ChannelMoved, SourceRefused
from apps.imports.services import Result
from apps.jobs.models import Job
from apps.releases.models import Channel, Release
from apps.releases.selectors import manifest_reader_of
from apps.releases.services import drafts, review
from apps.releases.services.channels import set_options
from tests.imports.conftest import FIRST, SECOND, Import, Publish, changes_in, served_paths, write_files

ROWS: tuple[type[Model], ...] = (Asset, AuditEntry, Blob, Job, Release)


def rows() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in ROWS}


def counts(outcome: object) -> tuple[int, ...]:
    return tuple(getattr(outcome, name) for name in ("added", "changed", "removed", "unchanged"))


def refused_names(import_folder: Import, folder: Path, **options: object) -> list[str]:
    with pytest.raises(SourceRefused) as refusal:
        import_folder(folder, **options)
    return [fault.name for fault in refusal.value.faults]


def test_the_first_import_is_a_draft_of_every_file(
    import_folder: Import, first_folder: Path, editor: User, production: Channel
) -> None:
    outcome = import_folder(first_folder, title=" First ")
    assert (outcome.result, counts(outcome)) == (Result.MADE, (3, 0, 0, 0))
    release = outcome.release
    assert release
    assert (release.title, release.state, release.channel, release.base) == (
        "First",
        "draft",
        production,
        None,
    )
    assert (release.owner, release.created_by) == (editor, editor)
    assert changes_in(release) == dict.fromkeys(FIRST, "added")
    blobs = release.changes.values_list("asset__path", "version__blob")
    assert {path: read_blob(blob or "") for path, blob in blobs} == FIRST


def test_an_import_is_one_entry_in_the_log(import_folder: Import, first_folder: Path) -> None:
    before = AuditEntry.objects.count()
    release = import_folder(first_folder).release
    assert AuditEntry.objects.count() == before + 1
    entry = AuditEntry.objects.order_by("-pk").first()
    assert release
    assert entry
    assert (entry.action, entry.target) == ("release.create", f"release {release.pk}")


def test_codings_are_prepared_for_what_was_imported(import_folder: Import, first_folder: Path) -> None:
    import_folder(first_folder)
    assert Job.objects.filter(kind="assets.encode").exists()


def test_the_next_import_holds_only_what_differs(
    live: Release, import_folder: Import, second_folder: Path
) -> None:
    outcome = import_folder(second_folder)
    assert (outcome.result, counts(outcome)) == (Result.MADE, (1, 1, 1, 1))
    assert outcome.release
    assert outcome.release.base == live
    assert changes_in(outcome.release) == {
        "img/new.svg": "added",
        "index.html": "changed",
        "js/old.js": "removed",
    }


def test_published_it_serves_the_folder(
    live: Release, import_folder: Import, second_folder: Path, publish: Publish, production: Channel
) -> None:
    publish(import_folder(second_folder).release)
    assert served_paths(production) == sorted(SECOND)


def test_what_is_live_is_not_imported_again(live: Release, import_folder: Import, first_folder: Path) -> None:
    before = rows()
    outcome = import_folder(first_folder)
    assert (outcome.result, outcome.release, counts(outcome)) == (Result.LIVE, live, (0, 0, 0, 3))
    assert rows() == before


@pytest.mark.parametrize("state", ["draft", "in_review", "approved"])
def test_what_an_open_release_holds_is_not_imported_again(
    state: str, live: Release, import_folder: Import, second_folder: Path, editor: User, manager: User
) -> None:
    release = import_folder(second_folder).release
    assert release
    drafts.edit_release(release=release, actor=editor, expected_result="A", rollback_note="B")
    if state != "draft":
        release = review.submit(release=release, actor=editor)
    if state == "approved":
        review.approve(release=release, digest=release.manifest_id or "", actor=manager)
    before = rows()
    outcome = import_folder(second_folder, title="Another title")
    assert (outcome.result, outcome.release, counts(outcome)) == (Result.HELD, release, (0, 0, 0, 3))
    assert outcome.release
    assert outcome.release.state == state
    assert rows() == before


def test_a_release_that_was_given_up_or_holds_more_is_not_taken_for_it(
    live: Release, import_folder: Import, second_folder: Path, editor: User
) -> None:
    withdrawn = import_folder(second_folder).release
    assert withdrawn
    review.withdraw(release=withdrawn, actor=editor)
    again = import_folder(second_folder)
    assert again.result is Result.MADE
    write_files(second_folder, {"more.txt": b"more"})
    assert import_folder(second_folder).result is Result.MADE
    assert len({withdrawn, again.release, *Release.objects.all()}) == 4


def test_a_prefix_is_where_the_folder_goes_and_nothing_is_removed(
    live: Release, import_folder: Import, source: Path
) -> None:
    write_files(source, {"site.css": FIRST["css/site.css"], "print.css": b"p"})
    outcome = import_folder(source, prefix="/css/")
    assert counts(outcome) == (1, 0, 0, 1)
    assert changes_in(outcome.release) == {"css/print.css": "added"}


def test_a_mirrored_prefix_removes_below_it_only(
    live: Release, import_folder: Import, source: Path, publish: Publish, production: Channel
) -> None:
    write_files(source, {"print.css": b"p"})
    publish(import_folder(write_files(source, {"css.html": b"c"}), mirror=False).release)
    (source / "css.html").unlink()
    outcome = import_folder(source, prefix="css", mirror=True)
    assert changes_in(outcome.release) == {"css/print.css": "added", "css/site.css": "removed"}
    publish(outcome.release)
    assert served_paths(production) == ["css.html", "css/print.css", "index.html", "js/old.js", "print.css"]


def test_a_whole_site_may_be_added_to_without_removing(
    live: Release, import_folder: Import, source: Path
) -> None:
    write_files(source, {"new.html": b"n"})
    outcome = import_folder(source, mirror=False)
    assert changes_in(outcome.release) == {"new.html": "added"}
    assert counts(outcome) == (1, 0, 0, 0)


@pytest.mark.parametrize("prefix", ["-", "/-/", "library/new", "a//b", "../up", "back\\slash"])
def test_a_prefix_that_is_no_path_is_refused(import_folder: Import, first_folder: Path, prefix: str) -> None:
    assert refused_names(import_folder, first_folder, prefix=prefix) == [prefix.strip("/")]
    assert not Release.objects.exists()


def test_what_is_live_is_imported_again_where_it_is_to_be_built_otherwise(
    live: Release,
    import_folder: Import,
    first_folder: Path,
    publish: Publish,
    production: Channel,
    administrator: User,
) -> None:
    set_options(channel=production, actor=administrator, fingerprints=True)
    production.refresh_from_db()
    assert import_folder(first_folder, title="", is_dry_run=True).is_change
    outcome = import_folder(first_folder, title="Names")
    assert (outcome.result, counts(outcome)) == (Result.MADE, (0, 0, 0, 3))
    again = import_folder(first_folder, title="Names")
    assert (again.result, again.release) == (Result.HELD, outcome.release)
    renewed = publish(outcome.release)
    assert manifest_reader_of(renewed).has_fingerprints
    settled = import_folder(first_folder, title="Names")
    assert (settled.result, settled.release) == (Result.LIVE, renewed)
    assert not import_folder(first_folder, title="", is_dry_run=True).is_change


def test_a_dry_run_counts_and_writes_nothing(
    live: Release, import_folder: Import, second_folder: Path, storage_folder: Path
) -> None:
    before, files = rows(), sorted(storage_folder.rglob("*"))
    outcome = import_folder(second_folder, title="", is_dry_run=True)
    assert (outcome.result, outcome.release, counts(outcome)) == (Result.TRIED, None, (1, 1, 1, 1))
    assert outcome.is_change
    assert rows() == before
    assert sorted(storage_folder.rglob("*")) == files


def test_a_dry_run_refuses_what_an_import_would(import_folder: Import, source: Path) -> None:
    assert refused_names(import_folder, source, is_dry_run=True) == [str(source)]


def test_what_was_passed_over_is_told(import_folder: Import, first_folder: Path) -> None:
    write_files(first_folder, {".git/config": b""})
    assert import_folder(first_folder).skipped == (".git",)


def test_somebody_who_may_not_import_learns_nothing_of_the_source(
    import_folder: Import, viewer: User, tmp_path: Path
) -> None:
    with pytest.raises(Forbidden):
        import_folder(tmp_path / "nowhere", actor=viewer)


def test_a_fault_anywhere_means_that_nothing_was_written(
    import_folder: Import, first_folder: Path, storage_folder: Path
) -> None:
    write_files(first_folder, {"INDEX.html": b"", "library/x": b""})
    before = rows()
    assert sorted(refused_names(import_folder, first_folder)) == ["INDEX.html", "index.html", "library/x"]
    assert rows() == before
    assert list(storage_folder.iterdir()) == []


class Meddler:
    """Progress that does something once, when it is told of the first file of a step or of its last."""

    def __init__(self, step: str, act: Callable[[], object], *, at_end: bool = False) -> None:
        self.step, self.acts, self.at_end = step, [act], at_end

    def __call__(self, step: str, done: int, total: int) -> None:
        if step == self.step and self.acts and (done == total or not self.at_end):
            self.acts.pop()()


def test_files_that_change_after_they_were_compared_are_all_named(
    live: Release, import_folder: Import, second_folder: Path
) -> None:
    def write_more() -> None:
        for name in ("index.html", "img/new.svg"):
            with (second_folder / name).open("ab") as file:
                file.write(b"more")

    before = rows()
    names = refused_names(
        import_folder, second_folder, progress=Meddler("Comparing", write_more, at_end=True)
    )
    assert names == ["img/new.svg", "index.html"]
    assert rows() == before

    outcome = import_folder(second_folder)
    assert (outcome.result, counts(outcome)) == (Result.MADE, (1, 1, 1, 1))


def test_bytes_that_change_behind_an_unchanged_date_are_found_by_their_digest(
    live: Release, import_folder: Import, second_folder: Path
) -> None:
    file = second_folder / "index.html"
    assert file.stat().st_size == len(FIRST["index.html"])
    was = file.stat()

    def rewrite() -> None:
        file.write_bytes(b"<h1>Six</h1>")
        os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))

    progress = Meddler("Comparing", rewrite, at_end=True)
    assert refused_names(import_folder, second_folder, progress=progress) == ["index.html"]


def test_a_file_that_changes_while_it_is_compared_is_named(
    live: Release, import_folder: Import, first_folder: Path
) -> None:
    progress = Meddler("Comparing", (first_folder / "js/old.js").unlink)
    assert refused_names(import_folder, first_folder, progress=progress) == ["js/old.js"]


def test_a_channel_that_moves_meanwhile_is_refused_and_the_same_import_works_then(
    live: Release,
    import_folder: Import,
    second_folder: Path,
    source: Path,
    publish: Publish,
    production: Channel,
) -> None:
    other = import_folder(write_files(source, {"other.html": b"o"}), mirror=False, title="Other").release
    count = Release.objects.count()
    with pytest.raises(ChannelMoved) as refusal:
        import_folder(second_folder, progress=Meddler("Recording", lambda: publish(other)))
    assert "production" in refusal.value.message
    assert Release.objects.count() == count

    outcome = import_folder(second_folder)
    assert outcome.removed == 2
    publish(outcome.release)
    assert served_paths(production) == sorted(SECOND)


def test_a_folder_is_compared_with_what_was_uploaded_not_with_what_was_made_of_it(
    production: Channel, administrator: User, import_folder: Import, publish: Publish, source: Path
) -> None:
    set_options(channel=production, actor=administrator, fingerprints=True)
    production.refresh_from_db()
    files = {"index.html": b"<link rel=stylesheet href=a.css>", "a.css": b"a { background: url(a.svg) }"}
    write_files(source, {**files, "a.svg": b"<svg/>"})
    live = publish(import_folder(source).release)
    served = {entry.path: entry.size for entry in manifest_reader_of(live).entries()}
    assert all(served[path] > len(content) for path, content in files.items())
    assert import_folder(source).result == Result.LIVE
    write_files(source, {"a.svg": b"<svg></svg>"})
    outcome = import_folder(source)
    assert counts(outcome) == (0, 1, 0, 2)
    assert changes_in(outcome.release) == {"a.svg": "changed"}
