from collections.abc import Callable

from django.core.management.base import CommandParser

from apps.accounts.command_line import SubcommandsCommand
from apps.releases.models import Release
from apps.releases.reports import release_details


class ReleaseSubcommands(SubcommandsCommand):
    """A subject's subcommands of `release`; the command is made of several.

    Each adds its own, then calls `super().add_subcommands(add)`.
    """

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        """Add none: the end of the chain."""

    def with_number(self, parser: CommandParser) -> CommandParser:
        """Let a subcommand ask for a release's number."""
        parser.add_argument("number", type=int, metavar="N", help="the release's number")
        return parser

    def say_state(self, release: Release) -> object:
        """Say where a release is in its life; return it for `--json`."""
        self.say(f"Release {release.pk} is {release.get_state_display()}.")
        return release_details(release)
