"""Releases are scheduled by command, in the zone that is named or in one's own."""

from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.accounts.services import set_time_zone
from apps.releases.models import Release, Schedule
from tests.releases.clock import Clock, stopped_clock
from tests.releases.test_commands import refused, run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def clock() -> Iterator[Clock]:
    with stopped_clock() as clock:
        yield clock


def test_a_release_is_scheduled_and_called_off(
    approved: Release, manager: User, clock: Clock, capsys: Capture
) -> None:
    times = ("--at", "2030-12-01 09:00", "--end", "2030-12-24 18:00", "--time-zone", "Europe/Berlin")
    made = run(capsys, "release", "schedule", approved.pk, *times, "--as", "ben")
    assert [(each["action"], each["at"], each["state"]) for each in made] == [
        ("publish", "2030-12-01T08:00:00+00:00", "waiting"),
        ("end", "2030-12-24T17:00:00+00:00", "waiting"),
    ]
    shown = run(capsys, "release", "show", approved.pk)
    assert [each["digest"] for each in shown["schedules"]] == [shown["digest"]] * 2
    assert shown["state"] == "approved"

    run(capsys, "release", "unschedule", approved.pk, "--only", "end", "--as", "ben")
    left = run(capsys, "release", "unschedule", approved.pk, "--as", "ben")
    assert [(each["state"], each["outcome"]) for each in left] == [("cancelled", "ben called it off.")] * 2
    assert refused(capsys, "release", "unschedule", approved.pk, "--as", "ben")["code"] == "not_scheduled"


def test_times_are_in_ones_own_zone_where_none_is_named(
    approved: Release, manager: User, clock: Clock, capsys: Capture
) -> None:
    set_time_zone(user=manager, name="America/New_York", actor=manager)
    run(capsys, "release", "schedule", approved.pk, "--at", "2030-12-01 09:00", "--as", "ben")
    schedule = Schedule.objects.get()
    assert (schedule.at.isoformat(), schedule.time_zone) == ("2030-12-01T14:00:00+00:00", "America/New_York")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--at", "soon"), "wrong_time"),
        (("--at", "2030-03-31 02:30", "--time-zone", "Europe/Berlin"), "wrong_time"),
        (("--at", "2030-12-01 09:00", "--time-zone", "Mars/Base"), "unknown_time_zone"),
        (("--at", "2020-12-01 09:00"), "wrong_schedule"),
    ],
)
def test_what_makes_no_sense_is_refused(
    approved: Release, manager: User, capsys: Capture, words: tuple[str, ...], code: str
) -> None:
    assert refused(capsys, "release", "schedule", approved.pk, *words, "--as", "ben")["code"] == code
    assert not Schedule.objects.exists()


def test_without_a_time_the_arguments_make_no_sense(
    approved: Release, manager: User, capsys: Capture
) -> None:
    with pytest.raises(CommandError, match="--at to publish it") as refusal:
        run(capsys, "release", "schedule", approved.pk, "--as", "ben")
    assert refusal.value.returncode == 2


def test_showing_a_release_says_what_is_scheduled(
    approved: Release, manager: User, clock: Clock, capsys: Capture
) -> None:
    run(capsys, "release", "schedule", approved.pk, "--at", "2030-12-01 09:00", "--as", "ben")
    call_command("release", "show", str(approved.pk))
    assert "To publish at 2030-12-01 09:00 UTC, by ben: waiting" in capsys.readouterr().out
