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


class PurgeFailed(Exception):
    """A cache did not do it. Trying the same again is of no use; the message has no secret in it."""


class TryLater(PurgeFailed):
    """A cache was not reached, failed, or was asked too often; `after_seconds` is its own wish, if any."""

    def __init__(self, message: str, *, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Purger(Protocol):
    """A cache in front. `name` identifies it for ever and names no secret."""

    @property
    def name(self) -> str: ...

    @property
    def batch_size(self) -> int:
        """How many addresses `purge` takes at most."""

    def purge(self, addresses: Sequence[Address], *, reference: str) -> None:
        """Let the cache forget `addresses`; once more does no harm. Raises `PurgeFailed`, `TryLater`.

        `reference` is the same each time the same batch is tried.
        """
