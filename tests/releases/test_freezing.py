"""Freeze windows against a clock on a wall that is looked at every minute."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.releases.channels.freezing import Freeze, Window, WindowFault, freeze_at, window_of

MINUTE = timedelta(minutes=1)
STOCKHOLM = ZoneInfo("Europe/Stockholm")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
CAIRO = ZoneInfo("Africa/Cairo")
# Set back and forward by an hour, by half an hour, by two, at midnight, and a day that was left out.
CHANGES = (
    (STOCKHOLM, date(2026, 3, 29)),
    (STOCKHOLM, date(2026, 10, 25)),
    (ZoneInfo("America/New_York"), date(2026, 11, 1)),
    (LORD_HOWE, date(2026, 4, 5)),
    (LORD_HOWE, date(2026, 10, 4)),
    (ZoneInfo("Antarctica/Troll"), date(2026, 3, 29)),
    (CAIRO, date(2026, 4, 24)),
    (CAIRO, date(2026, 10, 29)),
    (ZoneInfo("Pacific/Apia"), date(2011, 12, 30)),
    (ZoneInfo("UTC"), date(2026, 6, 1)),
)


def minutes(zone: ZoneInfo, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
    """Yield every minute from the day before `first` to the day after `last`: instant, and wall clock."""
    at = datetime.combine(first, time(), tzinfo=UTC) - timedelta(days=2)
    while at < datetime.combine(last, time(), tzinfo=UTC) + timedelta(days=3):
        yield at, at.astimezone(zone).replace(tzinfo=None)
        at += MINUTE


def looked_at(begins: datetime, ends: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return from when to when a window holds, by looking at the clock every minute."""
    seen = list(minutes(zone, begins.date(), ends.date()))
    start = next(at for at, wall in seen if wall >= begins)
    # A clock that is set back to the very end shows it once more, and nothing before it.
    shown = [at for at, wall in seen if wall == ends]
    before = [at + MINUTE for at, wall in seen if wall < ends]
    return start, max(shown + before)


minute_of_day = st.integers(0, 24 * 60 - 1).map(lambda count: time(count // 60, count % 60))
near = st.integers(0, 5).map(lambda hour: time(hour, 30))
times = st.one_of(near, minute_of_day)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(CHANGES), st.integers(-2, 1), times, st.integers(0, 2), times)
@example((LORD_HOWE, date(2026, 4, 5)), 0, time(0, 30), 0, time(1, 30))  # 1:59, and then 1:30 again
@example((STOCKHOLM, date(2026, 10, 25)), 0, time(0, 30), 0, time(2))
@example((CAIRO, date(2026, 10, 29)), -1, time(22), 1, time(23))
@example((CAIRO, date(2026, 4, 24)), -1, time(22), 1, time(0))  # a midnight that there is not
@example((CAIRO, date(2026, 4, 24)), 0, time(0), 0, time(1))
def test_a_window_from_date_to_date_holds_when_the_clock_says_so(
    change: tuple[ZoneInfo, date], before: int, from_time: time, long: int, to_time: time
) -> None:
    zone, day = change
    first = day + timedelta(days=before)
    window = Window(first, from_time, first + timedelta(days=long), to_time)
    begins = datetime.combine(first, from_time)
    ends = datetime.combine(first + timedelta(days=long), to_time)
    if ends <= begins:
        return
    start, end = looked_at(begins, ends, zone)
    if start >= end:  # all of it lies in what the clock leaves out
        return
    assert freeze_at(start - MINUTE, [window], zone) is None
    assert freeze_at(start, [window], zone) == Freeze((window,), end)
    assert freeze_at(end - MINUTE, [window], zone) == Freeze((window,), end)
    assert freeze_at(end, [window], zone) is None


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(CHANGES[:-2]), st.integers(0, 6), times, st.integers(0, 6), times)
@example((LORD_HOWE, date(2026, 4, 5)), 5, time(0, 30), 6, time(1, 30))
@example((CAIRO, date(2026, 10, 29)), 2, time(22), 3, time(23))
@example((CAIRO, date(2026, 4, 24)), 3, time(22), 4, time(0))
def test_a_weekly_window_holds_in_the_week_in_which_the_clock_is_set_as_in_any_other(
    change: tuple[ZoneInfo, date], from_day: int, from_time: time, to_day: int, to_time: time
) -> None:
    zone, day = change
    if (from_day, from_time) == (to_day, to_time):
        return
    window = Window(from_day, from_time, to_day, to_time)
    first = day - timedelta(days=(day.weekday() - from_day) % 7)
    days = (to_day - from_day) % 7
    begins = datetime.combine(first, from_time)
    ends = datetime.combine(first + timedelta(days=days), to_time)
    if ends <= begins:
        ends += timedelta(days=7)
    start, end = looked_at(begins, ends, zone)
    found = freeze_at(start, [window], zone)
    assert found
    assert found.ends_at == end
    assert (freeze_at(end, [window], zone) is None) == (freeze_at(end - MINUTE, [window], zone) == found)


WEEKEND = window_of("Friday 16:00", "Monday 8:00")


@pytest.mark.parametrize(
    ("wall", "is_frozen"),
    [
        ("2026-11-27 15:59", False),
        ("2026-11-27 16:00", True),
        ("2026-11-29 03:00", True),
        ("2026-11-30 07:59", True),
        ("2026-11-30 08:00", False),
        ("2026-12-02 12:00", False),
    ],
)
def test_a_weekend_is_frozen_from_its_first_minute_to_its_last(wall: str, is_frozen: bool) -> None:
    at = datetime.fromisoformat(wall).replace(tzinfo=STOCKHOLM)
    freeze = freeze_at(at, [WEEKEND], STOCKHOLM)
    assert (freeze is not None) is is_frozen
    if freeze:
        assert freeze.ends_at == datetime(2026, 11, 30, 7, tzinfo=UTC)


def test_windows_that_touch_make_one_freeze_that_ends_with_the_last() -> None:
    holidays = window_of("2026-11-29 12:00", "2026-12-01 09:00")
    monday = window_of("Tue 9:00", "Tue 10:30")
    at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    freeze = freeze_at(at, [monday, holidays, WEEKEND], STOCKHOLM)
    assert freeze == Freeze((WEEKEND,), datetime(2026, 12, 1, 9, 30, tzinfo=UTC))


def test_windows_that_leave_no_gap_have_no_end_in_sight() -> None:
    always = [window_of("Mon 0:00", "Thu 0:00"), window_of("Thu 0:00", "Mon 0:00")]
    freeze = freeze_at(datetime(2026, 11, 28, tzinfo=UTC), always, ZoneInfo("UTC"))
    assert freeze == Freeze((always[1],), None)


def test_without_a_window_nothing_is_frozen() -> None:
    assert freeze_at(datetime(2026, 11, 28, tzinfo=UTC), [], STOCKHOLM) is None


@pytest.mark.parametrize(
    ("starts", "ends", "words"),
    [
        ("Friday 16:00", "Monday 08:00", "Friday 16:00 to Monday 08:00"),
        (" fri, 16:00", "mon 8:00", "Friday 16:00 to Monday 08:00"),
        ("2026-12-23 16:00", "2027-01-02T8:00", "2026-12-23 16:00 to 2027-01-02 08:00"),
        ("Monday 12:00", "Monday 8:00", "Monday 12:00 to Monday 08:00"),
    ],
)
def test_a_window_is_read_as_people_type_it(starts: str, ends: str, words: str) -> None:
    assert window_of(starts, ends).words == words


@pytest.mark.parametrize(
    ("starts", "ends", "words"),
    [
        ("", "Monday 8:00", "no day and time"),
        ("Friday", "Monday 8:00", "no day and time"),
        ("Fr 16:00", "Monday 8:00", "there is no day Fr"),
        ("Freitag 16:00", "Monday 8:00", "there is no day Freitag"),
        ("Friday 25:00", "Monday 8:00", "no day and time"),
        ("2026-02-30 16:00", "2026-03-01 08:00", "no day and time"),
        ("2026-12-23 16:00", "Monday 8:00", "the other a date"),
        ("Monday 8:00", "Mon 8:00", "same moment"),
        ("2026-12-23 16:00", "2026-12-23 15:00", "ends before it begins"),
    ],
)
def test_what_is_no_window_is_refused_with_why(starts: str, ends: str, words: str) -> None:
    with pytest.raises(WindowFault, match=words):
        window_of(starts, ends)
