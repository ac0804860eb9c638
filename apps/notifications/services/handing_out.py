"""From what happened to what is sent: each event becomes one delivery for each who is told."""

import logging
import uuid

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.notifications.about import About, about
from apps.notifications.backoff import MAX_ATTEMPTS
from apps.notifications.models import Delivery, Event, Webhook
from apps.notifications.recipients import people_for, webhooks_for
from apps.notifications.wording import json_for, mail_for

logger = logging.getLogger(__name__)

_EVENTS_AT_ONCE = 200
NO_SERVER = "No mail server is set (EMAIL_URL)."
NO_ADDRESS = "They have no mail address."


def hand_out() -> int:
    """Hand out what was noted since; return how many events that were. Safe in many workers at once.

    An event that cannot be put into words is logged and left out: those after it do not wait for it.
    """
    waiting = Event.objects.filter(handed_out_at=None).order_by("id").values_list("pk", flat=True)
    return sum(_hand_out(pk) for pk in list(waiting[:_EVENTS_AT_ONCE]))


@transaction.atomic
def _hand_out(pk: int) -> bool:
    """Make the deliveries of one event, all or none; return whether this call did."""
    mine = Event.objects.filter(pk=pk, handed_out_at=None).update(handed_out_at=timezone.now())
    if not mine:
        return False
    try:
        with transaction.atomic():
            Delivery.objects.bulk_create(_deliveries(Event.objects.get(pk=pk)))
    except DatabaseError:
        raise
    except Exception:  # nobody can mend a fault of ours by waiting
        logger.exception("Nobody is told of event %s.", pk)
    return True


def _deliveries(event: Event) -> list[Delivery]:
    subject = about(event)
    mails = [_by_mail(person, event, subject) for person in people_for(event, subject)]
    return mails + [_by_webhook(webhook, event, subject) for webhook in webhooks_for(event)]


def _by_mail(person: User, event: Event, subject: About) -> Delivery:
    mail = mail_for(person, event, subject)
    delivery = Delivery(event=event, person=person, subject=mail.subject, body=mail.body, budget=MAX_ATTEMPTS)
    reason = NO_ADDRESS if not person.email else "" if settings.SENDS_MAIL else NO_SERVER
    if reason:
        delivery.state, delivery.outcome = Delivery.State.UNSENT, reason
        delivery.settled_at = timezone.now()
    return delivery


def _by_webhook(webhook: Webhook, event: Event, subject: About) -> Delivery:
    key = uuid.uuid4()
    body = json_for(str(key), event, subject)
    return Delivery(event=event, webhook=webhook, key=key, body=body, budget=MAX_ATTEMPTS)
