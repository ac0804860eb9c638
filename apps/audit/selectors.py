from collections.abc import Iterator
from dataclasses import dataclass

from apps.audit.chain import GENESIS, entry_hash
from apps.audit.models import AuditEntry, AuditHead


@dataclass(frozen=True, slots=True)
class ChainFault:
    """A place where the log is not what was written: `sequence` and what is wrong there."""

    sequence: int
    message: str


def chain_faults() -> Iterator[ChainFault]:
    """Yield every fault of the audit log, oldest first; an untouched log yields none."""
    previous, expected = GENESIS, 1
    for entry in AuditEntry.objects.order_by("sequence").iterator(chunk_size=2000):
        if entry.sequence != expected:
            yield ChainFault(expected, f"entries {expected} to {entry.sequence - 1} are missing")
        elif entry.previous_hash != previous:
            yield ChainFault(entry.sequence, "it does not follow from the entry before it")
        if entry_hash(entry) != entry.hash:
            yield ChainFault(entry.sequence, "its words were changed after it was written")
        previous, expected = entry.hash, entry.sequence + 1
    head = AuditHead.objects.filter(id=1).first()
    if (head.sequence if head else 0) != expected - 1:
        yield ChainFault(expected, "the newest entries are missing, or the head row was changed")
    elif head and head.hash != previous:
        yield ChainFault(head.sequence, "the head row does not match the newest entry")
