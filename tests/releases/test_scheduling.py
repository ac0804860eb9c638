"""What is scheduled: made, replaced and called off by people, carried out once, or told why not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError

from apps.accounts import services as accounts
from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.audit.models import AuditEntry
from apps.releases.exceptions import (
    BaseMoved,
    ChannelFrozen,
    NothingToRevert,
    NotScheduled,
    StaleDigest,
    WrongSchedule,
    WrongState,
)
from apps.releases.models import Channel, Publication, Release, Schedule
from apps.releases.selectors import is_part_of, live_publication, waiting_schedules
from apps.releases.selectors.holds import holds_on
from apps.releases.services import channels, publishing, review
from apps.releases.services.freezes import add_window
from apps.releases.services.holding import hold, resume
from apps.releases.services.scheduled_runs import run_due
from apps.releases.services.scheduling import schedule, unschedule
from tests.releases.clock import Clock, stopped_clock
from tests.releases.conftest import MakeRelease, Publish, put

BERLIN = ZoneInfo("Europe/Berlin")
NINE = datetime(2030, 12, 1, 8, tzinfo=UTC)
CHRISTMAS = datetime(2030, 12, 24, 17, tzinfo=UTC)
State = Schedule.State


@pytest.fixture
def clock() -> Iterator[Clock]:
    with stopped_clock() as clock:
        yield clock


@pytest.fixture
def scheduled(approved: Release, manager: User, clock: Clock) -> Release:
    """Release 2, which ben lets go live at nine on 1 December, in Berlin."""
    schedule(release=approved, publish_at=NINE, zone=BERLIN, actor=manager)
    return approved


def only(release: Release, action: str = "publish") -> Schedule:
    return release.schedules.get(action=action)


def outcome(release: Release, action: str = "publish") -> tuple[str, str]:
    found = release.schedules.filter(action=action).latest("pk")
    return found.state, found.outcome


def live_release(channel: Channel) -> Release:
    live = live_publication(channel)
    assert live
    return live.release


def test_a_release_goes_live_at_its_time_and_not_before(
    scheduled: Release, live: Release, clock: Clock
) -> None:
    assert run_due() == []
    clock.set("2030-12-01T07:59:59")
    assert run_due() == []
    assert live_release(scheduled.channel) == live

    clock.set("2030-12-01T08:00:01")
    assert run_due() == [
        f"publish release {scheduled.pk}, 2030-12-01 09:00 Europe/Berlin: done. "
        "Published as production-2030-12-01.1."
    ]
    assert live_release(scheduled.channel) == scheduled
    assert only(scheduled).publication == live_publication(scheduled.channel)
    assert run_due() == []


def test_it_is_published_as_who_scheduled_it_and_the_log_says_when(
    scheduled: Release, manager: User, clock: Clock
) -> None:
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.target) == ("release.schedule", f"release {scheduled.pk}")
    assert entry.summary == (
        f"Scheduled release {scheduled.pk} on production: publish at 2030-12-01 09:00 Europe/Berlin."
    )
    assert entry.details == {
        "digest": scheduled.manifest_id,
        "time_zone": "Europe/Berlin",
        "publish": "2030-12-01T08:00:00+00:00",
    }
    clock.now = NINE
    run_due()
    assert AuditEntry.objects.latest("sequence").actor == manager
    assert Publication.objects.latest("pk").actor == manager


def test_what_was_missed_is_done_at_once_and_marked_late(scheduled: Release, clock: Clock) -> None:
    clock.now = NINE + timedelta(hours=3, minutes=2)
    run_due()
    assert outcome(scheduled) == (
        "late",
        "Published as production-2030-12-01.1, 3 h 2 min late: nothing ran at its time.",
    )


def test_a_release_is_taken_down_at_its_end(
    scheduled: Release, live: Release, manager: User, clock: Clock
) -> None:
    schedule(release=scheduled, end_at=CHRISTMAS, zone=BERLIN, actor=manager)
    clock.now = NINE
    run_due()
    clock.now = CHRISTMAS
    assert len(run_due()) == 1

    done = live_publication(scheduled.channel)
    assert done
    assert (done.release, done.kind, done.actor) == (live, "rollback", manager)
    assert done.reason == "Ended as scheduled for 2030-12-24 18:00 Europe/Berlin."
    assert outcome(scheduled, "end") == (
        "done",
        f"Taken down as production-2030-12-24.1; production serves release {live.pk} again.",
    )
    assert only(scheduled, "end").publication == done


def test_an_end_that_was_planned_holds_nothing_up(scheduled: Release, manager: User, clock: Clock) -> None:
    schedule(release=scheduled, end_at=CHRISTMAS, zone=BERLIN, actor=manager)
    for clock.now in (NINE, CHRISTMAS):
        run_due()
    assert holds_on(scheduled.channel) == []


def test_a_hold_fails_what_is_scheduled_and_lets_nothing_come_back(
    scheduled: Release, live: Release, administrator: User, clock: Clock
) -> None:
    hold(channel=scheduled.channel, reason="Checkout is broken.", actor=administrator)
    clock.now = NINE
    run_due()
    assert outcome(scheduled)[0] == "failed"
    assert "production is on hold by ann: “Checkout is broken”" in outcome(scheduled)[1]
    assert live_release(scheduled.channel) == live
    resume(channel=scheduled.channel, reason="Mended.", actor=administrator)
    assert run_due() == []


def test_where_later_releases_are_live_on_top_an_end_asks_for_its_revert(
    scheduled: Release, publish: Publish, manager: User, clock: Clock
) -> None:
    schedule(release=scheduled, end_at=CHRISTMAS, zone=BERLIN, actor=manager)
    clock.now = NINE
    run_due()
    later = publish(put("later.html", "later"))
    clock.now = CHRISTMAS
    run_due()
    ended = only(scheduled, "end")
    assert (ended.state, live_release(scheduled.channel)) == ("failed", later)
    assert ended.revert
    assert (ended.revert.state, ended.revert.owner) == ("draft", manager)
    assert (
        f"Release {ended.revert_id} was made, which takes back release {scheduled.pk} alone" in ended.outcome
    )
    entry = AuditEntry.objects.get(action="release.schedule_failed")
    assert entry.details["revert"] == ended.revert_id


def test_where_nothing_of_it_is_left_an_end_has_nothing_to_do(
    scheduled: Release, publish: Publish, manager: User, clock: Clock
) -> None:
    schedule(release=scheduled, end_at=CHRISTMAS, zone=BERLIN, actor=manager)
    clock.now = NINE
    run_due()
    publish(put("later.html", "later"))
    clock.now = CHRISTMAS
    with mock.patch("apps.releases.services.scheduled_runs.revert", side_effect=NothingToRevert("Nothing.")):
        run_due()
    assert outcome(scheduled, "end") == ("cancelled", "Later releases have taken back all that it changed.")


def test_an_end_that_was_missed_is_late(scheduled: Release, manager: User, clock: Clock) -> None:
    schedule(release=scheduled, end_at=CHRISTMAS, zone=BERLIN, actor=manager)
    clock.now = NINE
    run_due()
    clock.now = CHRISTMAS + timedelta(minutes=5)
    run_due()
    state, words = outcome(scheduled, "end")
    assert (state, "5 minutes late" in words) == ("late", True)


def test_what_would_have_ended_by_now_does_not_go_live_for_an_instant(
    scheduled: Release, live: Release, manager: User, clock: Clock
) -> None:
    schedule(release=scheduled, end_at=CHRISTMAS, zone=BERLIN, actor=manager)
    clock.now = CHRISTMAS + timedelta(days=1)
    run_due()
    assert outcome(scheduled)[0] == "failed"
    assert "its end has passed too (2030-12-24 18:00 Europe/Berlin)" in outcome(scheduled)[1]
    assert outcome(scheduled, "end")[0] == "cancelled"
    assert live_release(scheduled.channel) == live


def test_several_are_done_in_the_order_of_their_times(
    scheduled: Release, manager: User, make_release: MakeRelease, editor: User, clock: Clock
) -> None:
    staged = Channel.objects.get(name="staging")
    other = make_release(put("a.html", "a"))
    Release.objects.filter(pk=other.pk).update(channel=staged, base=None, base_manifest=None)
    other.refresh_from_db()
    other = review.submit(release=other, actor=editor)
    schedule(release=other, publish_at=NINE - timedelta(hours=1), zone=BERLIN, actor=manager)
    clock.now = NINE + timedelta(days=1)
    assert [line.split(",")[0] for line in run_due()] == [
        f"publish release {other.pk}",
        f"publish release {scheduled.pk}",
    ]


def test_a_clock_that_jumps_back_neither_repeats_nor_reorders(
    scheduled: Release, manager: User, clock: Clock
) -> None:
    schedule(release=scheduled, end_at=CHRISTMAS, zone=BERLIN, actor=manager)
    clock.now = NINE
    run_due()
    clock.now = NINE - timedelta(days=2)
    assert run_due() == []
    back = publishing.roll_back(channel=scheduled.channel, reason="broken", actor=manager)
    assert [row.sequence for row in Publication.objects.order_by("pk")] == [1, 2, 3]
    assert live_publication(scheduled.channel) == back
    assert back.published_at < only(scheduled).publication.published_at  # type: ignore[union-attr]


def test_a_release_that_is_taken_back_to_draft_is_no_longer_scheduled(
    scheduled: Release, editor: User, manager: User, clock: Clock
) -> None:
    schedule(release=scheduled, end_at=CHRISTMAS, zone=BERLIN, actor=manager)
    review.reopen(release=scheduled, actor=editor)
    assert outcome(scheduled) == ("cancelled", "Void: it was taken back to draft.")
    assert outcome(scheduled, "end")[0] == "cancelled"
    assert (
        "is void: it was taken back to draft"
        in AuditEntry.objects.get(action="release.schedule_void").summary
    )
    clock.now = NINE
    assert run_due() == []


def test_a_release_that_is_withdrawn_is_no_longer_scheduled(scheduled: Release, editor: User) -> None:
    review.withdraw(release=scheduled, actor=editor)
    assert outcome(scheduled) == ("cancelled", "Void: it was withdrawn.")


def test_publishing_by_hand_makes_the_schedule_superfluous(
    scheduled: Release, manager: User, clock: Clock
) -> None:
    publishing.publish(release=scheduled, actor=manager)
    assert outcome(scheduled) == ("cancelled", "ben published it before that, as production-2030-11-30.1.")
    clock.now = NINE
    assert run_due() == []


def test_another_time_replaces_the_one_before(scheduled: Release, manager: User) -> None:
    schedule(release=scheduled, publish_at=NINE + timedelta(days=1), zone=BERLIN, actor=manager)
    assert list(scheduled.schedules.order_by("pk").values_list("state", "outcome")) == [
        ("cancelled", "ben chose another time."),
        ("waiting", ""),
    ]


def test_it_can_be_called_off(scheduled: Release, manager: User, editor: User, clock: Clock) -> None:
    schedule(release=scheduled, end_at=CHRISTMAS, zone=BERLIN, actor=manager)
    with pytest.raises(Forbidden):
        unschedule(release=scheduled, actor=editor)
    unschedule(release=scheduled, actor=manager, action="end")
    assert [each.action for each in waiting_schedules(channel=scheduled.channel)] == ["publish"]
    unschedule(release=scheduled, actor=manager)
    assert outcome(scheduled) == ("cancelled", "ben called it off.")
    with pytest.raises(NotScheduled):
        unschedule(release=scheduled, actor=manager)
    clock.now = NINE
    assert run_due() == []


def test_what_cannot_be_scheduled_is_refused(
    approved: Release, live: Release, spring: Release, make_release: MakeRelease, manager: User, editor: User,
    clock: Clock,
) -> None:  # fmt: skip
    past, later = clock.now - timedelta(minutes=1), clock.now + timedelta(days=1)
    draft = make_release(put("x", "x"))
    for refusal, release, times, extra in (
        (WrongSchedule, approved, {}, {}),
        (WrongSchedule, approved, {"publish_at": past}, {}),
        (WrongSchedule, approved, {"publish_at": later, "end_at": later}, {}),
        (WrongState, draft, {"publish_at": later}, {}),
        (WrongState, live, {"publish_at": later}, {}),
        (StaleDigest, approved, {"publish_at": later}, {"digest": "0" * 64}),
        (Forbidden, approved, {"publish_at": later}, {"actor": editor}),
        (Forbidden, approved, {"end_at": later}, {"actor": editor}),
    ):
        with pytest.raises(refusal):
            schedule(release=release, zone=BERLIN, **{"actor": manager} | times | extra)
    assert not Schedule.objects.exists()


def test_a_release_whose_base_has_moved_is_not_scheduled(
    approved: Release, publish: Publish, manager: User, clock: Clock
) -> None:
    publish(put("other.html", "other"))
    with pytest.raises(BaseMoved):
        schedule(release=approved, publish_at=NINE, zone=BERLIN, actor=manager)


def test_no_time_in_a_freeze_is_scheduled_and_a_freeze_that_comes_later_fails_it(
    scheduled: Release, live: Release, manager: User, administrator: User, clock: Clock
) -> None:
    add_window(
        channel=scheduled.channel, starts="2030-11-30 16:00", ends="2030-12-02 08:00", actor=administrator
    )
    with pytest.raises(ChannelFrozen, match="At 2030-12-01 09:00 Europe/Berlin production is frozen"):
        schedule(release=scheduled, publish_at=NINE, zone=BERLIN, actor=manager)
    clock.now = NINE
    run_due()
    assert outcome(scheduled)[0] == "failed"
    assert "production is frozen" in outcome(scheduled)[1]
    assert live_release(scheduled.channel) == live


def test_a_refusal_at_its_time_stays_as_failed_with_the_reason_and_is_not_tried_again(
    scheduled: Release, publish: Publish, clock: Clock
) -> None:
    other = publish(put("other.html", "other"))
    clock.now = NINE
    run_due()
    state, words = outcome(scheduled)
    assert state == "failed"
    assert f"production serves release {other.pk} by now" in words
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.actor) == ("release.schedule_failed", None)
    assert entry.summary.startswith(
        f"Release {scheduled.pk} was not published as scheduled for 2030-12-01 09:00 Europe/Berlin by ben: "
    )
    assert run_due() == []


def test_approvals_that_no_longer_suffice_fail_it(
    scheduled: Release, administrator: User, clock: Clock
) -> None:
    channels.set_required_approvals(channel=scheduled.channel, count=2, actor=administrator)
    clock.now = NINE
    run_due()
    assert outcome(scheduled)[0] == "failed"
    assert "asks for 2 approvals by now" in outcome(scheduled)[1]


def test_it_fails_when_who_scheduled_it_may_no_longer_do_it(
    scheduled: Release, manager: User, administrator: User, clock: Clock
) -> None:
    accounts.change_role(user=manager, role=Role.EDITOR, actor=administrator)
    clock.now = NINE
    run_due()
    assert outcome(scheduled)[0] == "failed"
    assert outcome(scheduled)[1].startswith(f"ben may not publish release {scheduled.pk}.")


def test_it_fails_when_who_scheduled_it_was_deactivated(
    scheduled: Release, manager: User, administrator: User, clock: Clock
) -> None:
    accounts.deactivate(user=manager, actor=administrator)
    clock.now = NINE
    run_due()
    assert outcome(scheduled) == (
        "failed",
        "ben, who scheduled it, has been deactivated. "
        "Schedule it again, or do it now: a release manager or an administrator may.",
    )


def test_what_storage_does_not_do_is_tried_again_for_ten_minutes(scheduled: Release, clock: Clock) -> None:
    clock.now = NINE
    with mock.patch("apps.releases.services.publishing.manifest_file", side_effect=OSError("no route")):
        run_due()
        assert outcome(scheduled) == ("waiting", "Not done yet (OSError: no route); it is tried again.")
        clock.forward(minutes=9)
        run_due()
        assert outcome(scheduled)[0] == "waiting"
        clock.forward(minutes=2)
        run_due()
    assert outcome(scheduled)[0] == "failed"
    assert "OSError: no route" in outcome(scheduled)[1]
    assert scheduled.publications.count() == 0


def test_an_end_waits_for_a_beginning_that_storage_holds_up(
    scheduled: Release, manager: User, clock: Clock
) -> None:
    schedule(release=scheduled, end_at=NINE + timedelta(minutes=1), zone=BERLIN, actor=manager)
    clock.now = NINE
    with mock.patch("apps.releases.services.publishing.manifest_file", side_effect=OSError("no route")):
        run_due()
        clock.forward(minutes=1)
        with mock.patch("apps.releases.services.scheduled_runs._refuse_missed_end"):
            run_due()
    assert outcome(scheduled, "end") == ("waiting", "")


def test_a_database_that_is_away_settles_nothing(scheduled: Release, clock: Clock) -> None:
    clock.now = NINE
    gone = mock.patch("apps.releases.services.scheduled_runs.publish", side_effect=OperationalError("gone"))
    with gone, pytest.raises(OperationalError):
        run_due()
    assert outcome(scheduled) == ("waiting", "")


def test_an_end_of_what_is_no_longer_served_has_nothing_to_do(
    scheduled: Release, live: Release, manager: User, clock: Clock
) -> None:
    schedule(release=scheduled, end_at=CHRISTMAS, zone=BERLIN, actor=manager)
    clock.now = NINE
    run_due()
    publishing.roll_back(channel=scheduled.channel, reason="broken", actor=manager)
    clock.now = CHRISTMAS
    run_due()
    assert outcome(scheduled, "end") == ("cancelled", "production did not serve it any more, or never did.")
    assert live_release(scheduled.channel) == live


def test_what_lies_below_later_releases_is_known(
    live: Release, approved: Release, publish: Publish, manager: User
) -> None:
    publishing.publish(release=approved, actor=manager)
    later = publish(put("later.html", "later"))
    now = live_publication(later.channel)
    assert now
    assert [is_part_of(release, now) for release in (live, approved, later)] == [True, True, True]

    back = publishing.roll_back(channel=later.channel, to=1, reason="all of it", actor=manager)
    assert [is_part_of(release, back) for release in (live, approved, later)] == [True, False, False]
    resume(channel=later.channel, reason="mended", actor=manager)
    other = publish(put("other.html", "other"))
    on_top = live_publication(other.channel)
    assert on_top
    assert [is_part_of(release, on_top) for release in (live, approved, later)] == [True, False, False]

    undone = publishing.roll_back(channel=later.channel, to=3, reason="not all of it", actor=manager)
    assert [is_part_of(release, undone) for release in (live, approved, later)] == [True, True, True]
