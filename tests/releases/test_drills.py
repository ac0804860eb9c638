"""Rehearsing a roll back: really published, really rolled back, on another channel, and never left half."""

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.assets import store
from apps.audit.models import AuditEntry
from apps.releases import tasks
from apps.releases.exceptions import (
    AlreadyLive,
    ApprovalsMissing,
    BlobsMissing,
    ChannelHeld,
    DrillRuns,
    NothingToReturnTo,
    NowhereToFetch,
    WrongChannel,
    WrongState,
)
from apps.releases.models import Channel, Drill, Publication, Receipt, Release
from apps.releases.release_report import report_of
from apps.releases.rolling_back.drill_reports import judged
from apps.releases.selectors import channel_named, live_publication, manifest_reader_of, release_numbered
from apps.releases.selectors.drills import drills_of, last_drill_of
from apps.releases.selectors.holds import hold_of
from apps.releases.services import channels, drafts, drills, holding, publishing, review
from apps.releases.services.drills import start_drill
from tests.public_door import Door, public_door
from tests.releases.conftest import put
from tests.releases.test_receipts import seen, switched
from tests.staff import staff_client


@pytest.fixture
def staging(production: Channel, editor: User, manager: User, settings: Settings) -> Channel:
    """The other channel, which serves a page of its own."""
    settings.PINNED_HOSTS = {"localhost": "production", "staging.localhost": "staging"}
    channel = channel_named("staging")
    release = drafts.create_release(
        title="Before",
        channel=channel,
        changes=[put("index.html", "<h1>Staging</h1>")],
        actor=editor,
        expected_result="A page.",
        rollback_note="None.",
    )
    review.submit(release=release, actor=editor)
    publishing.publish(release=release, actor=manager)
    return channel


@pytest.fixture
def door(settings: Settings, staging: Channel) -> Iterator[Door]:
    settings.PUBLIC_BIND = ""
    with public_door(settings.PINNED_HOSTS) as door:
        yield door


def live_on(channel: Channel) -> Publication:
    live = live_publication(channel)
    assert live
    return live


def go_on(channel: Channel, door: Door) -> Drill:
    """Let the nodes follow and the background worker do what is to be done; return the newest drill."""
    publication = switched(channel)
    door.follow()
    seen(publication)
    tasks.continue_drills()
    drill = Drill.objects.first()
    assert drill
    return drill


def test_a_drill_publishes_verifies_rolls_back_and_verifies_that_all_is_as_before(
    door: Door, staging: Channel, approved: Release, manager: User
) -> None:
    before = live_on(staging)
    drill = start_drill(release=approved, channel=staging, actor=manager)
    assert live_on(staging) == drill.published
    assert drill.published.manifest_id == approved.manifest_id, "exactly what would go live"
    assert tasks.continue_drills() == [], "it waits for the receipt"

    drill = go_on(staging, door)
    assert drill.rolled_back == live_on(staging)
    assert drill.outcome == ""
    drill = go_on(staging, door)

    assert drill.outcome == Drill.Outcome.PASSED
    now = live_on(staging)
    assert (now.manifest, now.release, now.returns_to) == (before.manifest, before.release, before)
    assert now.reason == f"Rehearsed the roll back of release {approved.pk}."
    assert hold_of(staging) is None, "a rehearsal puts nothing on hold"
    assert door.node.live["staging"].digest == before.manifest_id
    approved.refresh_from_db()
    assert approved.state == Release.State.APPROVED, "the release itself was not touched"
    assert last_drill_of(approved) == drill
    entries = AuditEntry.objects.filter(action__startswith="release.drill").order_by("pk")
    assert [entry.action for entry in entries] == ["release.drill", "release.drill_end"]


def test_what_was_rehearsed_can_still_be_published(
    door: Door, staging: Channel, approved: Release, manager: User
) -> None:
    start_drill(release=approved, channel=staging, actor=manager)
    go_on(staging, door)
    drill = go_on(staging, door)
    checks = {check.name: check for check in report_of(release_numbered(approved.pk)).checks}
    assert checks["Rehearsal of the roll back"].is_good
    assert publishing.publish(release=approved, actor=manager).manifest_id == drill.manifest_id


def test_a_drill_is_void_when_the_release_has_another_content(
    door: Door, staging: Channel, approved: Release, manager: User, editor: User
) -> None:
    start_drill(release=approved, channel=staging, actor=manager)
    go_on(staging, door)
    assert go_on(staging, door).holds
    review.reopen(release=approved, actor=editor)
    approved.refresh_from_db()
    drafts.apply_changes(release=approved, changes=[put("more.txt", "more")], actor=editor)
    review.submit(release=approved, actor=editor)
    assert [drill.holds for drill in drills_of(approved)] == [False]
    assert judged(drills_of(approved)[0])[0] is None


def test_what_is_answered_otherwise_fails_the_drill_and_staging_comes_back_all_the_same(
    door: Door, staging: Channel, approved: Release, manager: User
) -> None:
    before = live_on(staging)
    start_drill(release=approved, channel=staging, actor=manager)
    door.change = lambda url, status, body: (500, b"") if url == "/css/site.css" else (status, body)
    go_on(staging, door)
    drill = go_on(staging, door)
    assert drill.outcome == Drill.Outcome.FAILED
    assert "was not verified: /css/site.css answered 500" in drill.words
    assert live_on(staging).manifest == before.manifest


def test_whoever_publishes_meanwhile_keeps_what_they_made_live(
    door: Door, staging: Channel, approved: Release, manager: User
) -> None:
    start_drill(release=approved, channel=staging, actor=manager)
    by_hand = publishing.roll_back(channel=staging, reason="What is this?", actor=manager)
    seen_first = Publication.objects.get(channel=staging, sequence=2)
    Receipt.objects.filter(publication=seen_first).update(
        verdict="unknown", words="replaced", finished_at=timezone.now()
    )
    tasks.continue_drills()
    drill = Drill.objects.get()
    assert drill.words == f"{by_hand} took its place on staging, which was left with that"
    assert live_on(staging) == by_hand


def test_a_drill_that_nobody_sees_is_taken_back_in_time(
    staging: Channel, approved: Release, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live_on(staging)
    start_drill(release=approved, channel=staging, actor=manager)
    assert tasks.continue_drills() == []
    monkeypatch.setattr(drills, "AT_MOST", -drills.AT_MOST)
    tasks.continue_drills()
    tasks.continue_drills()
    drill = Drill.objects.get()
    assert "nothing was seen within" in drill.words
    assert live_on(staging).manifest == before.manifest


def test_who_may_no_more_roll_back_is_told_what_to_do_by_hand(
    door: Door, staging: Channel, approved: Release, manager: User
) -> None:
    before = live_on(staging)
    start_drill(release=approved, channel=staging, actor=manager)
    User.objects.filter(pk=manager.pk).update(is_active=False)
    drill = go_on(staging, door)
    assert drill.outcome == Drill.Outcome.FAILED
    assert drill.words.endswith(f"Then roll staging back to {before} by hand")


def test_one_that_cannot_go_on_does_not_hold_up_the_others(
    door: Door, staging: Channel, approved: Release, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_drill(release=approved, channel=staging, actor=manager)
    with monkeypatch.context() as broken:
        broken.setattr(drills, "_is_seen", lambda publication: 1 / 0)
        assert tasks.continue_drills() == []
    assert go_on(staging, door).rolled_back is not None


class TestRefusals:
    """Nothing is begun that could not be brought back."""

    def test_who_may_not_publish_may_not_rehearse(
        self, staging: Channel, approved: Release, editor: User
    ) -> None:
        with pytest.raises(Forbidden):
            start_drill(release=approved, channel=staging, actor=editor)

    def test_a_draft_is_not_rehearsed(self, staging: Channel, spring: Release, manager: User) -> None:
        with pytest.raises(WrongState, match="draft and cannot be rehearsed"):
            start_drill(release=spring, channel=staging, actor=manager)

    def test_not_on_its_own_channel(self, approved: Release, manager: User) -> None:
        with pytest.raises(WrongChannel, match="would be its publication"):
            start_drill(release=approved, channel=approved.channel, actor=manager)

    def test_not_where_nothing_could_be_returned_to(self, approved: Release, manager: User) -> None:
        with pytest.raises(NothingToReturnTo):
            start_drill(release=approved, channel=channel_named("staging"), actor=manager)

    def test_not_where_nothing_could_be_fetched(
        self, staging: Channel, approved: Release, manager: User, settings: Settings
    ) -> None:
        settings.PINNED_HOSTS = {}
        with pytest.raises(NowhereToFetch, match=r"channel host staging staging\.localhost"):
            start_drill(release=approved, channel=staging, actor=manager)
        assert not Drill.objects.exists()

    def test_one_at_a_time(self, staging: Channel, approved: Release, manager: User) -> None:
        drill = start_drill(release=approved, channel=staging, actor=manager)
        with pytest.raises(DrillRuns):
            start_drill(release=approved, channel=staging, actor=manager)
        with pytest.raises(IntegrityError, match=r"one_drill_at_a_time|UNIQUE"), transaction.atomic():
            Drill.objects.create(
                release=approved, manifest=drill.manifest, channel=staging, actor=manager,
                earlier=drill.earlier, published=drill.earlier, started_at=timezone.now(),
            )  # fmt: skip

    def test_not_where_it_would_change_nothing(
        self, door: Door, staging: Channel, approved: Release, manager: User
    ) -> None:
        start_drill(release=approved, channel=staging, actor=manager)
        Drill.objects.update(outcome="failed", words="left there", finished_at=timezone.now())
        with pytest.raises(AlreadyLive):
            start_drill(release=approved, channel=staging, actor=manager)

    def test_not_where_approvals_are_asked_for(
        self, staging: Channel, approved: Release, manager: User, administrator: User
    ) -> None:
        channels.set_required_approvals(channel=staging, count=1, actor=administrator)
        with pytest.raises(ApprovalsMissing):
            start_drill(release=approved, channel=channel_named("staging"), actor=manager)

    def test_not_on_a_channel_on_hold(self, staging: Channel, approved: Release, manager: User) -> None:
        holding.hold(channel=staging, reason="Demo at three.", actor=manager)
        with pytest.raises(ChannelHeld):
            start_drill(release=approved, channel=staging, actor=manager)
        assert not Drill.objects.exists()
        assert not Release.objects.filter(title__startswith="Rehearsal").exists(), "all or nothing"

    def test_not_where_the_way_back_is_broken(
        self, staging: Channel, approved: Release, manager: User
    ) -> None:
        entry = manifest_reader_of(live_on(staging).release).lookup("index.html")
        assert entry
        lost = store.local_path(store.blob_name(entry.blob))
        assert lost
        lost.unlink()
        with pytest.raises(BlobsMissing):
            start_drill(release=approved, channel=staging, actor=manager)


def test_how_it_ended_is_never_changed(
    door: Door, staging: Channel, approved: Release, manager: User
) -> None:
    start_drill(release=approved, channel=staging, actor=manager)
    with pytest.raises(IntegrityError, match="drill_failed"), transaction.atomic():
        Drill.objects.update(
            outcome="passed", rolled_back=Publication.objects.get(channel=staging, sequence=2),
            finished_at=timezone.now(),
        )  # fmt: skip
    go_on(staging, door)
    go_on(staging, door)
    with pytest.raises(IntegrityError, match="drill_finished"), transaction.atomic():
        Drill.objects.update(words="")
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        Drill.objects.all().delete()


def called(*words: str) -> Any:
    output = StringIO()
    call_command("release", *words, "--json", stdout=output)
    return json.loads(output.getvalue())


def test_the_command_begins_one_and_shows_how_it_went(
    door: Door, staging: Channel, approved: Release, manager: User
) -> None:
    begun = called("drill", str(approved.pk), "--as", "ben")
    assert (begun["outcome"], begun["channel"], begun["holds"]) == (None, "staging", True)
    go_on(staging, door)
    go_on(staging, door)
    shown = called("show", str(approved.pk))["drill"]
    assert shown["outcome"] == "passed"
    assert shown["digest"] == f"sha256:{approved.manifest_id}"
    assert shown["rolled_back"] == live_on(staging).tag
    output = StringIO()
    call_command("release", "drill", str(approved.pk), "--show", stdout=output)
    assert "✓ The roll back was rehearsed on staging" in output.getvalue()


def test_the_releases_page_begins_one_and_shows_how_it_went(
    door: Door, staging: Channel, approved: Release, manager: User, viewer: User
) -> None:
    url = f"/admin/releases/release/{approved.pk}/"
    client = staff_client(manager)
    assert "Rehearse the roll back on staging" in client.get(f"{url}change/").content.decode()
    answer = client.post(f"{url}change/", {"step": "drill", "digest": "another"}, follow=True)
    assert "is no longer what" in answer.content.decode()
    answer = client.post(f"{url}change/", {"step": "drill", "digest": approved.manifest_id}, follow=True)
    assert "is being rehearsed on staging" in answer.content.decode()
    go_on(staging, door)
    go_on(staging, door)
    text = " ".join(client.get(f"{url}change/").content.decode().split())
    assert "Rehearsed on staging" in text
    assert f"/admin/releases/channel/{staging.pk}/receipt/2/" in text
    assert f"/admin/releases/channel/{staging.pk}/receipt/3/" in text
    forged = {"step": "drill", "digest": approved.manifest_id}
    assert staff_client(viewer).post(f"{url}change/", forged).status_code == 403
    assert Drill.objects.count() == 1
    seen_by_viewer = staff_client(viewer).get(f"{url}change/").content.decode()
    assert "Rehearse the roll back on staging</button>" not in seen_by_viewer
