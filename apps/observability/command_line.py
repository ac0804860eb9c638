from collections.abc import Callable
from typing import Any, TypedDict

from django.core.management.base import CommandParser

from apps.caching.command_line.rule_subcommands import RuleSubcommands
from apps.caching.selectors import newest_version_of
from apps.observability.measuring import ChannelMeasured, Hits, VersionMeasured, measured, percent
from apps.releases.templatetags.staff_pages import size


class VersionReport(TypedDict):
    version: int
    since: str | None
    until: str | None
    counted_seconds: int
    requests: int
    bytes: int
    not_modified: int
    errors: int
    not_modified_share: float | None
    requests_a_day: float | None
    bytes_a_day: float | None


class HitsReport(TypedDict):
    url: str
    looked_at: str
    asked: int
    said: int
    hit: int


class ChannelReport(TypedDict):
    channel: str
    versions: list[VersionReport]
    before_and_after: str
    hits: HitsReport | None


class MeasuredReport(TypedDict):
    rule: str
    why_nothing: str
    channels: list[ChannelReport]


class MeasuredSubcommands(RuleSubcommands):
    """See what came of a rule, version by version."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        self.with_slug(
            add("measured", self.measured, help="show what was asked for under each version of a rule")
        )
        super().add_subcommands(add)

    def measured(self, *, slug: str, **_: Any) -> MeasuredReport:
        found = measured(newest_version_of(slug).rule)
        if found.why_nothing:
            self.say(found.why_nothing)
        for channel in found.channels:
            self._say(channel)
        channels = [_report(channel) for channel in found.channels]
        return {"rule": found.rule, "why_nothing": found.why_nothing, "channels": channels}

    def _say(self, found: ChannelMeasured) -> None:
        self.say(f"{found.channel}:")
        for each in found.versions:
            a_day = "too early" if each.requests_a_day is None else f"{each.requests_a_day:,.0f} a day"
            self.say(
                f"  version {each.version}, {_live(each)}: {each.requests:,} requests ({a_day}),"
                f" {size(each.body_bytes)}, 304 {percent(each.not_modified_share)}, {each.errors:,} errors"
            )
        if found.before_and_after:
            self.say(f"  {found.before_and_after}")
        if found.hits:
            self.say(f"  At {found.hits.url}, {found.hits.looked_at:%Y-%m-%d %H:%M}: {found.hits.words}.")


def _live(each: VersionMeasured) -> str:
    if each.since is None:
        return "only under names of earlier publications"
    until = f" until {each.until:%Y-%m-%d}" if each.until else ""
    return f"live since {each.since:%Y-%m-%d}{until}"


def _report(found: ChannelMeasured) -> ChannelReport:
    return {
        "channel": found.channel,
        "versions": [_version_report(each) for each in found.versions],
        "before_and_after": found.before_and_after,
        "hits": _hits_report(found.hits) if found.hits else None,
    }


def _version_report(each: VersionMeasured) -> VersionReport:
    return {
        "version": each.version,
        "since": each.since.isoformat() if each.since else None,
        "until": each.until.isoformat() if each.until else None,
        "counted_seconds": round(each.counted_for.total_seconds()),
        "requests": each.requests,
        "bytes": each.body_bytes,
        "not_modified": each.not_modified,
        "errors": each.errors,
        "not_modified_share": each.not_modified_share,
        "requests_a_day": each.requests_a_day,
        "bytes_a_day": each.bytes_a_day,
    }


def _hits_report(hits: Hits) -> HitsReport:
    return {
        "url": hits.url,
        "looked_at": hits.looked_at.isoformat(),
        "asked": hits.asked,
        "said": hits.said,
        "hit": hits.hit,
    }
