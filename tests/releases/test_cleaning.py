"""What nobody needs goes, once that was so for long enough; what anybody may need never does."""

import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings as DjangoSettings

from apps.accounts.models import User
from apps.assets import store
from apps.assets.listing import listed
from apps.assets.models import Blob, Leftover
from apps.audit.models import AuditEntry
from apps.jobs.cleaning import Cleaned, clean
from apps.jobs.housekeeping import CLEAN_JOB, queue_cleaning
from apps.jobs.models import Job
from apps.jobs.running import run as run_job
from apps.refusals import Refusal
from apps.releases.channels.node_status import NodeStatus, dump
from apps.releases.exceptions import ManifestMissing
from apps.releases.files import manifest_file
from apps.releases.models import Channel, Manifest, Preview, Release
from apps.releases.rolling_back.wholeness import refuse_unless_whole
from apps.releases.services import channels, drafts, publishing, review
from apps.releases.services.preview_pointers import settle
from apps.releases.services.previews import open_preview, refresh_preview, revoke_preview
from tests.releases.conftest import MakeRelease, put
from tests.staff import staff_client

Capture = pytest.CaptureFixture[str]


def age(days: float = 8) -> None:
    """Let all that was noted have been noted so long ago."""
    Leftover.objects.filter(removed_at=None).update(since=timezone.now() - timedelta(days=days))


def swept() -> dict[str, Cleaned]:
    """Clean, let the grace time pass, and clean again; return what the second run did."""
    list(clean())
    age()
    return dict(clean())


def stored(folder: Path) -> set[str]:
    return {name for part in ("manifests", "blobs") for name, _ in listed(part)}


def refreshed(draft: Release, editor: User, *, text: str) -> tuple[Manifest, Preview]:
    """Preview a draft, change it, and build the preview again; return the manifest that is left behind."""
    preview = open_preview(release=draft, actor=editor)
    assert preview.manifest
    drafts.apply_changes(release=draft, changes=[put("new.txt", text)], actor=editor)
    return preview.manifest, refresh_preview(preview=preview, actor=editor)


def test_what_a_refreshed_preview_and_a_withdrawn_release_leave_goes_after_the_grace_time(
    live: Release, make_release: MakeRelease, editor: User, manager: User, storage_folder: Path
) -> None:
    draft, withdrawn = make_release(put("new.txt", "1")), make_release(put("other.txt", "2"))
    left, preview = refreshed(draft, editor, text="3")
    review.submit(release=withdrawn, actor=editor)
    review.withdraw(release=withdrawn, actor=editor)
    settle(withdrawn.previews.get().pk)
    withdrawn.refresh_from_db()
    assert withdrawn.manifest
    (storage_folder / "manifests" / "failed.sqlite").write_bytes(b"of a build that failed")
    before = stored(storage_folder)
    found = dict(clean())["manifests"]
    assert (found.removed, found.waiting) == (0, 3)
    assert stored(storage_folder) == before
    age(6)
    assert dict(clean())["manifests"].removed == 0, "its grace time is a week"
    age()
    done = dict(clean())["manifests"]
    assert set(done.names) == before - stored(storage_folder)
    assert set(done.names) == {left.file_name, withdrawn.manifest.file_name, "manifests/failed.sqlite"}
    assert not Manifest.objects.filter(pk=left.pk).exists()
    assert preview.manifest
    assert manifest_file(preview.manifest).is_file()
    withdrawn.refresh_from_db()
    with pytest.raises(ManifestMissing, match="was removed at"):
        manifest_file(withdrawn.manifest)
    page = staff_client(manager).get(f"/admin/releases/release/{withdrawn.pk}/change/")
    assert page.status_code == 200
    assert AuditEntry.objects.filter(action="site.clean", summary__contains="manifests").count() == 1
    again = make_release(put("other.txt", "2"))
    assert review.submit(release=again, actor=editor).manifest_id == withdrawn.manifest_id
    again.refresh_from_db()
    assert again.manifest
    assert again.manifest.cleared_at is None
    refuse_unless_whole(again.manifest, instead_of=None)


def test_what_is_found_again_within_the_grace_time_stays(
    live: Release, make_release: MakeRelease, editor: User, storage_folder: Path
) -> None:
    draft = make_release(put("new.txt", "1"))
    left, _ = refreshed(draft, editor, text="3")
    store.put_blob([b"of an import that was refused"])
    list(clean())
    age()
    assert Leftover.objects.count() == 2
    same = make_release(put("new.txt", "1"), put("refused.txt", "of an import that was refused"))
    drafts.discard_change(change=same.changes.get(asset__path="refused.txt"), actor=editor)
    assert review.submit(release=same, actor=editor).manifest_id == left.pk
    assert dict(clean())["manifests"].removed == 0
    assert manifest_file(left).is_file()
    assert not Leftover.objects.exists()


def test_what_is_used_while_it_is_to_be_removed_stays_or_is_written_anew(
    live: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = store.put_blob([b"left"])
    list(clean())
    age()
    remove = store.remove

    def import_comes_first(name: str) -> None:
        raise AssertionError(f"{name} is removed although it is about to be referred to")

    with store.writing() as batch:  # an import that begins before, and ends after
        batch.add([b"left"])
        monkeypatch.setattr(store, "remove", remove)
        assert dict(clean())["blobs"].removed == 1
        with pytest.raises(Refusal, match="was removed from storage this moment"):
            batch.finish()
        batch._reused.clear()
    store.put_blob([b"left"])
    monkeypatch.setattr(store, "remove", import_comes_first)
    assert dict(clean())["blobs"].removed == 0
    assert store.read_blob(blob.digest) == b"left"


def test_a_removal_that_is_interrupted_is_done_again(
    live: Release, make_release: MakeRelease, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, _ = refreshed(make_release(put("new.txt", "1")), editor, text="3")
    store.put_blob([b"left"])
    list(clean())
    age()
    remove = store.remove

    def killed(name: str) -> None:
        remove(name)
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "remove", killed)
    for _ in range(2):
        with suppress(KeyboardInterrupt):
            list(clean())
    monkeypatch.setattr(store, "remove", remove)
    list(clean())
    assert not Manifest.objects.filter(pk=left.pk).exists()
    assert dict(clean()) == {what: Cleaned() for what in dict(clean())}


def test_pages_that_were_built_stay_as_long_as_a_manifest_names_them(
    named: Channel, live: Release, make_release: MakeRelease, editor: User
) -> None:
    """A built page and its codings are no version of anything: only manifests say that they are served."""
    page = '<link rel="stylesheet" href="/css/site.css">'
    draft = make_release(put("index.html", page), put("css/site.css", "a {}"))
    _, preview = refreshed(draft, editor, text="3")
    swept()
    assert preview.manifest
    refuse_unless_whole(preview.manifest, instead_of=None)
    revoke_preview(preview=preview, actor=editor)
    settle(preview.pk)
    review.withdraw(release=draft, actor=editor)
    before = Blob.objects.count()
    assert swept()["manifests"].removed == 1
    assert swept()["blobs"].removed > 0, "once the manifest has gone, the page goes as well"
    assert Blob.objects.count() < before
    assert live.manifest
    refuse_unless_whole(live.manifest, instead_of=None)


def test_it_says_what_it_would_remove_and_does_not(
    live: Release, storage_folder: Path, capsys: Capture
) -> None:
    (storage_folder / "nodes").mkdir()
    now = timezone.now()
    for name, days in (("gone", 8), ("here", 6)):
        status = NodeStatus(name, "host", now - timedelta(days=days), ())
        (storage_folder / "nodes" / f"{name}.json").write_bytes(dump(status))
    blob = store.put_blob([b"left"])
    call_command("gc", "--json")
    said = {each["what"]: each for each in json.loads(capsys.readouterr().out)["cleaned"]}
    assert said["nodes that have gone"]["names"] == ["nodes/gone.json"]
    assert (said["blobs"]["removed"], said["blobs"]["waiting"]) == (0, 1)
    assert [file.name for file in (storage_folder / "nodes").iterdir()] == ["here.json"]
    age()
    before = stored(storage_folder)
    call_command("gc", "--json", "--dry-run")
    said = {each["what"]: each for each in json.loads(capsys.readouterr().out)["cleaned"]}
    assert (said["blobs"]["removed"], said["blobs"]["bytes"]) == (1, 4)
    assert said["blobs"]["names"] == [store.blob_name(blob.digest)]
    assert stored(storage_folder) == before
    for who in ("eva", "ben"):
        with pytest.raises(SystemExit):
            call_command("gc", "--as", who)
        assert f"{who} may not remove what nobody needs.\n→ Ask an administrator." in capsys.readouterr().err
    assert stored(storage_folder) == before
    call_command("gc", "--as", "ann")
    assert "blobs: 1 removed (4 bytes)\n" in capsys.readouterr().out
    assert before - stored(storage_folder) == {store.blob_name(blob.digest)}
    entry = AuditEntry.objects.filter(action="site.clean", summary__contains="blobs").get()
    assert entry.actor_name == "ann"


def test_it_is_a_job_of_each_day(live: Release) -> None:
    for _ in range(2):
        queue_cleaning()
    job = Job.objects.get(kind=CLEAN_JOB)
    run_job(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    assert "manifests: nothing." in job.log


def test_where_a_manifest_is_missing_no_blob_is_removed(
    live: Release, storage_folder: Path, settings: DjangoSettings
) -> None:
    settings.UNNEEDED_KEPT_DAYS = 0
    store.put_blob([b"left"])
    assert live.manifest
    (storage_folder / live.manifest.file_name).unlink()
    Blob.objects.create(digest="e" * 64, size_bytes=1)  # only a manifest could name it
    before = stored(storage_folder)
    with pytest.raises(ManifestMissing):
        list(clean())
    assert stored(storage_folder) == before


class Doing:
    """What people do with releases, one step after the other; what is refused is left."""

    def __init__(self, channel: Channel, editor: User, manager: User) -> None:
        self.channel, self.eva, self.ben = channel, editor, manager

    def do(self, step: str, number: int) -> None:
        releases = list(Release.objects.exclude(state=Release.State.WITHDRAWN).order_by("-pk")[:4])
        release = releases[number % len(releases)]
        with suppress(Refusal):
            getattr(self, step)(release, number)

    def draft(self, _: Release, number: int) -> None:
        drafts.create_release(
            title="A draft",
            channel=self.channel,
            changes=[put("a.txt", str(number))],
            actor=self.eva,
            expected_result="It works.",
            rollback_note="Tell #shop.",
        )

    def change(self, release: Release, number: int) -> None:
        drafts.apply_changes(release=release, changes=[put("b.txt", str(number))], actor=self.eva)

    def preview(self, release: Release, number: int) -> None:
        open_preview(release=release, actor=self.eva)

    def refresh(self, release: Release, number: int) -> None:
        for preview in release.previews.all()[:1]:
            refresh_preview(preview=preview, actor=self.eva)

    def revoke(self, release: Release, number: int) -> None:
        for preview in release.previews.exclude(pointer=Preview.Pointer.GONE):
            revoke_preview(preview=preview, actor=self.eva)
            settle(preview.pk)

    def submit(self, release: Release, number: int) -> None:
        review.submit(release=release, actor=self.eva)

    def reject(self, release: Release, number: int) -> None:
        review.reject(release=release, reason="no", actor=self.ben)

    def reopen(self, release: Release, number: int) -> None:
        review.reopen(release=release, actor=self.eva)

    def withdraw(self, release: Release, number: int) -> None:
        review.withdraw(release=release, actor=self.eva)

    def publish(self, release: Release, number: int) -> None:
        review.approve(release=release, digest=release.manifest_id or "", actor=self.ben)
        publishing.publish(release=release, actor=self.ben)

    def roll_back(self, release: Release, number: int) -> None:
        publishing.roll_back(channel=self.channel, reason="to see", actor=self.ben)

    def clean(self, release: Release, number: int) -> None:
        swept()


STEPS = st.sampled_from([name for name in vars(Doing) if not name.startswith("_") and name != "do"])


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.tuples(STEPS, st.integers(0, 5)), min_size=8, max_size=24))
def test_whatever_was_done_nothing_that_a_roll_back_or_a_release_needs_is_removed(
    steps: list[tuple[str, int]], live: Release, editor: User, manager: User, administrator: User
) -> None:
    """The channel keeps as little as a policy can: what it would let go is not removed all the same."""
    channels.set_options(
        channel=live.channel, actor=administrator, retention_publications=1, retention_days=1
    )
    doing = Doing(live.channel, editor, manager)
    for step in ("draft", "change", "submit"):
        doing.do(step, 0)
    for step, number in steps:
        doing.do(step, number)
    swept()
    swept()
    alive = Release.objects.exclude(state=Release.State.WITHDRAWN)
    shown = Preview.objects.exclude(pointer=Preview.Pointer.GONE)
    needed = {each.manifest for rows in (live.channel.publications.all(), alive, shown) for each in rows}
    for manifest in filter(None, needed | {release.base_manifest for release in alive}):
        refuse_unless_whole(manifest, instead_of=None)
