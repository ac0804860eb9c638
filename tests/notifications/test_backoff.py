from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from apps.notifications.backoff import MAX_ATTEMPTS, pause_after


def test_it_waits_ten_seconds_then_ever_longer_up_to_six_hours() -> None:
    waits = [pause_after(attempt) for attempt in range(1, MAX_ATTEMPTS)]
    assert waits[:3] == [timedelta(seconds=10), timedelta(seconds=40), timedelta(seconds=160)]
    assert waits == sorted(waits)
    assert pause_after(30) == timedelta(hours=6)


@given(st.integers(min_value=1, max_value=1000))
def test_it_never_waits_longer_than_that(attempt: int) -> None:
    assert timedelta(seconds=10) <= pause_after(attempt) <= timedelta(hours=6)
