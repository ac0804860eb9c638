from collections.abc import Callable

from django.core.management.base import CommandParser

from apps.accounts.command_line import SubcommandsCommand


class RuleSubcommands(SubcommandsCommand):
    """A subject's subcommands of `rule`; the command is made of several.

    Each adds its own, then calls `super().add_subcommands(add)`.
    """

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        """Add none: the end of the chain."""

    def with_slug(self, parser: CommandParser) -> CommandParser:
        """Let a subcommand ask for a rule's short name."""
        parser.add_argument("slug", metavar="RULE", help="the rule's short name, as `rule list` has it")
        return parser

    def with_reason(self, parser: CommandParser, *, required: bool = True) -> CommandParser:
        """Let a subcommand ask why."""
        parser.add_argument(
            "--reason", default="", required=required, metavar="T", help="a line for the history"
        )
        return parser
