"""What was told long ago is forgotten: the audit log keeps what happened."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.jobs.cleaning import Cleaned, cleaner
from apps.notifications.models import Attempt, Delivery, Event

_AT_ONCE = 1_000  # in one transaction: others who write wait for it


@cleaner("notifications that were settled")
def forget_told(*, is_dry_run: bool) -> Cleaned:
    """Delete deliveries that were sent or given up so long ago, and events that nobody waits for any more."""
    until = timezone.now() - timedelta(days=settings.NOTIFICATIONS_KEPT_DAYS)
    settled = Delivery.objects.exclude(state=Delivery.State.WAITING).filter(settled_at__lt=until)
    told = Event.objects.filter(handed_out_at__lt=until, at__lt=until, deliveries=None)
    if is_dry_run:
        return Cleaned(settled.count() + told.count())
    removed = 0
    while numbers := _some(settled):
        removed += _forget(numbers)
    while numbers := _some(told):
        removed += Event.objects.filter(pk__in=numbers).delete()[0]
    return Cleaned(removed)


def _some(rows: QuerySet[Delivery] | QuerySet[Event]) -> list[int]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])


@transaction.atomic
def _forget(numbers: list[int]) -> int:
    """Delete deliveries with their attempts; return how many deliveries. Those sent again meanwhile stay."""
    settled = Delivery.objects.select_for_update(no_key=True).exclude(state=Delivery.State.WAITING)
    still = list(settled.filter(pk__in=numbers).values_list("pk", flat=True))
    Attempt.objects.filter(delivery__in=still).delete()
    return Delivery.objects.filter(pk__in=still).delete()[0]
