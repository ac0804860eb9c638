from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser
from django.utils.timezone import localtime

from apps.releases.channels.reports import channel_report
from apps.releases.command_line.channel_subcommands import ChannelSubcommands
from apps.releases.headlines import kept_in_words
from apps.releases.models import Channel
from apps.releases.rolling_back.retention import kept_names
from apps.releases.selectors import channel_named, history_of, live_publication
from apps.releases.selectors.emergencies import marks_of
from apps.releases.selectors.holds import held_channels, holds_on, open_holds
from apps.releases.services import channels
from apps.releases.services.freezes import freeze_of
from apps.releases.services.freezes import in_words as freeze_in_words
from apps.releases.services.holding import held_in_words


class ReadingChannelSubcommands(ChannelSubcommands):
    """Look at channels."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        add("list", self.list_channels, help="show all channels")
        show = add("show", self.show, help="show one channel and its history")
        show.add_argument("name")
        show.add_argument("--limit", type=int, default=20, help="publications shown (default: %(default)s)")
        super().add_subcommands(add)

    def list_channels(self, **options: Any) -> object:
        reports, all_channels = [], list(Channel.objects.all())
        held = held_channels(all_channels, open_holds())
        for channel in all_channels:
            live = live_publication(channel)
            reports.append(channel_report(channel, live, []))
            serves = f"release {live.release_id} ({live.tag})" if live else "nothing yet"
            on_hold = ", ON HOLD" if channel.pk in held else ""
            self.say(
                f"{channel.name:<16} {serves}, {channel.required_approvals} approval(s) required{on_hold}"
            )
        return reports

    def show(self, *, name: str, limit: int, **options: Any) -> object:
        channel = channel_named(name)
        live, history = live_publication(channel), list(history_of(channel)[: max(limit, 0)])
        self.say(f"Channel {channel}: {channel.required_approvals} approval(s) required")
        for held in holds_on(channel):
            self.say(f"{held_in_words(held)}.")
        if freeze := freeze_of(channel):
            self.say(f"{freeze_in_words(freeze, channel)}.")
        self.say(f"  hosts: {', '.join(map(str, channel.hosts.all())) or 'none'}")
        for window in channel.freeze_windows.all():
            self.say(f"  freeze window {window.pk}: {window} ({channel.time_zone})")
        self.say_options(channel, channels.OPTIONS)
        if kept := kept_names(channel):
            self.say(kept_in_words(kept))
        self.say_if_built_otherwise(live)
        marks = marks_of(history)
        for publication in history:
            marked = f", {marks[publication.pk].words}" if publication.pk in marks else ""
            at = f"{localtime(publication.published_at):%Y-%m-%d %H:%M}"
            reason = f", “{publication.reason}”" if publication.reason else ""
            self.say(
                f"{publication.sequence:>5}  {at}  {publication.tag}  release {publication.release_id}"
                f"  {publication.get_kind_display()} by {publication.actor}{marked}{reason}"
            )
        if not history:
            self.say("Nothing has been published on it yet.")
        return channel_report(channel, live, history)
