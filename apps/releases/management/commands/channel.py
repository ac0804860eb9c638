from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser
from django.utils.timezone import localtime

from apps.accounts.command_line import SubcommandsCommand
from apps.releases.models import Channel
from apps.releases.reports import channel_report
from apps.releases.selectors import channel_named, history_of, live_publication
from apps.releases.services import channels


class Command(SubcommandsCommand):
    help = "Show what channels serve, and set what they ask for."

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        add("list", self.list_channels, help="show all channels")
        show = add("show", self.show, help="show one channel and its history")
        show.add_argument("name")
        show.add_argument("--limit", type=int, default=20, help="publications shown (default: %(default)s)")
        change = add("set", self.set, help="change what a channel asks for")
        change.add_argument("name")
        change.add_argument("--required-approvals", type=int, required=True, metavar="0..3")

    def list_channels(self, **options: Any) -> object:
        reports = []
        for channel in Channel.objects.all():
            live = live_publication(channel)
            reports.append(channel_report(channel, live, []))
            serves = f"release {live.release_id} ({live.tag})" if live else "nothing yet"
            self.say(f"{channel.name:<16} {serves}, {channel.required_approvals} approval(s) required")
        return reports

    def show(self, *, name: str, limit: int, **options: Any) -> object:
        channel = channel_named(name)
        live, history = live_publication(channel), list(history_of(channel)[: max(limit, 0)])
        self.say(f"Channel {channel}: {channel.required_approvals} approval(s) required")
        for publication in history:
            at = f"{localtime(publication.published_at):%Y-%m-%d %H:%M}"
            reason = f", “{publication.reason}”" if publication.reason else ""
            self.say(
                f"{publication.sequence:>5}  {at}  {publication.tag}  release {publication.release_id}"
                f"  {publication.get_kind_display()} by {publication.actor}{reason}"
            )
        if not history:
            self.say("Nothing has been published on it yet.")
        return channel_report(channel, live, history)

    def set(self, *, name: str, required_approvals: int, **options: Any) -> object:
        channel = channels.set_required_approvals(
            channel=channel_named(name), count=required_approvals, actor=self.actor(options)
        )
        self.say(f"{channel} asks for {channel.required_approvals} approval(s).")
        return channel_report(channel, live_publication(channel), [])
