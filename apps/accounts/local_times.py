"""Times as people type them, in the zone that they live in, and the moments that they mean."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from apps.accounts.exceptions import UnknownTimeZone, WrongTime

SHOWN = "%Y-%m-%d %H:%M"


def zone_named(name: str) -> ZoneInfo:
    """Return a zone of the IANA database, such as Europe/Berlin. Raises `UnknownTimeZone`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownTimeZone(
            f"There is no time zone {name!r}.",
            next_step="Name one of the IANA database, such as Europe/Berlin, America/New_York or UTC.",
        ) from error


def zone_names() -> list[str]:
    """Return the names of places and UTC, in order: what people choose from."""
    places = {name for name in available_timezones() if "/" in name and not name.startswith("Etc/")}
    return ["UTC", *sorted(places)]


def moment_of(typed: str, zone: ZoneInfo) -> datetime:
    """Return the moment, in UTC, that `typed` means to somebody in `zone`.

    `typed` is `2026-12-01 09:00` (or with a T, as browsers send it), and may end in an offset from UTC,
    which then decides. Raises `WrongTime` for anything else, for a time that the clocks of `zone` leave
    out, and for one that they show twice.
    """
    try:
        read = datetime.fromisoformat(typed.strip())
    except ValueError as error:
        raise WrongTime(
            f"{typed.strip()!r} is no time.", next_step="Write it as 2026-12-01 09:00, in 24 hours."
        ) from error
    try:
        return read.astimezone(UTC) if read.tzinfo else _in_zone(read, zone)
    except OverflowError as error:
        raise WrongTime(f"{typed.strip()!r} is too far away.", next_step="Choose a nearer day.") from error


def in_zone(moment: datetime, zone: ZoneInfo) -> str:
    """Say a moment as a clock in `zone` shows it, and which zone that is: 2026-12-01 09:00 Europe/Berlin."""
    return f"{moment.astimezone(zone):{SHOWN}} {zone.key}"


def offset_words(moment: datetime, zone: ZoneInfo) -> str:
    """Return how far `zone` is from UTC at that moment: UTC+02:00."""
    return f"{moment.astimezone(zone):UTC%:z}"


def _in_zone(read: datetime, zone: ZoneInfo) -> datetime:
    first, second = (read.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first
    if first.astimezone(zone).replace(tzinfo=None) != read:
        raise _left_out(read, zone, later=max(first, second))
    raise WrongTime(
        f"On {read:%Y-%m-%d} the clocks of {zone.key} are put back and show {read:%H:%M} twice.",
        next_step=f"Say which: {_with_offset(first, zone)} is the first, "
        f"{_with_offset(second, zone)} the second.",
        choices=(first, second),
    )


def _left_out(read: datetime, zone: ZoneInfo, *, later: datetime) -> WrongTime:
    shown = later.astimezone(zone)
    return WrongTime(
        f"On {read:%Y-%m-%d} the clocks of {zone.key} are put forward and never show {read:%H:%M}.",
        next_step=f"Choose a time before or after that, such as {shown:%H:%M}.",
    )


def _with_offset(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M%:z}"
