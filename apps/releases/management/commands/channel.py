from collections.abc import Callable, Iterable
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.timezone import localtime

from apps.accounts.command_line import SubcommandsCommand
from apps.releases.headlines import kept_in_words
from apps.releases.models import Channel
from apps.releases.reports import channel_report
from apps.releases.retention import kept_names
from apps.releases.selectors import channel_named, history_of, live_publication
from apps.releases.services import channels
from apps.releases.services.fingerprinting import is_built_otherwise

# By option: what is typed behind it.
_OPTIONS = {
    "requires_baseline": "on|off",
    "approver_group": "GROUP",
    "is_protected": "on|off",
    "time_zone": "ZONE",
    "clean_urls": "on|off",
    "not_found_page": "PATH",
    "names_release": "on|off",
    "early_hints": "on|off",
    "fingerprints": "on|off",
    "retention_days": "N",
    "retention_publications": "N",
}

NEXT_BUILD = (
    "What is live was built otherwise, and stays so until another release is submitted and published.\n"
    "→ `scripts/manage import FOLDER --title …` makes one, also of a folder in which nothing has changed."
)


class Command(SubcommandsCommand):
    help = "Show what channels serve, and set what they ask for."

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        add("list", self.list_channels, help="show all channels")
        show = add("show", self.show, help="show one channel and its history")
        show.add_argument("name")
        show.add_argument("--limit", type=int, default=20, help="publications shown (default: %(default)s)")
        change = add("set", self.set, help="change what a channel asks for, and how it answers")
        change.add_argument("name")
        change.add_argument("--required-approvals", type=int, metavar="0..3")
        for option, metavar in _OPTIONS.items():
            choices = ("on", "off") if metavar == "on|off" else None
            kind = int if metavar == "N" else str
            change.add_argument(
                f"--{option.removeprefix('is_').replace('_', '-')}",
                dest=option,
                type=kind,
                choices=choices,
                metavar=metavar,
                help=channels.OPTIONS[option],
            )

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
        self._say_options(channel, channels.OPTIONS)
        if kept := kept_names(channel):
            self.say(kept_in_words(kept))
        if is_built_otherwise(live):
            self.say(NEXT_BUILD)
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

    def set(self, *, name: str, required_approvals: int | None, **options: Any) -> object:
        typed = {option: options[option] for option in _OPTIONS if options[option] is not None}
        if required_approvals is None and not typed:
            raise CommandError("Say what to set, as in --clean-urls on; --help lists it all.", returncode=2)
        channel, actor = channel_named(name), self.actor(options)
        wanted = {option: _value(option, words) for option, words in typed.items()}
        if required_approvals is None:
            channel = channels.set_options(channel=channel, actor=actor, **wanted)
        else:
            channel = channels.set_requirements(
                channel=channel, approvals=required_approvals, actor=actor, **wanted
            )
        if required_approvals is not None:
            self.say(f"{channel} asks for {channel.required_approvals} approval(s).")
        self._say_options(channel, typed)
        if is_built_otherwise(live := live_publication(channel)):
            self.say(NEXT_BUILD)
        return channel_report(channel, live, [])

    def _say_options(self, channel: Channel, names: Iterable[str]) -> None:
        for name in names:
            self.say(f"  {channels.OPTIONS[name]}: {channels.in_words(channels.value_of(channel, name))}")


def _value(option: str, typed: str | int) -> bool | int | str:
    return typed == "on" if _OPTIONS[option] == "on|off" else typed
