"""When what was not delivered is tried again: soon at first, then ever more seldom, then no more."""

from datetime import timedelta

MAX_ATTEMPTS = 8
_FIRST = timedelta(seconds=10)
_FACTOR = 4
_LONGEST = timedelta(hours=6)
_STEPS = 6  # more than lead to the longest


def pause_after(attempt: int) -> timedelta:
    """Return how long to wait after the `attempt`-th try (from 1) has failed: 10 s, 40 s, … up to 6 h."""
    steps = min(attempt - 1, _STEPS)
    return min(_FIRST * int(_FACTOR**steps), _LONGEST)
