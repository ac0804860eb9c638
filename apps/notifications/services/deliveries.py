from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.notifications.backoff import MAX_ATTEMPTS
from apps.notifications.exceptions import NotGivenUp, WebhookDisabled
from apps.notifications.models import Delivery


@transaction.atomic
def send_again(*, delivery: Delivery, actor: User) -> Delivery:
    """Try again what was given up, with the same key and the same bytes.

    Raises `Forbidden`, `NotGivenUp`, `WebhookDisabled`.
    """
    require(actor, "notifications.change_webhook", to="send again what was given up")
    if delivery.webhook and not delivery.webhook.is_active:
        raise WebhookDisabled(f"{delivery.webhook} is disabled.", next_step="Enable it first.")
    given_up = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.DEAD)
    if not given_up.update(
        state=Delivery.State.WAITING,
        settled_at=None,
        outcome="",
        next_at=timezone.now(),
        budget=F("attempts") + MAX_ATTEMPTS,
    ):
        raise NotGivenUp(
            f"This is {delivery.get_state_display()}, not given up.", next_step="Look at its attempts."
        )
    delivery.refresh_from_db()
    record(
        actor=actor,
        action="delivery.send_again",
        target=f"delivery {delivery.pk}",
        summary=f"Sent again: {delivery}.",
        details={"key": str(delivery.key)},
    )
    return delivery
