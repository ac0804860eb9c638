"""Freeze windows: when nothing is published, and when it may be again. No Django: plain values decide.

A window is told by a clock on a wall: from Friday 16:00 to Monday 8:00, or from one date to another. On
the days on which that clock is set back or forward it covers as much as may be meant: it begins when the
clock first shows its beginning, or would have, and ends when the clock last shows its end.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MOMENT = re.compile(r"(?P<day>[A-Za-z]+|[0-9]{4}-[0-9]{2}-[0-9]{2}),?[ T]+(?P<time>[0-9]{1,2}:[0-9]{2})")
_LEAST_LETTERS = 3  # of a weekday: Mon
_WEEK = timedelta(days=7)
_SEEN = timedelta(weeks=60)  # so far ahead an end is looked for


class WindowFault(ValueError):
    """Why two moments make no window, as a sentence."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window from a day and time, inclusive, to another, exclusive; days are weekdays or both dates.

    A weekday is 0 for Monday to 6 for Sunday. Times are naive: those of the clock on the wall.
    """

    from_day: int | date
    from_time: time
    to_day: int | date
    to_time: time

    @property
    def is_weekly(self) -> bool:
        return isinstance(self.from_day, int)

    @property
    def words(self) -> str:
        """The window as people say it: "Friday 16:00 to Monday 08:00"."""
        return f"{_moment(self.from_day, self.from_time)} to {_moment(self.to_day, self.to_time)}"


@dataclass(frozen=True, slots=True)
class Freeze:
    """What holds now: the windows in which the moment lies, and its end, None where none is in sight."""

    windows: tuple[Window, ...]
    ends_at: datetime | None


def window_of(starts: str, ends: str) -> Window:
    """Read a window: "Friday 16:00" and "Monday 8:00", or "2026-12-23 16:00" and "2027-01-02 08:00".

    Raises `WindowFault`.
    """
    (from_day, from_time), (to_day, to_time) = _read(starts), _read(ends)
    if isinstance(from_day, int) != isinstance(to_day, int):
        raise WindowFault("One end is a day of the week and the other a date.")
    if (from_day, from_time) == (to_day, to_time):
        raise WindowFault("It begins and ends at the same moment.")
    if isinstance(from_day, date) and (from_day, from_time) > (to_day, to_time):
        raise WindowFault("It ends before it begins.")
    return Window(from_day, from_time, to_day, to_time)


def _read(typed: str) -> tuple[int | date, time]:
    found = _MOMENT.fullmatch(typed.strip())
    if found is None:
        raise WindowFault(f"{typed!r} is no day and time.")
    try:
        return _day(found["day"]), time.fromisoformat(found["time"].rjust(5, "0"))
    except ValueError as error:
        raise WindowFault(f"{typed!r} is no day and time: {error}.") from error


def _day(typed: str) -> int | date:
    if not typed.isalpha():
        return date.fromisoformat(typed)
    names = [name for name in WEEKDAYS if name.lower().startswith(typed.lower())]
    if len(typed) < _LEAST_LETTERS or not names:
        raise ValueError(f"there is no day {typed}")
    return WEEKDAYS.index(names[0])


def freeze_at(moment: datetime, windows: Iterable[Window], zone: ZoneInfo) -> Freeze | None:
    """Return the freeze in which `moment` (aware) lies, or None.

    Windows that follow one another without a gap make one freeze, which ends with the last of them.
    """
    known = tuple(windows)
    within = tuple(window for window in known if _end_around(moment, window, zone))
    if not within:
        return None
    end = moment
    while end - moment < _SEEN:
        later = [found for window in known if (found := _end_around(end, window, zone))]
        if not later:
            return Freeze(within, end)
        end = max(later)
    return Freeze(within, None)


def _end_around(moment: datetime, window: Window, zone: ZoneInfo) -> datetime | None:
    """Return when the occurrence of `window` ends in which `moment` lies, None outside of it."""
    for begins, ends in _occurrences(moment.astimezone(zone).date(), window):
        end = _instant(ends, zone, is_last=True)
        if _instant(begins, zone, is_last=False) <= moment < end:
            return end
    return None


def _occurrences(day: date, window: Window) -> Iterable[tuple[datetime, datetime]]:
    """Yield the beginnings and ends, by the clock on the wall, that may lie around a day."""
    if isinstance(window.from_day, int) and isinstance(window.to_day, int):
        long = timedelta(days=(window.to_day - window.from_day) % 7)
        if not long and window.to_time <= window.from_time:
            long = _WEEK
        first = day - timedelta(days=(day.weekday() - window.from_day) % 7)
        for start in (first - _WEEK, first, first + _WEEK):
            yield datetime.combine(start, window.from_time), datetime.combine(start + long, window.to_time)
    elif isinstance(window.from_day, date) and isinstance(window.to_day, date):
        yield (
            datetime.combine(window.from_day, window.from_time),
            datetime.combine(window.to_day, window.to_time),
        )


def _instant(wall: datetime, zone: ZoneInfo, *, is_last: bool) -> datetime:
    """Return when a clock in `zone` shows `wall`: the last time if it does so twice.

    If it never does, since it is set forward past it, that is the instant at which it is set.
    """
    at = wall.replace(tzinfo=zone, fold=int(is_last)).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    before, after = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    return _change_between(before, after, zone)


def _change_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the second at which the offset changes between two instants, which differ in it."""
    earlier = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == earlier:
            before = middle
        else:
            after = middle
    return after


def _moment(day: int | date, at: time) -> str:
    return f"{WEEKDAYS[day] if isinstance(day, int) else day.isoformat()} {at:%H:%M}"
