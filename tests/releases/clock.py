"""A clock that a test sets, for everything that asks Django for the time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest import mock


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = datetime(2030, 11, 30, 12, tzinfo=UTC)

    def forward(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)


@contextmanager
def stopped_clock() -> Iterator[Clock]:
    clock = Clock()
    with mock.patch("django.utils.timezone.now", side_effect=lambda: clock.now):
        yield clock
