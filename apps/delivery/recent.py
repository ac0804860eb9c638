"""What was used lately, up to a bound: a cache of two generations that takes no lock."""

import time
from collections.abc import Callable
from itertools import count

_AT_ONCE = 32
_PAUSE_SECONDS = 0.001


class Recent[Key, Value]:
    """Keeps the values that were used lately, at most `most` of them by weight.

    Values live in a young and an old generation. A value that is used moves to the young one; when
    that has half of the weight it becomes the old one, and what the old one still had is let go of:
    whatever was not used since. So the order of use is kept well enough, at the price of one look
    into a dict. Without a lock: a race between threads can only drop a value, never mix two up.
    """

    __slots__ = ("_most", "_old", "_weigh", "_weight", "_young")

    def __init__(self, most: int, *, weigh: Callable[[Value], int] | None = None) -> None:
        self._most = max(most // 2, 1)
        self._weigh = weigh
        self._weight = 0
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: Key) -> Value | None:
        """Return the value of `key`, None if it is not kept (any more)."""
        value = self._young.get(key)
        if value is None:
            value = self._old.pop(key, None)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: Key, value: Value) -> None:
        """Keep `value`, unless it alone weighs more than a generation."""
        weight = self._weigh(value) if self._weigh else 1
        if weight > self._most:
            return
        if self._weight + weight > self._most:
            self._old, self._young, self._weight = self._young, {}, 0
        self._young[key] = value
        self._weight += weight

    def snapshot(self) -> dict[Key, Value]:
        """Return what is kept now."""
        return self._old.copy() | self._young.copy()

    def empty(self) -> None:
        """Let go of everything, a little at a time: freeing thousands of objects at once holds up others."""
        for number in count(1):
            generation = self._young or self._old
            if not generation:
                return
            try:
                generation.popitem()
            except KeyError:  # somebody else took the last one
                continue
            if not number % _AT_ONCE:
                time.sleep(_PAUSE_SECONDS)
