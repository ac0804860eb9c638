"""What is still to come before a publication is looked at through the caches in front of it."""

from datetime import timedelta

from django.utils import timezone

from apps.releases.models import Drift, Publication, Purge
from apps.releases.selectors.receipts import receipt_of

SETTLES_WITHIN = timedelta(minutes=5)  # where no cache is told, those in front have asked anew by then


def in_front_waits_for(publication: Publication) -> str:
    """Say what a look at a publication through the caches in front waits for; "" where it may be taken.

    A cache that was not told would show what it was not told to forget, which proves nothing of a rule.
    """
    receipt = receipt_of(publication)
    if receipt and receipt.finished_at is None:
        return "what this site answers itself is asked first"
    purges = list(publication.purges.exclude(state=Purge.State.DONE)[:1])
    if purges and purges[0].state == Purge.State.FAILED:
        return f"{purges[0].cache} has to forget what changed, and could not be told"
    if purges:
        return f"{purges[0].cache} has to forget what changed"
    is_told = publication.purges.exists()
    if not is_told and timezone.now() - publication.published_at < SETTLES_WITHIN:
        minutes = SETTLES_WITHIN.total_seconds() / 60
        return f"caches that nobody tells get {minutes:.0f} minutes to ask anew"
    return ""


def silence_at(publication: Publication, url: str) -> str:
    """Say that nobody answers at the public address; "" where somebody did, or was not asked since."""
    asked = Drift.objects.filter(channel=publication.channel, looked_at__gte=publication.published_at)
    last = asked.order_by("-id").first()
    if last is None or last.url != url or last.outcome != Drift.Outcome.NO_ANSWER:
        return ""
    return f"{last.words.removesuffix('.')}; it is asked again every few minutes"
