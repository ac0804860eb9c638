from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Max, QuerySet

from apps.audit.chain import GENESIS, entry_hash
from apps.audit.models import AuditEntry, AuditHead


@dataclass(frozen=True, slots=True)
class ChainFault:
    """A place where the log is not what was written: `sequence` and what is wrong there."""

    sequence: int
    message: str


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends: how many entries it has, and the SHA-256 (hex) that covers them all."""

    sequence: int
    hash: str


def head() -> Head:
    """Return the end of the log; that of an empty log where nothing was ever written."""
    row = AuditHead.objects.filter(id=1).first()
    return Head(row.sequence, row.hash) if row else Head(0, GENESIS)


def entries(*, target: str | None = None) -> QuerySet[AuditEntry]:
    """Return the entries, newest first; with `target` ("release 42") those about it."""
    found = AuditEntry.objects.order_by("-sequence")
    return found.filter(target=target) if target else found


def chain_faults() -> Iterator[ChainFault]:
    """Yield every fault of the audit log, oldest first; an untouched log yields none.

    Entries that are appended meanwhile are no fault: the log is read up to where it ended at first.
    """
    end = head()
    previous, expected = GENESIS, 1
    written = AuditEntry.objects.filter(sequence__lte=end.sequence).order_by("sequence")
    for entry in written.iterator(chunk_size=2000):
        if entry.sequence != expected:
            yield ChainFault(expected, _missing(expected, entry.sequence - 1))
        elif entry.previous_hash != previous:
            yield ChainFault(entry.sequence, "it does not follow from the entry before it")
        if entry_hash(entry) != entry.hash:
            yield ChainFault(entry.sequence, "its words were changed after it was written")
        previous, expected = entry.hash, entry.sequence + 1
    yield from _faults_at_the_end(end, previous, expected)


def _faults_at_the_end(end: Head, previous: str, expected: int) -> Iterator[ChainFault]:
    if expected <= end.sequence:
        yield ChainFault(expected, _missing(expected, end.sequence))
    elif end.hash != previous:
        yield ChainFault(end.sequence, "the head row does not match this newest entry")
    newest = AuditEntry.objects.aggregate(newest=Max("sequence"))["newest"] or 0
    if newest > head().sequence:
        yield ChainFault(newest, "it lies behind the head row, which was changed or removed")


def _missing(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"
