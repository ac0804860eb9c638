"""Opens the receipt of each publication, in that publication's own transaction: none is ever missing.

What is seen afterwards is written into it by `services.verifying`, and through caches by `services.drift`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Max
from django.utils import timezone

from apps.accounts.models import User
from apps.releases.models import Publication, Receipt, ReceiptStep

_MOST_NOTED = 50


@dataclass(frozen=True, slots=True)
class Noted:
    """What a step of a receipt says."""

    subject: str
    is_good: bool
    words: str


def open_receipt(publication: Publication) -> None:
    """Open the receipt of what is being published; it goes live only together with that."""
    Receipt.objects.create(publication=publication)


def note_pointer(publication: Publication) -> None:
    """Note that storage points at a publication from now on; of several times the first counts."""
    Receipt.objects.filter(publication=publication, pointer_at=None).update(pointer_at=timezone.now())


def looks_taken(receipt: Receipt) -> int:
    """Return how often it was noted what the caches in front show."""
    steps = receipt.steps.filter(kind=ReceiptStep.Kind.IN_FRONT)
    last: int | None = steps.aggregate(last=Max("number"))["last"]
    return 0 if last is None else last // ReceiptStep.NUMBERS_OF_A_LOOK + 1


def note_examples(
    receipt: Receipt,
    kind: ReceiptStep.Kind,
    failed: Sequence[Noted],
    total: Noted,
    *,
    look: int = 0,
    asked_by: User | None = None,
) -> None:
    """Note which examples do not hold, the first of them, and before them what all come to; all or none.

    `look` counts how often it was looked before, and `asked_by` is who had it looked again.
    """
    now, first = timezone.now(), look * ReceiptStep.NUMBERS_OF_A_LOOK
    ReceiptStep.objects.bulk_create(
        ReceiptStep(
            receipt=receipt,
            kind=kind,
            number=first + number,
            asked_by=asked_by,
            subject=noted.subject,
            at=now,
            is_good=noted.is_good,
            words=noted.words,
        )
        for number, noted in (*enumerate(failed[:_MOST_NOTED], start=1), (0, total))
    )
