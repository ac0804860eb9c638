"""What the worker does again and again: small functions, each harmless to repeat and to run twice at once."""

from collections.abc import Callable
from dataclasses import dataclass

type Chore = Callable[[], list[str]]
"""Does what is due; returns a line on each thing that it did, none where there was nothing to do."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A chore, its name, and the seconds from the end of one run to the start of the next.

    `rest` makes that longer after a run that took long: so many times as long as it took. One that is
    apart may wait for a network at every turn: it has a thread of its own, so that no other waits with it.
    """

    name: str
    seconds: float
    run: Chore
    rest: float = 0.0
    is_apart: bool = False

    def pause_after(self, took_seconds: float) -> float:
        """Return the seconds until the next run, after one that took so long."""
        return max(self.seconds, self.rest * took_seconds)


_scheduled: dict[str, Scheduled] = {}


def every(
    seconds: float, name: str, *, rest: float = 0.0, is_apart: bool = False
) -> Callable[[Chore], Chore]:
    """Register the decorated function to be called by each worker, at its start and then every `seconds`.

    `rest` and `is_apart` are as in `Scheduled`.
    """

    def register(function: Chore) -> Chore:
        if name in _scheduled:
            raise ValueError(f"Two scheduled functions are named {name}.")
        _scheduled[name] = Scheduled(name, seconds, function, rest, is_apart)
        return function

    return register


def scheduled() -> tuple[Scheduled, ...]:
    """Return everything that is registered."""
    return tuple(_scheduled.values())
