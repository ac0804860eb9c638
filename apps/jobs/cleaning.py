"""What removes what nobody needs any more: each part registers its own, and they run one after the other.

The background worker does it once a day, as a job; `scripts/manage gc` does the same at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was removed, or would be: how many, how many bytes in storage, and the names of the first.

    `waiting` counts what nobody needs and that stays until its grace time is over.
    """

    removed: int = 0
    size_bytes: int = 0
    waiting: int = 0
    names: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """How many of each, "" where there is nothing to say."""
        said = []
        if self.removed:
            of_bytes = f" ({self.size_bytes:,} bytes)" if self.size_bytes else ""
            said.append(f"{self.removed:,} removed{of_bytes}")
        if self.waiting:
            said.append(f"{self.waiting:,} not needed, and kept for their grace time")
        return ", ".join(said)


NAMES_KEPT = 100  # of a million that are removed, these are named


class Cleaner(Protocol):
    """Removes what nobody needs, or says what it would; harmless to repeat and to interrupt."""

    def __call__(self, *, is_dry_run: bool) -> Cleaned: ...


_cleaners: dict[str, Cleaner] = {}


def cleaner(what: str) -> Callable[[Cleaner], Cleaner]:
    """Register the decorated function, which removes `what`, in words: "manifests"."""

    def register(function: Cleaner) -> Cleaner:
        if _cleaners.setdefault(what, function) is not function:
            raise ValueError(f"Two functions remove {what}.")
        return function

    return register


def clean(*, actor: User | None = None, is_dry_run: bool = False) -> Iterator[tuple[str, Cleaned]]:
    """Run every cleaner, in the order in which they were registered; yield what each did.

    What was removed is in the audit log; `actor` is None where the site does it by itself. Raises
    `Forbidden`, and what a cleaner raises, once the others have run.
    """
    if actor and not is_dry_run:
        require(actor, "jobs.retry_job", to="remove what nobody needs")
    faults: list[Exception] = []
    for what, run in _cleaners.items():
        try:
            cleaned = run(is_dry_run=is_dry_run)
        except Exception as fault:  # noqa: BLE001 - one that storage refuses does not stop the others
            faults.append(fault)
            continue
        if cleaned.removed and not is_dry_run:
            _record(what, cleaned, actor)
        yield what, cleaned
    if faults:
        raise faults[0]


def _record(what: str, cleaned: Cleaned, actor: User | None) -> None:
    record(
        actor=actor,
        action="site.clean",
        target="site",
        summary=f"Removed what nobody needs of {what}: {cleaned.words}.",
        details={"removed": cleaned.removed, "bytes": cleaned.size_bytes, "first": list(cleaned.names)},
    )
