from collections.abc import Callable

from django.core.management.base import CommandParser

from apps.accounts.command_line import SubcommandsCommand


class RuleSubcommands(SubcommandsCommand):
    """A subject's subcommands of `rule`; the command is made of several.

    Each adds its own, then calls `super().add_subcommands(add)`.
    """

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        """Add none: the end of the chain."""
