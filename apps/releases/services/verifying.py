"""Sees what became of a publication: who followed, what changed, what is answered; and closes its receipt.

All of it is done by the background worker, in steps that may each be repeated: publishing never waits for
it, and a worker that is killed leaves nothing but a receipt that the next one goes on with.
"""

import gzip
import io
import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from django.db import transaction
from django.utils import timezone

from apps.assets import store
from apps.jobs.services import enqueue
from apps.releases.channels.changed_urls import changed_urls
from apps.releases.channels.expected_answers import Addresses, answer_at
from apps.releases.channels.keys_before import keys_before
from apps.releases.channels.node_status import Following, NodeFollowing
from apps.releases.channels.probing import NoAnswer, Probe, host_of, hosts_of, look
from apps.releases.checks.live_examples import Asking, Standing, counts_in_words, live_results
from apps.releases.exceptions import CannotPurge, ManifestMissing
from apps.releases.manifest.writer import file_sha256
from apps.releases.models import Channel, Receipt, ReceiptStep
from apps.releases.purging.services import begin as begin_purges
from apps.releases.selectors import live_publication, open_manifest
from apps.releases.selectors.nodes import nodes_following
from apps.releases.selectors.receipts import (
    ListedUrl,
    listed_urls,
    open_receipts,
    publication_replaced_by,
)
from apps.releases.services.pointers import is_current
from apps.releases.services.receipts import Noted, note_examples, note_pointer
from apps.releases.tracing.places import place_of

logger = logging.getLogger(__name__)

FOLLOW_WITHIN = timedelta(seconds=60)
GIVE_UP_AFTER = timedelta(days=1)  # of a job that fails each time for a reason that nobody foresaw
KIND = "releases.complete_receipt"
FETCHES = 20
EXAMPLES = 200
_STARTED = time.monotonic()

Verdict = Receipt.Verdict


def follow_publications() -> list[str]:
    """Look who follows what was published lately; hand over to a job what has no more to wait for."""
    lines = []
    for receipt in open_receipts().filter(followed_at=None):
        try:
            lines.append(_follow(receipt))
        except Exception as error:  # noqa: BLE001 - a storage raises its client library's own
            logger.warning("Who follows %s cannot be seen; it is tried again: %r", receipt.publication, error)
    return list(filter(None, lines))


def resume_receipts() -> list[str]:
    """Queue again the jobs of receipts that have failed, for a day."""
    late = timezone.now() - GIVE_UP_AFTER
    for receipt in open_receipts().filter(followed_at__isnull=False):
        if receipt.publication.published_at < late:
            _finish(receipt, Verdict.UNKNOWN, "its job has failed for a day; the job's log says why")
        else:
            _hand_over(receipt)
    return []


def complete_receipt(receipt: Receipt) -> str:
    """List what changed, ask for some of it at the public door, and close the receipt; return its verdict.

    Interrupted anywhere, it goes on where it was.
    """
    publication = receipt.publication
    try:
        if receipt.url_count is None:
            _list_urls(receipt)
        _begin_purges(receipt)
        verdict, words = _verify(receipt)
    except ManifestMissing as missing:
        verdict, words = Verdict.UNKNOWN, str(missing)
    _finish(receipt, verdict, words)
    return f"{publication.tag}: {verdict.label}{f', {words}' if words else ''}"


def _begin_purges(receipt: Receipt) -> None:
    """Tell the caches in front; a fault in their configuration is no fault of the publication."""
    try:
        begin_purges(receipt)
    except CannotPurge as fault:
        logger.warning("Nothing in front is purged after %s: %s", receipt.publication, fault)


def _follow(receipt: Receipt) -> str:
    """Note the nodes of a publication once all follow or nobody waits for them; return a line if so."""
    publication, now = receipt.publication, timezone.now()
    if receipt.pointer_at is None and not _sees_pointer(receipt, now):
        return ""
    following = nodes_following(publication, now=now)
    is_late = now - (receipt.pointer_at or now) > FOLLOW_WITHIN
    # A worker that starts together with the nodes lets them speak first.
    has_waited = is_late and time.monotonic() - _STARTED > FOLLOW_WITHIN.total_seconds()
    if not (following.is_complete or has_waited):
        return ""
    return _note_nodes(receipt, following, now)


def _sees_pointer(receipt: Receipt, now: datetime) -> bool:
    """Say whether storage points at the publication after all; end a receipt that waits for it in vain."""
    publication = receipt.publication
    live = live_publication(publication.channel)
    if live != publication:
        _finish(receipt, Verdict.UNKNOWN, f"{live} took its place before storage had its pointer")
        return False
    if not is_current(live):
        return False
    note_pointer(publication)
    receipt.pointer_at = now
    return True


@transaction.atomic
def _note_nodes(receipt: Receipt, following: Following, now: datetime) -> str:
    since = following.since if following.is_complete else now
    mine = Receipt.objects.filter(pk=receipt.pk, followed_at=None, finished_at=None)
    if not mine.update(followed_at=since):
        return ""
    ReceiptStep.objects.bulk_create(
        _node_step(receipt, number, node, now) for number, node in enumerate(following.nodes)
    )
    _hand_over(receipt)
    return f"{receipt.publication}: {following.following} of {following.workers} workers follow."


def _node_step(receipt: Receipt, number: int, node: NodeFollowing, now: datetime) -> ReceiptStep:
    if node.has_followed:
        words = f"{node.workers} of {node.workers} workers follow"
    elif node.is_silent:
        words = "has not been heard of lately; nobody waited for it"
    else:
        within = f"{FOLLOW_WITHIN.total_seconds():.0f} s"
        words = f"did not follow within {within}: {node.following} of {node.workers} workers do"
    return ReceiptStep(
        receipt=receipt,
        kind=ReceiptStep.Kind.NODE,
        number=number,
        subject=node.node,
        at=node.since or now,
        is_good=node.has_followed or node.is_silent,
        words=words,
    )


def _hand_over(receipt: Receipt) -> None:
    enqueue(kind=KIND, key=f"receipt-{receipt.pk}", payload={"publication": receipt.pk})


def addresses_of(channel: Channel) -> Addresses:
    """Return the options of a channel that say which addresses its files have."""
    return Addresses(channel.clean_urls, channel.not_found_page)


def _list_urls(receipt: Receipt) -> None:
    """Write the addresses that changed to storage, and note how many they are."""
    publication = receipt.publication
    before = publication_replaced_by(publication)
    old, new = open_manifest(before.manifest) if before else None, open_manifest(publication.manifest)
    with store.temporary_file() as file:
        addresses = addresses_of(publication.channel)
        listed = (
            ListedUrl(url, keys_before(old, url, addresses)) for url in changed_urls(old, new, addresses)
        )
        counts = _write_list(file, listed)
        sha256 = file_sha256(file)
        name = f"receipts/{publication.channel.name}/{publication.sequence}.{sha256[:16]}.txt.gz"
        store.put_file(name, file, sha256=sha256)
    receipt.url_count, receipt.keyed_url_count = counts.urls, counts.keyed
    receipt.surrogate_keys = dict(counts.by_key)
    receipt.urls_name, receipt.urls_sha256 = name, sha256
    receipt.save(update_fields=("url_count", "keyed_url_count", "surrogate_keys", "urls_name", "urls_sha256"))


@dataclass(slots=True)
class _Counts:
    """How many addresses are listed, how many of them have surrogate keys, and how many each key has."""

    urls: int = 0
    keyed: int = 0
    by_key: Counter[str] = field(default_factory=Counter)


def _write_list(file: Path, urls: Iterator[ListedUrl]) -> _Counts:
    """Write a line for each address, with its keys behind a tab, compressed; return how many there are.

    The bytes are the same for the same addresses and keys.
    """
    counts = _Counts()
    with (
        file.open("wb") as target,
        gzip.GzipFile("", "wb", fileobj=target, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="ascii") as text,
    ):
        for url, keys in urls:
            text.write(f"{url}\t{' '.join(keys)}\n" if keys else f"{url}\n")
            counts.urls += 1
            counts.keyed += bool(keys)
            counts.by_key.update(keys)
    return counts


def _verify(receipt: Receipt) -> tuple[Verdict, str]:
    """Ask for a sample of what changed; return the verdict, and why it is not the best one."""
    publication = receipt.publication
    host = host_of(publication.channel)
    if host is None:
        return Verdict.UNKNOWN, f"{publication.channel} has no host name, so nothing could be fetched"
    try:
        for number, probe in enumerate(_probes(receipt)):
            _probe(receipt, number, probe, host)
        _try_examples(receipt, host)
    except NoAnswer as fault:
        return Verdict.UNKNOWN, str(fault)
    if (live := live_publication(publication.channel)) != publication:
        return Verdict.UNKNOWN, f"{live} took its place before it was verified"
    return _judge(receipt)


def _judge(receipt: Receipt) -> tuple[Verdict, str]:
    bad = receipt.steps.filter(is_good=False)
    faults = [f"{step.subject} {step.words}" for step in bad[:3]]
    if faults:
        more = bad.count() - len(faults)
        return Verdict.FAILED, "; ".join(faults) + (f"; and {more} more" if more > 0 else "")
    if not receipt.steps.filter(kind=ReceiptStep.Kind.NODE).exists():
        return Verdict.UNKNOWN, "no delivery node has said which publication it serves"
    return Verdict.VERIFIED, ""


def _probes(receipt: Receipt) -> Iterator[Probe]:
    """Yield what to ask for: the front page, and addresses from all over the list, the same each time."""
    publication = receipt.publication
    reader, addresses = open_manifest(publication.manifest), addresses_of(publication.channel)
    release = publication.release_id if publication.channel.names_release else None
    for url in ("/", *_sample(receipt)):
        yield Probe(url, answer_at(reader, unquote(url)[1:], addresses), release)


def _sample(receipt: Receipt) -> list[str]:
    """Return some of the changed addresses, evenly from the whole list; none that stands for many."""
    step = max(1, (receipt.url_count or 0) // (FETCHES - 1))
    urls = islice(listed_urls(receipt), 0, None, step)
    return list(islice((url for url in urls if url != "/" and not url.endswith("*")), FETCHES - 1))


def _probe(receipt: Receipt, number: int, probe: Probe, host: str) -> None:
    if receipt.steps.filter(kind=ReceiptStep.Kind.FETCH, number=number).exists():
        return
    seen = look(probe, host=host)
    ReceiptStep.objects.create(
        receipt=receipt,
        kind=ReceiptStep.Kind.FETCH,
        number=number,
        subject=probe.url,
        at=timezone.now(),
        is_good=seen.is_as_expected,
        words=seen.words,
    )


def _try_examples(receipt: Receipt, host: str) -> None:
    """Ask for the examples of the rules that went live, once, and note which do not hold, and how many do."""
    publication, channel = receipt.publication, receipt.publication.channel
    if receipt.steps.filter(kind=ReceiptStep.Kind.EXAMPLE).exists():
        return
    place = place_of("", {}, channel=channel.name)
    if place.publication != publication:
        return  # another one took its place, which the verdict says
    asking = Asking("", host, hosts_of(channel))
    results = list(live_results(place, asking, most=EXAMPLES))
    failed = [each for each in results if each.standing is Standing.FAILS]
    noted = [Noted(each.owned.subject, is_good=False, words=each.words) for each in failed]
    total = Noted("Examples of cache rules", is_good=not failed, words=counts_in_words(results))
    note_examples(receipt, ReceiptStep.Kind.EXAMPLE, noted, total)


def _finish(receipt: Receipt, verdict: Verdict, words: str) -> None:
    """Close a receipt, if nobody else has."""
    Receipt.objects.filter(pk=receipt.pk, finished_at=None).update(
        verdict=verdict, words=words, finished_at=timezone.now()
    )
