from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.releases.channels.reports import channel_report
from apps.releases.command_line.channel_subcommands import ChannelSubcommands
from apps.releases.selectors import channel_named, live_publication
from apps.releases.selectors.proposals import open_proposals, proposal_in_words
from apps.releases.services import channels

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


class SettingSubcommands(ChannelSubcommands):
    """Change what a channel asks for, and how it answers."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
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
        super().add_subcommands(add)

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
        self.say_options(channel, typed)
        for proposal in open_proposals(channel):
            self.say(f"Proposed: {proposal_in_words(proposal)}.")
            self.say(f"→ Another administrator confirms it: `scripts/manage channel confirm {proposal.pk}`")
        live = live_publication(channel)
        self.say_if_built_otherwise(live)
        return channel_report(channel, live, [])


def _value(option: str, typed: str | int) -> bool | int | str:
    return typed == "on" if _OPTIONS[option] == "on|off" else typed
