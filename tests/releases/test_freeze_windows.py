"""Freeze windows of channels: when nothing is published, until when, and who publishes all the same."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.releases.exceptions import ChannelFrozen, ChannelHeld, WrongWindow
from apps.releases.models import Channel, FreezeOverride, FreezeWindow, Release
from apps.releases.selectors import channel_named
from apps.releases.selectors.emergencies import marks_of
from apps.releases.services import channels, freezes, holding, publishing
from apps.releases.services.scheduled_runs import run_due
from apps.releases.services.scheduling import schedule
from tests.releases.clock import Clock, stopped_clock
from tests.releases.test_commands import refused, run

Capture = pytest.CaptureFixture[str]
FRIDAY = datetime(2030, 11, 29, 15, tzinfo=UTC)  # 16:00 in Stockholm
MONDAY = datetime(2030, 12, 2, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with stopped_clock() as clock:
        yield clock


@pytest.fixture
def frozen(approved: Release, administrator: User, clock: Clock) -> Release:
    """Release 2, approved, on a channel that is frozen every weekend; it is the first second of one."""
    channel = channels.set_options(
        channel=approved.channel, actor=administrator, time_zone="Europe/Stockholm"
    )
    freezes.add_window(channel=channel, starts="Friday 16:00", ends="Monday 8:00", actor=administrator)
    clock.now = FRIDAY
    return approved


def test_nothing_is_published_in_a_window_and_the_refusal_says_until_when_and_who_may(
    frozen: Release, manager: User
) -> None:
    with pytest.raises(ChannelFrozen) as refusal:
        publishing.publish(release=frozen, actor=manager)
    assert str(refusal.value).startswith(
        "production is frozen (Friday 16:00 to Monday 08:00, Europe/Stockholm) until Monday 2030-12-02 08:00."
    )
    assert "A release manager or an administrator may publish it now" in str(refusal.value)


@pytest.mark.parametrize("at", [FRIDAY - SECOND, MONDAY])
def test_a_window_ends_with_its_last_second_and_begins_with_its_first(
    frozen: Release, manager: User, clock: Clock, at: datetime
) -> None:
    clock.now = MONDAY - SECOND
    with pytest.raises(ChannelFrozen):
        publishing.publish(release=frozen, actor=manager)
    clock.now = at
    assert publishing.publish(release=frozen, actor=manager).sequence == 2
    assert not FreezeOverride.objects.exists()


def test_who_says_why_publishes_all_the_same_and_that_is_kept_beside_it(
    frozen: Release, manager: User
) -> None:
    done = publishing.publish(release=frozen, actor=manager, override_freeze=" Prices are wrong. ")
    mark = FreezeOverride.objects.get()
    assert (mark.publication, mark.reason, mark.frozen_until) == (done, "Prices are wrong.", MONDAY)
    assert mark.windows == "Friday 16:00 to Monday 08:00, Europe/Stockholm"
    assert done.reason == "Prices are wrong."
    assert marks_of([done])[done.pk].words == f"although frozen ({mark.windows})"
    entry = AuditEntry.objects.get(action="channel.override_freeze")
    assert "although production is frozen" in entry.summary
    for change in (lambda: FreezeOverride.objects.update(reason="x"), mark.delete):
        with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
            change()


def test_a_reason_where_nothing_is_frozen_leaves_no_mark(approved: Release, manager: User) -> None:
    done = publishing.publish(release=approved, actor=manager, override_freeze="to be sure")
    assert done.reason == ""
    assert marks_of([done]) == {}


def test_on_a_protected_channel_only_an_administrator_overrides(
    frozen: Release, manager: User, administrator: User
) -> None:
    channels.set_options(channel=frozen.channel, actor=administrator, is_protected=True)
    with pytest.raises(Forbidden, match="while it is frozen"):
        publishing.publish(release=frozen, actor=manager, override_freeze="must")
    assert publishing.publish(release=frozen, actor=administrator, override_freeze="must").sequence == 2


def test_a_roll_back_is_never_frozen(frozen: Release, manager: User) -> None:
    publishing.publish(release=frozen, actor=manager, override_freeze="must")
    assert publishing.roll_back(channel=frozen.channel, reason="broken", actor=manager).sequence == 3


def test_a_hold_is_not_overridden_with_a_freeze(frozen: Release, manager: User) -> None:
    holding.hold(channel=frozen.channel, reason="wait", actor=manager)
    with pytest.raises(ChannelHeld):
        publishing.publish(release=frozen, actor=manager, override_freeze="must")


def test_what_is_scheduled_into_a_window_is_not_published_and_says_why(
    frozen: Release, manager: User, clock: Clock
) -> None:
    """It was scheduled before somebody made the window."""
    clock.now = FRIDAY - timedelta(hours=1)
    zone = freezes.zone_of(channel_named("production"))
    with pytest.raises(ChannelFrozen):
        schedule(release=frozen, publish_at=FRIDAY + SECOND, zone=zone, actor=manager)
    window = FreezeWindow.objects.get()
    FreezeWindow.objects.all().delete()
    schedule(release=frozen, publish_at=FRIDAY + SECOND, zone=zone, actor=manager)
    window.save(force_insert=True)
    clock.now = FRIDAY + timedelta(minutes=1)
    run_due()
    done = frozen.schedules.get()
    assert (done.state, "production is frozen" in done.outcome) == ("failed", True)


def test_a_clock_that_is_set_back_into_a_window_freezes_again(
    frozen: Release, manager: User, clock: Clock
) -> None:
    clock.now = MONDAY
    assert freezes.freeze_of(channel_named("production")) is None
    clock.now = MONDAY - timedelta(hours=2)
    with pytest.raises(ChannelFrozen):
        publishing.publish(release=frozen, actor=manager)


@pytest.mark.parametrize("who", ["editor", "manager"])
def test_only_administrators_add_and_remove_windows(
    frozen: Release, who: str, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)
    with pytest.raises(Forbidden):
        freezes.add_window(channel=frozen.channel, starts="Mon 1:00", ends="Mon 2:00", actor=user)
    with pytest.raises(Forbidden):
        freezes.remove_window(window=FreezeWindow.objects.get(), actor=user)


def test_a_window_is_added_once_and_leaves_with_a_line_in_the_log(
    frozen: Release, manager: User, administrator: User
) -> None:
    with pytest.raises(WrongWindow, match="already"):
        freezes.add_window(channel=frozen.channel, starts="fri 16:00", ends="mon 08:00", actor=administrator)
    with pytest.raises(WrongWindow, match="Type it like Friday 16:00"):
        freezes.add_window(channel=frozen.channel, starts="soon", ends="mon 08:00", actor=administrator)
    freezes.remove_window(window=FreezeWindow.objects.get(), actor=administrator)
    assert publishing.publish(release=frozen, actor=manager).sequence == 2
    summary = AuditEntry.objects.get(action="channel.remove_freeze_window").summary
    assert summary == (
        "production has no freeze window any more from Friday 16:00 to Monday 08:00 (Europe/Stockholm)."
    )


def test_the_database_takes_no_window_of_two_kinds(production: Channel, administrator: User) -> None:
    times = {"from_time": "10:00", "to_time": "11:00", "added_by": administrator, "channel": production}
    for days in ({}, {"from_weekday": 7, "to_weekday": 1}, {"from_weekday": 1, "to_date": "2030-01-01"}):
        with pytest.raises(IntegrityError, match="weekly_or_once"), transaction.atomic():
            FreezeWindow.objects.create(**times, **days)


def test_windows_and_their_override_by_command(
    frozen: Release, administrator: User, manager: User, capsys: Capture
) -> None:
    typed = ("--from", "2030-11-29 12:00", "--to", "2030-12-03 9:00")
    once = run(capsys, "channel", "freeze", "production", *typed, "--as", "ann")
    assert (once["words"], once["weekly"]) == ("2030-11-29 12:00 to 2030-12-03 09:00", False)
    error = refused(capsys, "release", "publish", frozen.pk, "--as", "ben")
    assert (error["code"], "until Tuesday 2030-12-03 09:00" in error["message"]) == ("channel_frozen", True)
    call_command("channel", "show", "production")
    assert f"freeze window {once['window']}: 2030-11-29" in capsys.readouterr().out
    assert run(capsys, "channel", "thaw", "production", once["window"], "--as", "ann") == once
    assert refused(capsys, "channel", "thaw", "production", 99, "--as", "ann")["code"] == "unknown_window"
    run(capsys, "release", "publish", frozen.pk, "--override-freeze", "Prices", "--as", "ben")
    shown = run(capsys, "channel", "show", "production")
    assert [row["words"] for row in shown["freeze_windows"]] == ["Friday 16:00 to Monday 08:00"]
    newest, first = shown["history"]
    assert newest["freeze_override"]["reason"] == "Prices"
    assert first["freeze_override"] is None
    call_command("channel", "show", "production")
    assert "although frozen" in capsys.readouterr().out
