"""What was measured of a rule: version by version, so that what came of each can be read."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import NamedTuple

from django.db.models import Min, Sum
from django.utils import timezone

from apps.caching.models import CacheRule, CacheRuleVersion
from apps.observability.models import RuleCount
from apps.releases.models import Channel, Drift, Release
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
    counted = _counted(rule)
    found = [
        ChannelMeasured(channel.name, versions, _hits(channel, rule))
        for channel in Channel.objects.order_by("pk")
        if (versions := tuple(_versions(rule, channel, counted.get(channel.name, {}), now)))
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


def _versions(
    rule: CacheRule, channel: Channel, counted: dict[int, _Sums], now: datetime
) -> Iterator[VersionMeasured]:
    live = _live(rule, channel, now)
    for version in sorted(counted.keys() | live.keys(), reverse=True):
        was = live.get(version, _Live())
        sums = counted.get(version, _Sums())
        yield VersionMeasured(version, *sums, was.counted_for, was.since, was.until)


def _live(rule: CacheRule, channel: Channel, now: datetime) -> dict[int, _Live]:
    """Return how long each version was live since anything was counted on the channel."""
    counts = RuleCount.objects.filter(channel=channel.name)
    counting_since = counts.aggregate(first=Min("began_at"))["first"] or now
    publications = list(channel.publications.order_by("sequence").values_list("published_at", "release_id"))
    shipped = _shipped(rule, {release for _, release in publications})
    found: dict[int, _Live] = {}
    for (begun, release), following in zip_longest(publications, publications[1:]):
        version, ended = shipped.get(release), following[0] if following else None
        if version is not None and (ended is None or ended > counting_since):
            found.setdefault(version, _Live()).add(begun, ended, counted=(counting_since, now))
    return found


def _shipped(rule: CacheRule, releases: set[int]) -> dict[int, int]:
    """Return release → the version of the rule that it ships with."""
    pinned = Release.rules.through.objects.filter(
        cacheruleversion_id__in=CacheRuleVersion.objects.filter(rule=rule).values("pk")
    )
    pairs = pinned.values_list("release_id", "cacheruleversion__number")
    return {release: number for release, number in pairs if release in releases}


def _hits(channel: Channel, rule: CacheRule) -> Hits | None:
    look = Drift.objects.filter(channel=channel).order_by("-id").first()
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
