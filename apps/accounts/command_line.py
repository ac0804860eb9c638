"""What the commands people type have in common: who acts, JSON on demand, refusals with a next step."""

import json
import sys
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError

from apps.accounts.exceptions import DatabaseFailed
from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.accounts.selectors import acting_user
from apps.refusals import Refusal
from apps.typed_arguments import expect


class ServiceCommand(BaseCommand):
    """A command that calls a service and prints what came out of it.

    With `--json` it prints one JSON document on standard output and nothing else there. A `Refusal`
    is printed (as JSON too, if asked) and ends it with status 1. So does a database that is down, full
    or not to be written to: services write in one transaction, so nothing has changed then. A command
    that has found what should not be sets `has_failed`, and ends with status 1 as well.

    Services ask for the permission to write. `reads` is the one to see what the command prints, which
    somebody named by `--as` needs before anything else; "" where there is nothing to be seen.
    """

    has_failed = False
    reads = ""

    def add_arguments(self, parser: CommandParser) -> None:
        add_common_arguments(parser)

    @abstractmethod
    def run(self, **options: Any) -> object:
        """Do it; return what `--json` prints. For people, print with `self.say`."""

    def handle(self, *args: Any, **options: Any) -> None:
        self.is_json = bool(options["json"])
        try:
            self.refuse_reader(self.reads, options)
            outcome = self.run(**options)
        except Refusal as refusal:
            self._refuse(refusal)
        except OperationalError as error:
            self._refuse(DatabaseFailed(error))
        if self.is_json:
            self.stdout.write(json.dumps(outcome, ensure_ascii=False, default=str))
        if self.has_failed:
            sys.exit(1)

    def say(self, text: str) -> None:
        """Print a line for people: on standard error where standard output is a JSON document's."""
        (self.stderr if self.is_json else self.stdout).write(text)

    def actor(self, options: dict[str, Any]) -> User:
        """Return the user named by `--as`; without it, the site's first administrator."""
        return acting_user(options.get("as_user"))

    def refuse_reader(self, permission: str, options: dict[str, Any]) -> None:
        """Raise `Forbidden` where `--as` names somebody without `permission`, such as app.view_model."""
        if permission and options.get("as_user") is not None:
            app, _, name = permission.partition(".view_")
            seen = apps.get_model(app, name)._meta.verbose_name_plural
            require(self.actor(options), permission, to=f"see {seen}")

    def _refuse(self, refusal: Refusal) -> None:
        if self.is_json:
            self.stdout.write(json.dumps(refusal.as_json(), ensure_ascii=False))
        else:
            self.stderr.write(refusal.message)
            if refusal.next_step:
                self.stderr.write(f"→ {refusal.next_step}")
        sys.exit(1)


class SubcommandsCommand(ServiceCommand):
    """A command of several words: `release show 2`. Subclasses name them in `add_subcommands`."""

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")

        def add(name: str, run: Callable[..., object], *, help: str) -> CommandParser:  # noqa: A002
            action: CommandParser = actions.add_parser(name, help=help, description=help)
            add_common_arguments(action)
            action.set_defaults(subcommand_run=run)
            return action

        self.add_subcommands(add)

    @abstractmethod
    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        """Call `add(name, method, help=…)` for each subcommand; it returns the parser to extend."""

    def run(self, **options: Any) -> object:
        run: Callable[..., object] = options["subcommand_run"]
        return run(**options)


def add_common_arguments(parser: CommandParser) -> None:
    expect(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    parser.add_argument(
        "--as", dest="as_user", metavar="USER", help="act as this user (default: the first administrator)"
    )
