from typing import Any

from django.core.management.base import CommandParser

from apps.accounts.command_line import ServiceCommand
from apps.jobs.cleaning import clean


class Command(ServiceCommand):
    help = "Remove what nobody needs any more: what the background worker does once a day."
    reads = "jobs.view_job"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")

    def run(self, **options: Any) -> object:
        dry_run: bool = options["dry_run"]
        cleaned = []
        actor = None if dry_run else self.actor(options)
        for what, found in clean(actor=actor, is_dry_run=dry_run):
            self.say(f"{what}: {found.words or 'nothing'}{' (only tried)' if dry_run else ''}")
            for name in found.names:
                self.say(f"  {name}")
            if found.removed > len(found.names):
                self.say(f"  and {found.removed - len(found.names):,} more")
            cleaned.append(
                {
                    "what": what,
                    "removed": found.removed,
                    "bytes": found.size_bytes,
                    "waiting": found.waiting,
                    "names": list(found.names),
                }
            )
        return {"dry_run": dry_run, "cleaned": cleaned}
