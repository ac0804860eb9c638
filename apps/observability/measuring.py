"""What was measured of a rule: version by version, so that what came of each can be read."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from django.db.models import Max, Min, Sum
from django.utils import timezone

from apps.caching.models import CacheRule, CacheRuleVersion
from apps.observability.models import RuleCount
from apps.releases.models import Channel, Drift, Publication, Release
from apps.releases.templatetags.staff_pages import size

LEAST_COUNTED = timedelta(hours=1)  # of less, nothing is said of a whole day


@dataclass(frozen=True, slots=True)
class VersionMeasured:
    """What was answered under a version on a channel; `counted_for` is how long it was live there meanwhile.

    `since` and `until` are when it was first live and last; `until` is None where it is now.
    """

    version: int
    requests: int
    body_bytes: int
    not_modified: int
    errors: int
    counted_for: timedelta
    since: datetime | None
    until: datetime | None

    @property
    def not_modified_share(self) -> float | None:
        """The share of answers that were a 304, from 0 to 1."""
        return self.not_modified / self.requests if self.requests else None

    @property
    def requests_a_day(self) -> float | None:
        """None where it was not live for long enough to say."""
        return (
            self.requests / (self.counted_for / timedelta(days=1))
            if self.counted_for >= LEAST_COUNTED
            else None
        )

    @property
    def bytes_a_day(self) -> float | None:
        """None where it was not live for long enough to say."""
        return (
            self.body_bytes / (self.counted_for / timedelta(days=1))
            if self.counted_for >= LEAST_COUNTED
            else None
        )


@dataclass(frozen=True, slots=True)
class Hits:
    """What caches in front said when the public address was last looked at.

    Of the `asked` addresses of a rule, some cache said for `said` what it did, and for `hit` that it had
    a copy.
    """

    url: str
    looked_at: datetime
    asked: int
    said: int
    hit: int

    @property
    def words(self) -> str:
        if not self.said:
            return f"asked for {_addresses(self.asked)}, no cache said what it did"
        return f"asked for {_addresses(self.said)}, a cache had a copy of {self.hit:,}"


@dataclass(frozen=True, slots=True)
class ChannelMeasured:
    """What was measured on one channel: versions, the newest first; `hits` is None where nobody looked."""

    channel: str
    versions: tuple[VersionMeasured, ...]
    hits: Hits | None

    @property
    def before_and_after(self) -> str:
        """The newest version beside the one before, in words; "" where there are no two to compare."""
        if len(self.versions) < 2:
            return ""
        after, before = self.versions[:2]
        if after.requests_a_day is None or before.requests_a_day is None:
            return f"Too early to compare version {after.version} with version {before.version}."
        return (
            f"Version {after.version} after version {before.version}: a day"
            f" {after.requests_a_day:,.0f} requests after {before.requests_a_day:,.0f}"
            f"{_difference(after.requests_a_day, before.requests_a_day)},"
            f" {size(round(after.bytes_a_day or 0))} after {size(round(before.bytes_a_day or 0))}"
            f"{_difference(after.bytes_a_day or 0, before.bytes_a_day or 0)};"
            f" answered with 304: {percent(after.not_modified_share)} after"
            f" {percent(before.not_modified_share)}."
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a rule; `why_nothing` says why there is nothing, "" where there is something."""

    rule: str
    channels: tuple[ChannelMeasured, ...]
    why_nothing: str


def _addresses(count: int) -> str:
    return "one address" if count == 1 else f"{count:,} addresses"


def percent(share: float | None) -> str:
    """Return a share in words."""
    return "\N{EN DASH}" if share is None else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _difference(after: float, before: float) -> str:
    return f" ({100 * (after / before - 1):+.0f}\N{NO-BREAK SPACE}%)" if before else ""


class _Sums(NamedTuple):
    requests: int = 0
    body_bytes: int = 0
    not_modified: int = 0
    errors: int = 0


@dataclass(slots=True)
class _Live:
    """When a version was live on a channel, and for how long of that requests were counted."""

    counted_for: timedelta = timedelta()
    since: datetime | None = None
    until: datetime | None = None

    def add(self, begun: datetime, ended: datetime | None, *, counted: tuple[datetime, datetime]) -> None:
        first, now = counted
        self.counted_for += max(timedelta(), (ended or now) - max(begun, first))
        self.since = self.since or begun
        self.until = ended


def measured(rule: CacheRule, *, now: datetime | None = None) -> Measured:
    """Return what was measured of `rule`, on each channel that it was asked for on or is live on."""
    now = now or timezone.now()
    counted, looks = _counted(rule), _looks()
    live = _live(rule, now)
    found = [
        ChannelMeasured(channel.name, versions, _hits(looks.get(channel.pk), rule))
        for channel in Channel.objects.order_by("pk")
        if (versions := tuple(_versions(counted.get(channel.name, {}), live.get(channel.pk, {}))))
    ]
    is_anything = any(version.requests for channel in found for version in channel.versions)
    return Measured(rule.slug, tuple(found), "" if is_anything else _why_nothing(found))


def _counted(rule: CacheRule) -> dict[str, dict[int, _Sums]]:
    """Return what was counted, by channel and version."""
    found: dict[str, dict[int, _Sums]] = defaultdict(dict)
    rows = RuleCount.objects.filter(rule=rule.slug).order_by().values_list("channel", "version")
    for channel, version, *sums in rows.annotate(*map(Sum, _Sums._fields)):
        found[channel][version] = _Sums(*map(int, sums))
    return found


def _versions(counted: dict[int, _Sums], live: dict[int, _Live]) -> Iterator[VersionMeasured]:
    for version in sorted(counted.keys() | live.keys(), reverse=True):
        was = live.get(version, _Live())
        sums = counted.get(version, _Sums())
        yield VersionMeasured(version, *sums, was.counted_for, was.since, was.until)


def _live(rule: CacheRule, now: datetime) -> dict[int, dict[int, _Live]]:
    """Return how long each version was live on each channel since anything was counted there."""
    counts = RuleCount.objects.order_by().values_list("channel")
    counting_since = dict(counts.annotate(Min("began_at")))
    shipped = _shipped(rule)
    rows = Publication.objects.order_by("channel", "sequence")
    history = rows.values_list("channel", "channel__name", "published_at", "release").iterator()
    found: dict[int, dict[int, _Live]] = defaultdict(dict)
    for (channel, name), group in groupby(history, key=itemgetter(0, 1)):
        since, publications = counting_since.get(name, now), list(group)
        ends = [*(begun for *_, begun, _ in publications[1:]), None]
        for (*_, begun, release), ended in zip(publications, ends, strict=True):
            version = shipped.get(release)
            if version is not None and (ended is None or ended > since):
                found[channel].setdefault(version, _Live()).add(begun, ended, counted=(since, now))
    return found


def _shipped(rule: CacheRule) -> dict[int, int]:
    """Return release → the version of the rule that it ships with."""
    pinned = Release.rules.through.objects.filter(
        cacheruleversion_id__in=CacheRuleVersion.objects.filter(rule=rule).values("pk")
    )
    return dict(pinned.values_list("release_id", "cacheruleversion__number"))


def _looks() -> dict[int, Drift]:
    """Return the newest look at each channel's public address."""
    newest = Drift.objects.order_by().values("channel").annotate(newest=Max("id")).values("newest")
    return {look.channel_id: look for look in Drift.objects.filter(pk__in=newest)}


def _hits(look: Drift | None, rule: CacheRule) -> Hits | None:
    said = (look.caches or {}).get(rule.slug) if look else None
    return Hits(look.url, look.looked_at, **said) if look and said else None


def _why_nothing(channels: list[ChannelMeasured]) -> str:
    live = [f"version {each.versions[0].version} on {each.channel}" for each in channels]
    if live:
        return (
            f"Nobody has asked for anything under it yet: {', '.join(live)}. What is asked for is here within"
            " two minutes, where the background worker runs."
        )
    return "No channel serves a release with it, or has since requests are counted: publish one."
