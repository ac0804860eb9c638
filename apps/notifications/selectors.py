from django.db.models import Count, Max, Q, QuerySet

from apps.accounts.models import User
from apps.notifications.exceptions import UnknownWebhook
from apps.notifications.models import Delivery, Webhook


def webhook_named(name: str) -> Webhook:
    """Return a webhook. Raises `UnknownWebhook`."""
    webhook = Webhook.objects.filter(name=name).first()
    if webhook is None:
        names = ", ".join(Webhook.objects.values_list("name", flat=True)) or "none yet"
        raise UnknownWebhook(f"There is no webhook {name!r}.", next_step=f"There are: {names}.")
    return webhook


def webhooks_with_counts() -> QuerySet[Webhook]:
    """Return webhooks, each with `waiting`, `given_up` and `last_sent`."""
    state = Delivery.State
    return Webhook.objects.select_related("created_by").annotate(
        waiting=Count("deliveries", filter=Q(deliveries__state=state.WAITING)),
        given_up=Count("deliveries", filter=Q(deliveries__state=state.DEAD)),
        last_sent=Max("deliveries__settled_at", filter=Q(deliveries__state=state.SENT)),
    )


def deliveries_to(webhook: Webhook) -> QuerySet[Delivery]:
    """Return what was, or is to be, sent to a webhook, newest first, with attempts."""
    return webhook.deliveries.select_related("event", "webhook").prefetch_related("tries").order_by("-id")


def told(person: User) -> QuerySet[Delivery]:
    """Return what a person was told, newest first, with attempts."""
    return person.deliveries.select_related("event", "person").prefetch_related("tries").order_by("-id")
