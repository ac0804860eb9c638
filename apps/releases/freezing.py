"""Freeze windows: when nothing is published, and when it may be again. No Django: plain values decide.

A window is told by a clock on a wall: from Friday 16:00 to Monday 8:00, or from one date to another. On
the days on which that clock is set back or forward it covers as much as may be meant: it begins when the
clock first shows its beginning, or would have, and ends when the clock last shows its end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEK = timedelta(days=7)
_SEEN = timedelta(weeks=60)  # so far ahead an end is looked for


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

    @property
    def fault(self) -> str:
        """What is wrong with it, continuing "It …"; "" if nothing."""
        if self.is_weekly and (self.from_day, self.from_time) == (self.to_day, self.to_time):
            return "begins and ends at the same moment"
        if isinstance(self.from_day, date) and isinstance(self.to_day, date):
            begins = datetime.combine(self.from_day, self.from_time)
            if datetime.combine(self.to_day, self.to_time) <= begins:
                return "ends before it begins"
        return ""


@dataclass(frozen=True, slots=True)
class Freeze:
    """What holds now: the windows in which the moment lies, and its end, None where none is in sight."""

    windows: tuple[Window, ...]
    ends_at: datetime | None


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
