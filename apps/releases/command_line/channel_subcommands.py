from collections.abc import Callable, Iterable

from django.core.management.base import CommandParser

from apps.accounts.command_line import SubcommandsCommand
from apps.releases.models import Channel, Publication
from apps.releases.services import channels
from apps.releases.services.fingerprinting import is_built_otherwise

NEXT_BUILD = (
    "What is live was built otherwise, and stays so until another release is submitted and published.\n"
    "→ `scripts/manage import FOLDER --title …` makes one, also of a folder in which nothing has changed."
)


class ChannelSubcommands(SubcommandsCommand):
    """A subject's subcommands of `channel`; the command is made of several.

    Each adds its own, then calls `super().add_subcommands(add)`.
    """

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        """Add none: the end of the chain."""

    def say_options(self, channel: Channel, names: Iterable[str]) -> None:
        """Say how these options of a channel are set."""
        for name in names:
            self.say(f"  {channels.OPTIONS[name]}: {channels.in_words(channels.value_of(channel, name))}")

    def say_if_built_otherwise(self, live: Publication | None) -> None:
        """Say that what is live was built with other options, where it was."""
        if is_built_otherwise(live):
            self.say(NEXT_BUILD)
