from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from apps.accounts.command_line import ServiceCommand
from apps.imports.services import ImportOutcome, import_directory
from apps.releases.selectors import channel_named


class Command(ServiceCommand):
    help = "Make a draft release of what a folder holds and a channel does not serve."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path, metavar="SOURCE", help="a folder, such as a build's output")
        parser.add_argument("--title", help="what the release is called")
        parser.add_argument("--channel", default="production", help="default: %(default)s")
        parser.add_argument("--prefix", default="", metavar="FOLDER", help="where on the site it goes")
        mirror = parser.add_mutually_exclusive_group()
        mirror.add_argument(
            "--mirror",
            action="store_true",
            default=None,
            help="remove what SOURCE lacks (the default without --prefix)",
        )
        mirror.add_argument("--no-mirror", action="store_false", dest="mirror", help="remove nothing")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        super().add_arguments(parser)

    def run(self, **options: Any) -> object:
        is_dry_run = options["dry_run"]
        if not options["title"] and not is_dry_run:
            raise CommandError("Give the release a name, as in --title Spring.", returncode=2)
        with _Bar(is_shown=options["verbosity"] > 0) as bar:
            outcome = import_directory(
                source=options["source"],
                title=options["title"] or "",
                channel=channel_named(options["channel"]),
                actor=self.actor(options),
                prefix=options["prefix"],
                mirror=options["mirror"],
                is_dry_run=is_dry_run,
                progress=bar.show,
            )
        self._say_outcome(outcome, is_dry_run=is_dry_run)
        return {
            "release": outcome.release.pk if outcome.release else None,
            "state": outcome.release.state if outcome.release else None,
            "added": outcome.added,
            "changed": outcome.changed,
            "removed": outcome.removed,
            "unchanged": outcome.unchanged,
            "refused": [],
        }

    def _say_outcome(self, outcome: ImportOutcome, *, is_dry_run: bool) -> None:
        counts = (
            f"{outcome.added} added, {outcome.changed} changed, {outcome.removed} removed, "
            f"{outcome.unchanged} unchanged"
        )
        if outcome.skipped:
            self.say(f"Passed over: {', '.join(outcome.skipped)}.")
        if is_dry_run:
            self.say(f"Would make a release: {counts}. Nothing was written.")
        elif outcome.release is None or outcome.is_new:
            self._say_new(outcome, counts)
        elif outcome.release.state == outcome.release.State.PUBLISHED:
            self.say(f"Release {outcome.release.pk} is live and serves exactly this; nothing was changed.")
        else:
            self.say(
                f"Release {outcome.release.pk} already holds exactly these changes; nothing was changed."
            )

    def _say_new(self, outcome: ImportOutcome, counts: str) -> None:
        if outcome.release is None:
            self.say(f"There is nothing to import: {counts}.")
            return
        number = outcome.release.pk
        self.say(f"Release {number} “{outcome.release.title}” is a draft: {counts}.")
        self.say(f"Look at it: {settings.STAFF_URL}/admin/releases/release/{number}/change/")
        self.say(
            f"Or go on here: scripts/manage release edit {number} --expected-result … --rollback-note …, "
            f"then release submit {number}"
        )


class _Bar:
    """Progress on standard error, where that is a terminal; nothing elsewhere."""

    def __init__(self, *, is_shown: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not (is_shown and console.is_terminal),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, step: str, done: int, total: int) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(step, total=total)
        self._progress.update(self._tasks[step], completed=done)
