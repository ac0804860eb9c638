"""Opens the receipt of each publication, in that publication's own transaction: none is ever missing.

What is seen afterwards is written into it by `services.verifying`.
"""

from django.utils import timezone

from apps.releases.models import Publication, Receipt


def open_receipt(publication: Publication) -> None:
    """Open the receipt of what is being published; it goes live only together with that."""
    Receipt.objects.create(publication=publication)


def note_pointer(publication: Publication) -> None:
    """Note that storage points at a publication from now on; of several times the first counts."""
    Receipt.objects.filter(publication=publication, pointer_at=None).update(pointer_at=timezone.now())
