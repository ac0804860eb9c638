from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from apps.releases.channels.reports import window_report
from apps.releases.command_line.channel_subcommands import ChannelSubcommands
from apps.releases.selectors import channel_named
from apps.releases.services import freezes


class FreezingSubcommands(ChannelSubcommands):
    """Say when nothing is published on a channel."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        freeze = add("freeze", self.freeze, help="let nothing be published at a time, every week or once")
        freeze.add_argument("name")
        moment = "such as 'Friday 16:00', or '2026-12-23 16:00'"
        freeze.add_argument("--from", dest="starts", required=True, metavar="MOMENT", help=moment)
        freeze.add_argument("--to", dest="ends", required=True, metavar="MOMENT", help=moment)
        thaw = add("thaw", self.thaw, help="take a freeze window away")
        thaw.add_argument("name")
        thaw.add_argument("window", type=int, help="its number, which `channel show` says")
        super().add_subcommands(add)

    def freeze(self, *, name: str, starts: str, ends: str, **options: Any) -> object:
        channel = channel_named(name)
        row = freezes.add_window(channel=channel, starts=starts, ends=ends, actor=self.actor(options))
        self.say(f"Nothing is published on {channel} from {row} ({channel.time_zone}).")
        return window_report(row)

    def thaw(self, *, name: str, window: int, **options: Any) -> object:
        row = freezes.window_numbered(channel_named(name), window)
        report = window_report(row)
        freezes.remove_window(window=row, actor=self.actor(options))
        self.say(f"{name} has that freeze window no more: {report['words']}.")
        return report
