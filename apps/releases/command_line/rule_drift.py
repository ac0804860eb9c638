from collections.abc import Callable
from typing import Any, TypedDict

from django.core.management.base import CommandParser

from apps.caching.command_line.rule_subcommands import RuleSubcommands
from apps.releases.comparing.texts import visible
from apps.releases.models import Drift
from apps.releases.selectors import channel_named
from apps.releases.services.drift import look_for_drift


class DriftReport(TypedDict):
    channel: str
    url: str
    outcome: str
    words: str
    asked: int
    since: str
    looked_at: str
    findings: list[dict[str, str]]


class DriftSubcommands(RuleSubcommands):
    """See whether visitors get what this site sends."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        drift = add("drift", self.drift, help="ask for the examples where visitors do, and say what differs")
        drift.add_argument("--channel", default="production", help="default: %(default)s")
        super().add_subcommands(add)

    def drift(self, *, channel: str, **_: Any) -> DriftReport:
        found = look_for_drift(channel_named(channel))
        self.has_failed = found.outcome != Drift.Outcome.RIGHT
        self.say(f"{found.channel} at {found.url}: {visible(found.words)}")
        for finding in found.findings:
            self.say(f"  {visible(finding['address'])} {finding['header']}".rstrip())
            self.say(f"    sent     {visible(finding['expected'])}")
            self.say(f"    seen     {visible(finding['seen'])}")
            self.say(f"    on the way {visible(finding['where'])}")
        return {
            "channel": found.channel.name,
            "url": found.url,
            "outcome": found.outcome,
            "words": found.words,
            "asked": found.asked,
            "since": found.began_at.isoformat(),
            "looked_at": found.looked_at.isoformat(),
            "findings": found.findings,
        }
