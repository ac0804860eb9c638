import json
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.audit.models import AuditEntry
from apps.audit.selectors import chain_faults, entries, head
from apps.typed_arguments import expect


class Command(BaseCommand):
    """Accounts lie above the audit log, so this command reads the log as the machine's owner."""

    help = "Reads the audit log, and verifies that nobody has changed it."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
        verifying = actions.add_parser("verify", help="check every entry against its hash and the one before")
        verifying.set_defaults(run=self.verify)
        listing = actions.add_parser("list", help="show entries, newest first")
        listing.add_argument("--target", help='only those about this: "release 42"')
        listing.add_argument("--limit", type=int, default=50, help="how many at most (default 50)")
        listing.set_defaults(run=self.list)
        for action in (verifying, listing):
            expect(action)
            action.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        run: Callable[[Namespace], None] = options["run"]
        run(Namespace(**options))

    def verify(self, options: Namespace) -> None:
        faults, end = list(chain_faults()), head()
        if options.json:
            self._print(
                {
                    "entries": end.sequence,
                    "head": end.hash,
                    "faults": [{"sequence": fault.sequence, "message": fault.message} for fault in faults],
                }
            )
        for fault in faults:
            self.stderr.write(f"Entry {fault.sequence}: {fault.message}.")
        if faults:
            raise CommandError(
                f"The audit log was changed: {_count(len(faults), 'fault')}.\n"
                "→ Compare it with a backup; what was written after the newest good one is in doubt.",
                returncode=1,
            )
        if not options.json:
            self.stdout.write(f"The audit log is whole: {_count(end.sequence, 'entry')}, head {end.hash}.")

    def list(self, options: Namespace) -> None:
        shown = entries(target=options.target)[: max(options.limit, 0)]
        if options.json:
            self._print({"entries": [_as_json(entry) for entry in shown]})
            return
        for entry in shown:
            self.stdout.write(
                f"{entry.sequence:>6}  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.actor_name:<16} {entry.summary}"
            )

    def _print(self, document: object) -> None:
        self.stdout.write(json.dumps(document, ensure_ascii=False))


def _count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _as_json(entry: AuditEntry) -> dict[str, object]:
    return {
        "sequence": entry.sequence,
        "at": entry.at.isoformat(),
        "actor": entry.actor_name,
        "action": entry.action,
        "target": entry.target,
        "summary": entry.summary,
        "details": entry.details,
        "hash": entry.hash,
    }
