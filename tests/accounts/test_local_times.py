"""What people type is a moment, in their zone; what no clock shows, or shows twice, is refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.exceptions import UnknownTimeZone, WrongTime
from apps.accounts.local_times import SHOWN, in_zone, moment_of, zone_named, zone_names

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("2026-12-01 09:00", "2026-12-01 08:00"),
        ("2026-07-01T09:00", "2026-07-01 07:00"),
        (" 2026-07-01 09:00:30 ", "2026-07-01 07:00:30"),
        ("2026-07-01 09:00+00:00", "2026-07-01 09:00"),
        ("2026-10-25 02:30+02:00", "2026-10-25 00:30"),
        ("2026-10-25 02:30+01:00", "2026-10-25 01:30"),
    ],
)
def test_a_time_is_read_in_the_zone_or_with_its_own_offset(typed: str, moment: str) -> None:
    assert moment_of(typed, BERLIN) == at(moment)


@pytest.mark.parametrize("typed", ["", "tomorrow", "09:00", "2026-13-01 09:00", "2026-12-01 25:00"])
def test_what_is_no_time_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(WrongTime, match=r"is no time. Write it as 2026-12-01 09:00"):
        moment_of(typed, BERLIN)


def test_a_time_that_the_clocks_leave_out_is_refused() -> None:
    with pytest.raises(WrongTime, match=r"never show 02:30.*such as 03:30") as refusal:
        moment_of("2026-03-29 02:30", BERLIN)
    assert refusal.value.choices == ()


def test_a_time_that_the_clocks_show_twice_asks_which() -> None:
    with pytest.raises(WrongTime, match=r"twice.*02:30\+02:00 is the first, .*02:30\+01:00") as refusal:
        moment_of("2026-10-25 02:30", BERLIN)
    assert refusal.value.choices == (at("2026-10-25 00:30"), at("2026-10-25 01:30"))


def test_a_day_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(WrongTime, match="too far away"):
        moment_of("9999-12-31 23:59-12:00", BERLIN)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe", "a\0b"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimeZone, match="IANA"):
        zone_named(name)


def test_zones_to_choose_from_are_places() -> None:
    names = zone_names()
    assert names[0] == "UTC"
    assert "Europe/Berlin" in names
    assert not any(name.startswith("Etc/") for name in names)


@given(
    moment=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2037, 12, 31)),  # noqa: DTZ001
    name=st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
    ),
)
def test_what_a_clock_shows_means_that_moment_or_asks_which(moment: datetime, name: str) -> None:
    zone, moment = ZoneInfo(name), moment.replace(second=0, microsecond=0, tzinfo=UTC)
    shown = f"{moment.astimezone(zone):{SHOWN}}"

    assert in_zone(moment, zone) == f"{shown} {name}"
    meant = meanings_of(shown, zone)
    assert moment in meant
    assert len(meant) == 1 or meant[0] < meant[1] <= meant[0] + timedelta(hours=2)


def meanings_of(typed: str, zone: ZoneInfo) -> tuple[datetime, ...]:
    try:
        return (moment_of(typed, zone),)
    except WrongTime as refusal:
        return refusal.choices
