from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from apps.caching.command_line.rule_subcommands import RuleSubcommands
from apps.releases.reports import release_details
from apps.releases.selectors import channel_named
from apps.releases.services.pinning import begin_with_rules


class ReleasingSubcommands(RuleSubcommands):
    """Bring the rules of today to a channel."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        release = add("release", self.release, help="make a release of today's rules alone")
        release.add_argument("--title", default="", metavar="T", help="what it is called")
        release.add_argument("--channel", default="production", metavar="C", help="default: %(default)s")
        super().add_subcommands(add)

    def release(self, *, title: str, channel: str, **options: Any) -> object:
        made = begin_with_rules(channel=channel_named(channel), title=title, actor=self.actor(options))
        self.say(f"Made release {made.pk}, with the cache rules of today.")
        self.say(f"→ `scripts/manage release edit {made.pk} --expected-result …`, then submit it.")
        return release_details(made)
