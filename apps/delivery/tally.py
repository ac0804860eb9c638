"""What was answered, counted while it is: by publication, rule, and version of the rule.

A number only ever grows, and one thread alone takes what has come to it since it last did, so neither
of the two waits for the other.
"""

from typing import NamedTuple


class Figures(NamedTuple):
    """How many answers of each kind there were, and how many bytes their bodies had.

    `sent` are those with a status below 400 that are no 304, `failed` those with one above.
    """

    sent: int = 0
    not_modified: int = 0
    failed: int = 0
    body_bytes: int = 0

    def plus(self, other: "Figures") -> "Figures":
        """Return both together."""
        return Figures(*(mine + its for mine, its in zip(self, other, strict=True)))

    def minus(self, earlier: "Figures") -> "Figures":
        """Return what came after `earlier`."""
        return Figures(*(mine - its for mine, its in zip(self, earlier, strict=True)))


class Tally:
    """The answers under one version of one rule. The plain way of a request adds to its numbers directly.

    `number += 1` calls nothing, so CPython does not change threads within it.
    """

    __slots__ = ("_taken", "body_bytes", "failed", "not_modified", "sent")

    def __init__(self) -> None:
        self.sent = self.not_modified = self.failed = self.body_bytes = 0
        self._taken = Figures()

    def add(self, status: int, size_bytes: int) -> None:
        """Count an answer with this status and so many bytes of body."""
        if status == 304:
            self.not_modified += 1
        elif status < 400:
            self.sent += 1
        else:
            self.failed += 1
        self.body_bytes += size_bytes

    def take(self) -> Figures:
        """Return what was counted since this was last asked."""
        now = Figures(self.sent, self.not_modified, self.failed, self.body_bytes)
        new, self._taken = now.minus(self._taken), now
        return new


class Tallies:
    """The tallies of one publication. `was_let_go` is for who takes from them to note that."""

    __slots__ = ("by_rule", "was_let_go")

    def __init__(self) -> None:
        self.by_rule: dict[tuple[str, int], Tally] = {}
        self.was_let_go = False

    def of(self, rule: str, version: int) -> Tally:
        """Return the tally of a version of a rule, the same each time."""
        return self.by_rule.setdefault((rule, version), Tally())


class CountedPublication(NamedTuple):
    """A publication that was served, and what it was asked for."""

    channel: str
    sequence: int
    tallies: Tallies
