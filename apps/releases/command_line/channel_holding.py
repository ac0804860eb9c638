from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.releases.channels.reports import hold_report
from apps.releases.command_line.channel_subcommands import ChannelSubcommands
from apps.releases.selectors import channel_named
from apps.releases.selectors.holds import open_holds
from apps.releases.services import holding


class HoldingSubcommands(ChannelSubcommands):
    """Keep publications off one channel or off all, and let them go on."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        hold = add("hold", self.hold, help="let nothing be published on a channel until it is resumed")
        hold.add_argument("name")
        hold.add_argument("--reason", required=True)
        stop = add("stop", self.stop, help="let nothing be published on any channel: the emergency stop")
        stop.add_argument("--reason", required=True)
        resume = add("resume", self.resume, help="lift the hold of a channel, or the stop of all")
        resume.add_argument("name", nargs="?")
        resume.add_argument("--all", action="store_true", dest="is_all", help="lift the stop of all channels")
        resume.add_argument("--reason", required=True, help="why it is safe to go on")
        super().add_subcommands(add)

    def hold(self, *, name: str, reason: str, **options: Any) -> object:
        held = holding.hold(channel=channel_named(name), reason=reason, actor=self.actor(options))
        self.say(f"{held.scope} is on hold. `scripts/manage channel resume {name} --reason …` lifts it.")
        return hold_report(held)

    def stop(self, *, reason: str, **options: Any) -> object:
        held = holding.stop(reason=reason, actor=self.actor(options))
        self.say("All channels are on hold. `scripts/manage channel resume --all --reason …` lifts it.")
        return hold_report(held)

    def resume(self, *, name: str | None, is_all: bool, reason: str, **options: Any) -> object:
        if is_all == (name is not None):
            raise CommandError("Name a channel, or --all and no channel.", returncode=2)
        actor = self.actor(options)
        if name is None:
            lifted = holding.resume_all(reason=reason, actor=actor)
        else:
            lifted = holding.resume(channel=channel_named(name), reason=reason, actor=actor)
        self.say(f"The hold of {lifted.scope} is lifted.")
        for held in open_holds():
            self.say(f"{holding.held_in_words(held)} still.")
        return hold_report(lifted)
