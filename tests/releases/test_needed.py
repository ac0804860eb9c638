"""What a policy would delete is never something that a roll back needs: all else is deleted here."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.assets import store
from apps.releases.exceptions import BlobsMissing, ManifestMissing
from apps.releases.models import Channel, Publication, Release, RetainedNames
from apps.releases.rolling_back.wholeness import refuse_unless_whole
from apps.releases.selectors import channel_named, live_publication, manifest_reader_of
from apps.releases.selectors.needed import kept_publications, needed_for_rollback
from apps.releases.services import channels, drafts, publishing, review
from apps.releases.services.drills import start_drill
from apps.releases.services.pointers import write_pointer
from apps.releases.services.retention import gather_names
from tests.releases.conftest import MakeRelease, Publish, put

LATER = timezone.now() + timedelta(days=400)  # nothing was live within the last days then


@pytest.fixture
def short(production: Channel, administrator: User) -> Channel:
    """production, which keeps its last two publications and what was live within a day."""
    return channels.set_options(
        channel=production, actor=administrator, retention_publications=2, retention_days=1
    )


def clear_storage(folder: Path) -> int:
    """Do what a policy at its sharpest would: delete all that is not needed; return how much that was."""
    needed = needed_for_rollback(now=LATER)
    kept = {folder / name for name in needed.names} | {
        folder / store.blob_name(digest) for digest in needed.blobs()
    }
    files = [file for part in ("blobs", "manifests") for file in (folder / part).rglob("*") if file.is_file()]
    gone = [file for file in files if file not in kept]
    for file in gone:
        file.unlink()
    return len(gone)


def numbers(channel: Channel) -> list[int]:
    return [publication.sequence for publication in kept_publications(channel, now=LATER)]


def test_each_publication_that_is_kept_can_be_returned_to_when_all_else_is_deleted(
    short: Channel, publish: Publish, manager: User, storage_folder: Path
) -> None:
    for number in range(6):
        publish(put("index.html", f"<h1>{number}</h1>"), put(f"{number}.txt", str(number)))
    assert numbers(short) == [6, 5]
    assert clear_storage(storage_folder) > 0
    for sequence in (5, 6, 5):
        publishing.roll_back(channel=short, to=sequence, reason="for the test", actor=manager)
    with pytest.raises((ManifestMissing, BlobsMissing)):
        publishing.roll_back(channel=short, to=1, reason="for the test", actor=manager)


def test_what_one_click_goes_back_to_is_kept_however_old_it_is(
    short: Channel, publish: Publish, manager: User, storage_folder: Path
) -> None:
    for number in range(5):
        publish(put("index.html", f"<h1>{number}</h1>"))
    publishing.roll_back(channel=short, to=2, reason="for the test", actor=manager)
    publishing.roll_back(channel=short, to=5, reason="for the test", actor=manager)
    publishing.roll_back(channel=short, to=2, reason="for the test", actor=manager)
    assert 1 in numbers(short), "what was served before the content of the live one ever was"
    assert 7 in numbers(short), "what the last roll back took away"
    clear_storage(storage_folder)
    publishing.roll_back(channel=short, reason="one click", actor=manager)
    live = live_publication(short)
    assert live
    assert live.returns_to
    assert live.returns_to.sequence == 1


def test_what_was_live_within_the_days_is_kept_whatever_came_since(short: Channel, publish: Publish) -> None:
    for number in range(5):
        publish(put("index.html", f"<h1>{number}</h1>"))
    assert [publication.sequence for publication in kept_publications(short)] == [5, 4, 3, 2, 1]
    assert kept_publications(channel_named("staging")) == []


def test_what_waits_to_go_live_is_needed(
    short: Channel, publish: Publish, approved: Release, make_release: MakeRelease, storage_folder: Path
) -> None:
    draft = make_release(put("later.txt", "later"), title="A draft on an old base")
    clear_storage(storage_folder)
    for release in (approved, draft):
        assert release.base_manifest
        refuse_unless_whole(release.base_manifest, instead_of=None)
    assert approved.manifest
    refuse_unless_whole(approved.manifest, instead_of=None)


def test_what_a_rehearsal_goes_back_to_is_needed(
    approved: Release,
    editor: User,
    manager: User,
    administrator: User,
    storage_folder: Path,
    settings: Settings,
) -> None:
    settings.PINNED_HOSTS = {"staging.localhost": "staging"}
    staging = channels.set_options(
        channel=channel_named("staging"), actor=administrator, retention_publications=1, retention_days=1
    )
    release = drafts.create_release(
        title="Before", channel=staging, changes=[put("index.html", "<h1>Staging</h1>")], actor=editor,
        expected_result="A page.", rollback_note="None.",
    )  # fmt: skip
    review.submit(release=release, actor=editor)
    publishing.publish(release=release, actor=manager)
    drill = start_drill(release=approved, channel=staging, actor=manager)
    clear_storage(storage_folder)
    refuse_unless_whole(drill.earlier.manifest, instead_of=None)
    refuse_unless_whole(drill.manifest, instead_of=None)


def test_kept_names_and_what_pages_were_made_from_stay(
    named: Channel, short: Channel, publish: Publish, storage_folder: Path
) -> None:
    page = '<link rel="stylesheet" href="/css/site.css">'
    release = publish(put("index.html", page), put("css/site.css", "a {}"))
    publish(put("css/site.css", "b {}"))
    live = live_publication(named)
    assert live
    gather_names(live)
    names = RetainedNames.objects.get(channel=named)
    original = manifest_reader_of(release).original_of("index.html")
    assert original
    clear_storage(storage_folder)
    assert (storage_folder / names.file_name).is_file()
    assert (storage_folder / store.blob_name(original[0])).is_file()


def test_letting_names_go_deletes_nothing_in_storage(
    named: Channel, short: Channel, publish: Publish, storage_folder: Path
) -> None:
    page = '<link rel="stylesheet" href="/css/site.css">'
    for number in range(5):
        publish(put("index.html", page), put("css/site.css", f"a {{ order: {number} }}"))
        write_pointer(named)
    before = {file for file in storage_folder.rglob("*") if file.is_file()}
    live = live_publication(named)
    assert live
    gather_names(live, now=LATER)
    assert before <= {file for file in storage_folder.rglob("*") if file.is_file()}
    for publication in Publication.objects.filter(channel=named):
        refuse_unless_whole(publication.manifest, instead_of=None)


def test_where_a_file_is_missing_nothing_is_said(short: Channel, live: Release) -> None:
    assert live.manifest
    file = store.local_path(live.manifest.file_name)
    assert file
    file.unlink()
    with pytest.raises(ManifestMissing):
        list(needed_for_rollback().blobs())
