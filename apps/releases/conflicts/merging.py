"""Three-way merging of single values: what two sides made of what both began with. Knows no Django.

A value is what a path serves, where a redirect leads, which version of a rule is pinned. None stands for
none. "Ours" is what a release makes of it, "theirs" what is live by now.
"""

from enum import StrEnum


class Outcome(StrEnum):
    """What comes of one value."""

    OURS = "ours"
    """Only we have changed it."""
    THEIRS = "theirs"
    """Only they have changed it, or nobody has."""
    SAME = "same"
    """Both have changed it, to the same."""
    CONFLICT = "conflict"
    """Both have changed it, each to something else: a person has to decide."""


class Clash(StrEnum):
    """How two changes of one value get in each other's way."""

    BOTH_CHANGED = "both_changed"
    BOTH_ADDED = "both_added"
    CHANGED_AND_REMOVED = "changed_and_removed"
    """We have changed what they have removed."""
    REMOVED_AND_CHANGED = "removed_and_changed"
    """We have removed what they have changed."""


def merge[T](base: T | None, ours: T | None, theirs: T | None) -> Outcome:
    """Say which side's value stands."""
    if theirs == base:
        return Outcome.THEIRS if ours == base else Outcome.OURS
    if ours == base:
        return Outcome.THEIRS
    return Outcome.SAME if ours == theirs else Outcome.CONFLICT


def clash_of[T](base: T | None, ours: T | None, theirs: T | None) -> Clash:
    """Say in which way two changes of a value are in conflict."""
    if ours is None:
        return Clash.REMOVED_AND_CHANGED
    if theirs is None:
        return Clash.CHANGED_AND_REMOVED
    return Clash.BOTH_ADDED if base is None else Clash.BOTH_CHANGED
