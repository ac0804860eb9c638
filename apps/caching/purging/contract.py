"""What a cache in front is told, and how it may refuse."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Address(NamedTuple):
    """A host, as a channel has it, and a path as it is sent; `/old/*` is everything below `/old/`."""

    host: str
    path: str

    @property
    def is_wildcard(self) -> bool:
        return self.path.endswith("/*")


class Key(NamedTuple):
    """A surrogate key: every copy that a cache holds under it, whatever its host and its variant."""

    name: str


type Word = Address | Key
BY_KEYS = " by keys"  # ends the name of a cache that is told keys


def sorted_out(words: Sequence[Word]) -> tuple[list[str], list[Address]]:
    """Return the surrogate keys among `words`, and the addresses."""
    keys = [word.name for word in words if isinstance(word, Key)]
    return keys, [word for word in words if isinstance(word, Address)]


class PurgeFailed(Exception):
    """A cache did not do it. Trying the same again is of no use; the message has no secret in it."""


class TryLater(PurgeFailed):
    """A cache was not reached, failed, or was asked too often; `after_seconds` is its own wish, if any."""

    def __init__(self, message: str, *, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Purger(Protocol):
    """A cache in front. `name` identifies it, and how it is told, for ever, and names no secret."""

    @property
    def name(self) -> str: ...

    @property
    def batch_size(self) -> int:
        """How many words `purge` takes at most."""

    @property
    def tells_keys(self) -> bool:
        """Whether it is told surrogate keys, in place of the addresses that have some."""

    def purge(self, words: Sequence[Word], *, reference: str) -> None:
        """Let the cache forget what `words` name; once more does no harm. Raises `PurgeFailed`, `TryLater`.

        `reference` is the same each time the same batch is tried.
        """
