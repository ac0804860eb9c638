"""Whether visitors get what this site sends: examples are asked for at the public address, again and again.

What stands between the two — a forgotten rule of a CDN, another proxy, a default — tells nobody when it
changes. Only the address that PUBLIC_URLS names for a channel is ever connected to.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import islice
from time import monotonic
from typing import TypedDict
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.audit.services import record
from apps.caching.headers import HeaderFault
from apps.jobs.services import enqueue
from apps.releases.channels.probing import NoAnswer, ask, hosts_of
from apps.releases.checks.examples import ExamplesOf
from apps.releases.checks.live_examples import sent_headers
from apps.releases.exceptions import ReleaseRefusal
from apps.releases.models import Channel, Drift, Publication, Purge
from apps.releases.selectors import live_publication
from apps.releases.tracing.asked import AddressFault
from apps.releases.tracing.explaining import Explanation, Verdict, explain
from apps.releases.tracing.places import Place, place_of
from apps.releases.tracing.seen import SeenAnswer

KIND = "releases.look_for_drift"
LOOK_EVERY_SECONDS = 300
LOOK_SECONDS = 60.0  # and no longer, however slow the answers are
SETTLES_WITHIN = timedelta(minutes=5)  # after a publication caches are told, and ask anew
KEPT_FOR = timedelta(days=90)
MOST_ADDRESSES = 100
MOST_FINDINGS = 50
_OF_THE_FILE = (200, 206, 304)

Outcome = Drift.Outcome


class CacheWords(TypedDict):
    """Addresses of a rule: that were asked for, for which a cache said what it did, and had a copy."""

    asked: int
    said: int
    hit: int


class NoPublicUrl(ReleaseRefusal):
    code = "no_public_url"


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """A header that visitors get otherwise than it was sent; `where` is what the answer tells of its way."""

    address: str
    header: str
    expected: str
    seen: str
    where: str


def public_url(channel: Channel) -> str:
    """Return where visitors get a channel. Raises `NoPublicUrl`."""
    url: str = settings.PUBLIC_URLS.get(channel.name, "")
    if not url:
        raise NoPublicUrl(
            f"Where visitors get {channel} is not known.",
            next_step=f"Set PUBLIC_URLS={channel}=https://www.example.com, as docs/caches.md says.",
        )
    return url


def look_for_drift(channel: Channel) -> Drift:
    """Ask for the examples of what is live as a visitor does, and note what came of it.

    Raises `NoPublicUrl`, and what `place_of` raises where nothing is live.
    """
    url = public_url(channel)
    place = place_of("", {}, channel=channel.name)
    try:
        asked, findings, caches = _look(place, url)
    except NoAnswer as fault:
        return _note(channel, url, Outcome.NO_ANSWER, 0, f"{fault}.", [], None)
    words = _in_words(asked, len({finding.address for finding in findings}))
    outcome = Outcome.DRIFTED if findings else Outcome.RIGHT
    return _note(channel, url, outcome, asked, words, findings[:MOST_FINDINGS], caches)


def queue_looks() -> None:
    """Queue a look at each channel with a public address that has settled; let old notes go.

    It takes as long as visitors wait there, so that it is no chore but a job: schedules do not wait for it.
    """
    turn = int(timezone.now().timestamp() // LOOK_EVERY_SECONDS)
    for channel in Channel.objects.filter(name__in=settings.PUBLIC_URLS).order_by("pk"):
        live = live_publication(channel)
        if live is not None and _is_settled(live):
            enqueue(kind=KIND, key=f"drift-{channel.pk}-{turn}", payload={"channel": channel.pk})
    newest = Drift.objects.order_by().values("channel").annotate(newest=Max("id"))
    Drift.objects.filter(looked_at__lt=timezone.now() - KEPT_FOR).exclude(
        pk__in=newest.values_list("newest", flat=True)
    ).delete()


def _is_settled(live: Publication) -> bool:
    """Say whether caches have been told of what is live, or have had the time to ask by themselves."""
    states = set(live.purges.values_list("state", flat=True))
    is_told = bool(states) and Purge.State.WAITING not in states
    return is_told or timezone.now() - live.published_at >= SETTLES_WITHIN


def _look(place: Place, url: str) -> tuple[int, list[DriftFinding], dict[str, CacheWords]]:
    """Return how many addresses were asked for, what was found there, and what caches said, by rule."""
    host, until = urlsplit(url).netloc, monotonic() + LOOK_SECONDS
    findings: list[DriftFinding] = []
    caches: dict[str, CacheWords] = {}
    asked = 0
    for target, headers, rule in islice(_requests(place), MOST_ADDRESSES):
        try:
            answer = ask(target, host=host, headers=dict(headers), where=url)
        except ValueError:  # no request can be made of it, which its form does not know
            continue
        asked += 1
        findings += _findings(place, target, answer)
        _hear(caches.setdefault(rule, CacheWords(asked=0, said=0, hit=0)), answer)
        if monotonic() > until:
            break
    return asked, findings, caches


def _hear(words: CacheWords, answer: SeenAnswer) -> None:
    said = [hop.was_hit for hop in answer.hops if hop.was_hit is not None]
    words["asked"] += 1
    words["said"] += bool(said)
    words["hit"] += any(said)


def _requests(place: Place) -> Iterator[tuple[str, tuple[tuple[str, str], ...], str]]:
    """Yield what to ask for, and the rule that decides there.

    These are the examples that have a file in what is live, each request once.
    """
    examples, hosts = ExamplesOf(place), hosts_of(place.channel)
    known: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for owned in examples:
        try:
            located = examples.located(owned.example)
        except (AddressFault, HeaderFault):
            continue
        headers = tuple(sent_headers(owned.example).items())
        request = located.asked.target, headers
        is_elsewhere = bool(located.asked.host) and located.asked.host not in hosts
        if located.served and not located.outcome.bypass and not is_elsewhere and request not in known:
            known.add(request)
            yield *request, located.outcome.rule


def _findings(place: Place, target: str, answer: SeenAnswer) -> Iterator[DriftFinding]:
    if answer.status not in _OF_THE_FILE:
        yield DriftFinding(target, "status", "200", str(answer.status), _where(answer))
        return
    found = explain(place, target, answer, now=timezone.now())
    if found.verdict is Verdict.UNKNOWN:
        yield DriftFinding(target, "", "an answer of this site", found.headline, _where(answer))
    for difference in found.differences:
        expected = difference.expected or "not there"
        yield DriftFinding(
            target, difference.header, expected, difference.seen or "not there", _where(answer)
        )
    if _is_too_old(found):
        seen = f"{found.age_words}, from {found.source.tag if found.source else 'before'}"
        yield DriftFinding(target, "age", "as long as its headers allow", seen, _where(answer))


def _is_too_old(found: Explanation) -> bool:
    is_old = found.verdict is not Verdict.RIGHT
    return is_old and any(each.seconds < 0 and each.kept.cache != "browser" for each in found.left)


def _where(answer: SeenAnswer) -> str:
    """Say which hops name themselves, the nearest to the origin first, and whether one had a copy."""
    hops = [f"{hop.header}: {hop.words}" for hop in answer.hops]
    if answer.age_seconds:
        hops.append(f"Age: {answer.age_seconds}")
    return "; ".join(hops) or "nothing on the way names itself"


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
    if changed:
        where = f"{changed:,} of {asked:,} addresses" if asked > 1 else "the one address that was asked for"
        return f"At {where}, visitors get something else than this site sends."
    where = f"each of {asked:,} addresses" if asked > 1 else "the one address that was asked for"
    return f"At {where}, visitors get what this site sends."


def _essence(findings: list[dict[str, str]]) -> set[tuple[str, str, str]]:
    """Return what makes findings the same: not how old a copy was at the moment."""
    return {
        (each["address"], each["header"], "" if each["header"] == "age" else each["seen"])
        for each in findings
    }
