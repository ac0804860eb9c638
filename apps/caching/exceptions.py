from collections.abc import Sequence

from apps.caching.validation import FieldFault
from apps.refusals import Refusal


class CachingRefusal(Refusal):
    code = "caching_refused"


class UnknownRule(CachingRefusal):
    code = "unknown_rule"

    @classmethod
    def named(cls, slug: str) -> "UnknownRule":
        """Return what is said where no rule has this short name."""
        return cls(
            f"There is no cache rule {slug!r}.", next_step="Choose one of the list, or make a new rule."
        )


class VersionMoved(CachingRefusal):
    """Somebody else has saved a version since the one that this change began with."""

    code = "version_moved"

    def __init__(self, slug: str, message: str, *, next_step: str) -> None:
        super().__init__(message, next_step=next_step)
        self.slug = slug


class InvalidRule(CachingRefusal):
    """A rule that would do harm or contradicts itself; `faults` says where and how."""

    code = "invalid_rule"

    def __init__(self, slug: str, faults: Sequence[FieldFault]) -> None:
        listed = "\n".join(f"{fault.field}: {fault.message}" for fault in faults)
        super().__init__(
            f"The cache rule {slug!r} was not saved.\n{listed}",
            next_step="Correct the fields named and save it again.",
        )
        self.faults = tuple(faults)
