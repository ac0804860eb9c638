"""One delivery at a time: claimed, tried, and its attempt written down, whatever came of it.

A worker that is killed in between leaves a claim that runs out; the next try has the same key and the
same bytes, so that a receiver knows it again.
"""

import logging
import smtplib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from apps.notifications.backoff import MAX_ATTEMPTS, pause_after
from apps.notifications.models import Attempt, Delivery, Webhook
from apps.notifications.posting import NotDelivered, post
from apps.notifications.signing import HEADER, signature_header
from apps.refusals import Refusal

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)  # well above what one try may take
State = Delivery.State


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended: without an error it is delivered. `status` is HTTP's."""

    error: str = ""
    status: int | None = None


def due(*, webhook: int | None) -> QuerySet[Delivery]:
    """Return what is to be tried now for one webhook; with None, for everybody who gets mail."""
    now = timezone.now()
    recipient = Q(webhook=webhook) if webhook else Q(webhook=None)
    unclaimed = Q(claimed_until=None) | Q(claimed_until__lte=now)
    return Delivery.objects.filter(recipient, unclaimed, state=State.WAITING, next_at__lte=now).order_by("id")


def lanes_due() -> list[int | None]:
    """Return the webhooks for which something is due, and None if a mail is."""
    now = timezone.now()
    unclaimed = Q(claimed_until=None) | Q(claimed_until__lte=now)
    waiting = Delivery.objects.filter(unclaimed, state=State.WAITING, next_at__lte=now)
    return list(waiting.order_by().values_list("webhook", flat=True).distinct())


def send_next(*, webhook: int | None) -> bool:
    """Try the next delivery that is due; return whether there was one."""
    delivery = _claim(webhook)
    if delivery is None:
        return False
    at, begin = timezone.now(), time.monotonic()
    outcome = _try(delivery)
    write_down(delivery, outcome, at=at, took_ms=round((time.monotonic() - begin) * 1000))
    return True


@transaction.atomic
def write_down(delivery: Delivery, outcome: Outcome, *, at: datetime, took_ms: int) -> None:
    """Log one attempt, and settle the delivery or let it wait for the next."""
    number, now = delivery.attempts, timezone.now()
    Attempt.objects.create(
        delivery=delivery, number=number, at=at, took_ms=took_ms, status=outcome.status, error=outcome.error
    )
    open_one = Delivery.objects.filter(pk=delivery.pk, state=State.WAITING)
    if not outcome.error:
        open_one.update(state=State.SENT, settled_at=now, claimed_until=None, outcome="")
        return
    mine = open_one.filter(attempts=number)  # unless another worker has taken it over meanwhile
    if number >= delivery.budget:
        words = f"Given up after {number} attempts. The last: {outcome.error}"
        mine.update(state=State.DEAD, settled_at=now, claimed_until=None, outcome=words)
    else:
        tried = number - (delivery.budget - MAX_ATTEMPTS)
        mine.update(next_at=now + pause_after(tried), claimed_until=None, outcome=outcome.error)


def _claim(webhook: int | None) -> Delivery | None:
    """Take the next one that is due, with one conditional UPDATE: of many workers one has it."""
    for delivery in due(webhook=webhook)[:10]:
        seen = Delivery.objects.filter(
            pk=delivery.pk,
            state=State.WAITING,
            attempts=delivery.attempts,
            claimed_until=delivery.claimed_until,
        )
        if seen.update(attempts=F("attempts") + 1, claimed_until=timezone.now() + LEASE):
            return Delivery.objects.select_related("webhook", "person", "event").get(pk=delivery.pk)
    return None


def _try(delivery: Delivery) -> Outcome:
    try:
        if delivery.webhook:
            return _post(delivery, delivery.webhook)
        return _mail(delivery)
    except (NotDelivered, Refusal) as error:
        return Outcome(str(error))
    except Exception as error:  # a backend raises what it likes, and the attempt is to be seen
        logger.exception("%s was not sent.", delivery)
        return Outcome(f"{type(error).__name__}: {error}")


def _post(delivery: Delivery, webhook: Webhook) -> Outcome:
    body, now = delivery.body.encode(), int(timezone.now().timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Assetsite",
        "Idempotency-Key": str(delivery.key),
        "Assetsite-Event": delivery.event.kind,
        HEADER: signature_header(webhook.secret, at=now, body=body),
    }
    status = post(webhook.url, body, headers, networks=settings.WEBHOOK_NETWORKS)
    if 200 <= status < 300:
        return Outcome(status=status)
    why = "; redirects are not followed" if 300 <= status < 400 else ""
    return Outcome(f"It answered {status}{why}.", status)


def _mail(delivery: Delivery) -> Outcome:
    if delivery.person is None or not delivery.person.email:
        return Outcome("They have no mail address any more.")
    message = EmailMessage(
        delivery.subject,
        delivery.body,
        settings.EMAIL_FROM,
        [delivery.person.email],
        headers={"Message-ID": f"<{delivery.key}@{settings.EMAIL_FROM.rpartition('@')[2]}>"},
    )
    try:
        message.send(using="default")
    except (OSError, smtplib.SMTPException) as error:
        return Outcome(f"{type(error).__name__}: {error}")
    return Outcome()
