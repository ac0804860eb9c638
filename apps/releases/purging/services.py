"""Begins purges, goes on with those that wait, and says how each of them came out.

A purge is a row for each publication and cache. How far it has come is written after each batch, so that a
worker that is killed leaves one batch at most that is told twice, which does no harm.
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.caching.purging.contract import PurgeFailed, Purger, TryLater
from apps.jobs.services import enqueue
from apps.releases.exceptions import CannotPurge, ReceiptIncomplete
from apps.releases.models import Publication, Purge, Receipt
from apps.releases.purging.addresses import Amount, amount, amount_of, batches, caches
from apps.releases.selectors.receipts import receipt_of

logger = logging.getLogger(__name__)

KIND = "releases.purge"
MAX_FAILURES = 10
_FIRST, _LONGEST = timedelta(seconds=5), timedelta(minutes=30)
_LEASE = timedelta(minutes=10)  # without a word from its worker for so long, it is begun again
State = Purge.State


@transaction.atomic
def begin(receipt: Receipt) -> list[Purge]:
    """Note for each cache in front what it has to forget, once, and hand it over to the worker."""
    begun = []
    for purger in caches():
        told = amount(receipt, purger)
        purge, is_new = Purge.objects.get_or_create(
            publication=receipt.publication,
            cache=purger.name,
            defaults={"total": told.words, "key_count": told.keys},
        )
        if is_new:
            _hand_over(purge)
        begun.append(purge)
    return begun


def listed_receipt(publication: Publication) -> Receipt:
    """Return the receipt that lists what a publication changed. Raises `CannotPurge` where none does."""
    receipt = receipt_of(publication)
    if receipt is None or receipt.url_count is None:
        raise CannotPurge(
            f"Which addresses {publication} changed is not listed.",
            next_step=f"`scripts/manage release receipt {publication.tag}` says why.",
        )
    return receipt


@transaction.atomic
def purge_again(*, publication: Publication, actor: User) -> list[Purge]:
    """Begin what was not begun, and what has failed once more, from where it stopped.

    Raises `Forbidden`, and `CannotPurge` where no cache is named, or what changed is not listed yet.
    """
    require(actor, "releases.publish_release", to="purge caches again")
    if not caches():
        raise CannotPurge("PURGE_URLS names no cache.", next_step="docs/caches.md says how it does.")
    purges = begin(listed_receipt(publication))
    for purge in purges:
        failed = Purge.objects.filter(pk=purge.pk, state=State.FAILED)
        if failed.update(state=State.WAITING, finished_at=None, failures=0):
            _hand_over(purge)
        purge.refresh_from_db()
    record(
        actor=actor,
        action="publication.purge",
        target=f"channel {publication.channel}",
        summary=f"Told the caches in front again to forget what {publication.tag} changed.",
        details={"publication": publication.sequence, "caches": [purge.cache for purge in purges]},
    )
    return purges


def hand_over_due() -> list[str]:
    """Hand over what waits for its time, or was left by a worker that failed."""
    now = timezone.now()
    due = Purge.objects.filter(Q(next_at__lte=now), state=State.WAITING)
    for purge in due:
        _hand_over(purge)
    return []


def run(purge_id: int) -> str:
    """Tell a cache what it has not been told yet; return how that went."""
    purge = Purge.objects.select_related("publication__channel").get(pk=purge_id)
    if purge.state != State.WAITING:
        return f"{purge.cache}: {purge.get_state_display()}."
    purger = next((one for one in caches() if one.name == purge.cache), None)
    if purger is None:
        return _fail(purge, "PURGE_URLS names it no more.")
    try:
        return _tell(purge, purger)
    except TryLater as later:
        return _try_later(purge, later)
    except (PurgeFailed, ReceiptIncomplete) as fault:
        return _fail(purge, str(fault))


def _tell(purge: Purge, purger: Purger) -> str:
    receipt = Receipt.objects.select_related("publication__channel").get(publication=purge.publication_id)
    _begin_anew_if_other(purge, amount(receipt, purger))
    for batch in batches(receipt, purger, done=purge.done):
        reference = f"assetsite-{purge.publication.tag}-{purge.done}"
        purger.purge(batch, reference=reference)
        purge.done += len(batch)
        mine = Purge.objects.filter(pk=purge.pk, state=State.WAITING, done__lt=purge.done)
        mine.update(done=purge.done, failures=0, next_at=timezone.now() + _LEASE)
    Purge.objects.filter(pk=purge.pk, state=State.WAITING).update(
        state=State.DONE, done=F("total"), finished_at=timezone.now(), next_at=None, words=""
    )
    return f"{purge.cache} forgot {amount_of(purge)}."


def _begin_anew_if_other(purge: Purge, told: Amount) -> None:
    """Begin with the first word again where hosts came or went meanwhile: the list is another one."""
    if (purge.total, purge.key_count or 0) == (told.words, told.keys):
        return
    purge.total, purge.key_count, purge.done = told.words, told.keys, 0
    Purge.objects.filter(pk=purge.pk, state=State.WAITING).update(
        total=told.words, key_count=told.keys, done=0
    )


def _try_later(purge: Purge, later: TryLater) -> str:
    failures = Purge.objects.values_list("failures", flat=True).get(pk=purge.pk) + 1
    if failures >= MAX_FAILURES:
        return _fail(purge, f"{later}; given up after {failures} tries")
    pause = _FIRST * 2 ** (failures - 1)
    if later.after_seconds is not None:
        pause = timedelta(seconds=min(later.after_seconds, _LONGEST.total_seconds()))
    next_at = timezone.now() + min(pause, _LONGEST)
    Purge.objects.filter(pk=purge.pk).update(failures=failures, next_at=next_at, words=str(later))
    return f"{later}; tried again at {next_at:%H:%M:%S} UTC."


def _fail(purge: Purge, words: str) -> str:
    Purge.objects.filter(pk=purge.pk, state=State.WAITING).update(
        state=State.FAILED, words=words, finished_at=timezone.now(), next_at=None
    )
    logger.error("The cache %s was not purged after %s: %s", purge.cache, purge.publication, words)
    return f"{purge.cache}: {words}."


@transaction.atomic
def _hand_over(purge: Purge) -> None:
    """Queue one run of a purge, unless another process has just done so."""
    mine = Purge.objects.filter(pk=purge.pk, tries=purge.tries, state=State.WAITING)
    if mine.update(tries=F("tries") + 1, next_at=timezone.now() + _LEASE):
        enqueue(kind=KIND, key=f"purge-{purge.pk}-{purge.tries + 1}", payload={"purge": purge.pk})
