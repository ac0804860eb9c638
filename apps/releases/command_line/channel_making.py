from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from apps.releases.channels.reports import channel_report
from apps.releases.command_line.channel_subcommands import ChannelSubcommands
from apps.releases.selectors import channel_named, live_publication
from apps.releases.services import hosts, making_channels


class MakingSubcommands(ChannelSubcommands):
    """Make and remove channels, and say which hosts they serve."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        create = add("create", self.create, help="make a channel")
        create.add_argument("name")
        create.add_argument(
            "--host", action="append", default=[], dest="hosts", help="a host it serves; may be repeated"
        )
        add("remove", self.remove, help="remove a channel that never served anything").add_argument("name")
        host = add("host", self.add_host, help="let a channel serve a host name")
        host.add_argument("name")
        host.add_argument("host", help="www.example.com, or * for every host that no channel has")
        host.add_argument("--move", action="store_true", help="take it from the channel that has it")
        unhost = add("unhost", self.remove_host, help="let a channel serve a host name no more")
        unhost.add_argument("name")
        unhost.add_argument("host")
        super().add_subcommands(add)

    def create(self, *, name: str, hosts: list[str], **options: Any) -> object:
        channel = making_channels.create_channel(name=name, hosts=hosts, actor=self.actor(options))
        self.say(
            f"Channel {channel} asks for {channel.required_approvals} approval(s) and serves nothing yet."
        )
        return channel_report(channel, None, [])

    def remove(self, *, name: str, **options: Any) -> object:
        making_channels.remove_channel(channel=channel_named(name), actor=self.actor(options))
        self.say(f"Channel {name} is removed.")
        return {"removed": name}

    def add_host(self, *, name: str, host: str, move: bool, **options: Any) -> object:
        channel = channel_named(name)
        row = hosts.add_host(channel=channel, host=host, is_moved=move, actor=self.actor(options))
        self.say(f"{channel} serves {row}.")
        return channel_report(channel, live_publication(channel), [])

    def remove_host(self, *, name: str, host: str, **options: Any) -> object:
        channel = channel_named(name)
        hosts.remove_host(channel=channel, host=host, actor=self.actor(options))
        self.say(f"{channel} serves {host} no more.")
        return channel_report(channel, live_publication(channel), [])
