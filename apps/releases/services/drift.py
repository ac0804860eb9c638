"""Whether visitors get what this site sends: examples are asked for at the public address, again and again.

What stands between the two — a forgotten rule of a CDN, another proxy, a default — tells nobody when it
changes. Only the address that PUBLIC_URLS names for a channel is ever connected to.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from itertools import groupby
from operator import itemgetter

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.services import record
from apps.jobs.models import Job
from apps.jobs.services import enqueue
from apps.releases.channels.probing import NoAnswer
from apps.releases.checks.live_examples import Standing, counts_in_words
from apps.releases.checks.public_look import CacheWords, DriftFinding, PublicLook, look_at
from apps.releases.exceptions import ReleaseRefusal
from apps.releases.models import Channel, Drift, Publication, ReceiptStep
from apps.releases.selectors import live_publication
from apps.releases.selectors.in_front import SETTLES_WITHIN, in_front_waits_for
from apps.releases.selectors.receipts import receipt_of
from apps.releases.services.receipts import Noted, looks_taken, note_examples
from apps.releases.tracing.places import place_of

KIND = "releases.look_for_drift"
LOOK_EVERY_SECONDS = 300
QUEUE_EVERY_SECONDS = 10  # so that a receipt waits for little more than its caches
GIVES_UP_AFTER = timedelta(minutes=10)  # without an answer, before a receipt says so for good
KEPT_FOR = timedelta(days=90)
MOST_FINDINGS = 50
_LONGEST_VALUE = 500

Outcome = Drift.Outcome


class NoPublicUrl(ReleaseRefusal):
    code = "no_public_url"


def public_url(channel: Channel) -> str:
    """Return where visitors get a channel. Raises `NoPublicUrl`."""
    url: str = settings.PUBLIC_URLS.get(channel.name, "")
    if not url:
        raise NoPublicUrl(
            f"Where visitors get {channel} is not known.",
            next_step=f"Set PUBLIC_URLS={channel}=https://www.example.com, as docs/caches.md says.",
        )
    return url


def look_for_drift(channel: Channel, *, asked_by: User | None = None) -> Drift:
    """Ask for the examples of what is live as a visitor does, and note what came of it.

    The first time that this is done after the caches in front were told of a publication, it is noted on its
    receipt, too; and again where somebody has asked for it. Raises `NoPublicUrl`, and what `place_of` raises
    where nothing is live.
    """
    url = public_url(channel)
    place = place_of("", {}, channel=channel.name)
    due = place.publication if place.publication and _is_due(place.publication, asked_by) else None
    try:
        look = look_at(place, url, is_judged=due is not None)
    except NoAnswer as fault:
        drift = _note(channel, url, Outcome.NO_ANSWER, 0, f"{fault}.", [], None)
        if due and (asked_by or drift.looked_at - drift.began_at >= GIVES_UP_AFTER):
            _note_on_receipt(due, url, str(fault), asked_by=asked_by)
        return drift
    words = _in_words(look.asked, len({finding.address for finding in look.findings}))
    if due:
        _note_on_receipt(due, url, words, look, asked_by=asked_by)
    outcome = Outcome.DRIFTED if look.findings else Outcome.RIGHT
    return _note(channel, url, outcome, look.asked, words, look.findings[:MOST_FINDINGS], look.caches)


def queue_looks() -> None:
    """Queue a look at each channel with a public address that has settled; let old notes go.

    It takes as long as visitors wait there, so that it is no chore but a job: schedules do not wait for it.
    """
    turn = int(timezone.now().timestamp() // LOOK_EVERY_SECONDS)
    for channel in Channel.objects.filter(name__in=settings.PUBLIC_URLS).order_by("pk"):
        live = live_publication(channel)
        if live is None or not _is_settled(live):
            continue
        key = f"drift-{channel.pk}-{live.sequence}-{turn}"
        if not Job.objects.filter(key=key).exists():  # one that has failed waits for its next turn
            enqueue(kind=KIND, key=key, payload={"channel": channel.pk})
    newest = Drift.objects.order_by().values("channel").annotate(newest=Max("id"))
    Drift.objects.filter(looked_at__lt=timezone.now() - KEPT_FOR).exclude(
        pk__in=newest.values_list("newest", flat=True)
    ).delete()


def _is_settled(live: Publication) -> bool:
    """Say whether caches have been told of what is live, or have had the time to ask by themselves."""
    return timezone.now() - live.published_at >= SETTLES_WITHIN or not in_front_waits_for(live)


def _is_due(live: Publication, asked_by: User | None) -> bool:
    """Say whether a receipt waits for what is seen through the caches in front, and need not any longer."""
    receipt = receipt_of(live)
    if receipt is None or (asked_by is None and looks_taken(receipt)):
        return False
    return not in_front_waits_for(live)


@transaction.atomic
def _note_on_receipt(
    publication: Publication,
    url: str,
    words: str,
    look: PublicLook | None = None,
    *,
    asked_by: User | None,
) -> None:
    """Note on the receipt of what is still live what came of a look at it; None: nobody answered."""
    Channel.objects.select_for_update(no_key=True).get(pk=publication.channel_id)
    if live_publication(publication.channel) != publication or not _is_due(publication, asked_by):
        return
    noted = list(_noted(look)) if look else []
    if look:
        others = "" if look.is_whole else "; there was no time for the others"
        words = f"{counts_in_words(look.results)}{others}. {words}".removesuffix(".")
    total = Noted(url, is_good=look is not None and not noted, words=words)
    looks = looks_taken(publication.receipt)
    note_examples(publication.receipt, ReceiptStep.Kind.IN_FRONT, noted, total, look=looks, asked_by=asked_by)
    if asked_by:
        record(
            actor=asked_by,
            action="publication.look_again",
            target=f"channel {publication.channel}",
            summary=f"Looked again what visitors get of {publication} at {url}: {words}.",
            details={"publication": publication.tag, "good": total.is_good},
        )


def _noted(look: PublicLook) -> Iterator[Noted]:
    """Yield what is otherwise than it should be: examples, then headers that somebody changed."""
    for result in look.results:
        if result.standing is Standing.FAILS:
            yield Noted(result.owned.subject, is_good=False, words=result.words)
    same = itemgetter("header", "expected", "seen")
    findings = sorted(map(asdict, look.findings), key=same)
    for (header, expected, seen), group in groupby(findings, key=same):
        first, *others = group
        where = f"{first['address']} and {len(others)} more" if others else first["address"]
        words = (
            f"sent {_quoted(expected)}, visitors get {_quoted(seen)}; on the way {_quoted(first['where'])}"
        )
        yield Noted(f"{header or 'all headers'} at {where}", is_good=False, words=words)


def _quoted(value: str) -> str:
    return f"“{value}”" if len(value) <= _LONGEST_VALUE else f"“{value[:_LONGEST_VALUE]}…”"


@transaction.atomic
def _note(
    channel: Channel,
    url: str,
    outcome: Drift.Outcome,
    asked: int,
    words: str,
    findings: list[DriftFinding],
    caches: dict[str, CacheWords] | None,
) -> Drift:
    """Write down how it is; where that is how it was, only that it still is so."""
    Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    now, kept = timezone.now(), [asdict(finding) for finding in findings]
    last = Drift.objects.filter(channel=channel).order_by("-id").first()
    if last and (last.url, last.outcome) == (url, outcome) and _essence(last.findings) == _essence(kept):
        last.looked_at, last.asked, last.words, last.caches = now, asked, words, caches
        last.save(update_fields=("looked_at", "asked", "words", "caches"))
        return last
    drift = Drift.objects.create(
        channel=channel, url=url, began_at=now, looked_at=now, outcome=outcome, asked=asked, words=words,
        findings=kept, caches=caches,
    )  # fmt: skip
    if outcome is not Outcome.RIGHT or (last and last.outcome != Outcome.RIGHT):
        record(
            actor=None,
            action="channel.drift",
            target=f"channel {channel}",
            summary=f"What visitors get of {channel} at {url}: {words}",
            details={"outcome": outcome.value, "findings": kept[:5]},
        )
    return drift


def _in_words(asked: int, changed: int) -> str:
    if not asked:
        return "No address was asked for: no example has a file in what is live."
    where = "the one address that was asked for" if asked == 1 else f"each of {asked:,} addresses"
    if not changed:
        return f"At {where}, visitors get what this site sends."
    where = where if changed == asked else f"{changed:,} of {asked:,} addresses"
    return f"At {where}, visitors get something else than this site sends."


def _essence(findings: list[dict[str, str]]) -> set[tuple[str, str, str]]:
    """Return what makes findings the same: not how old a copy was at the moment."""
    return {
        (each["address"], each["header"], "" if each["header"] == "age" else each["seen"])
        for each in findings
    }
