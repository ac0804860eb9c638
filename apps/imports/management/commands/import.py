import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path, PurePath
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from apps.accounts.command_line import ServiceCommand
from apps.imports.exceptions import shown
from apps.imports.progress import shown_on
from apps.imports.services import ImportOutcome, Result, import_directory
from apps.releases.models import Release
from apps.releases.selectors import channel_named, missing_brief


class Command(ServiceCommand):
    help = "Make a draft release of what a folder holds and a channel does not serve."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path, metavar="SOURCE", help="a folder, such as a build's output")
        parser.add_argument("--title", default="", help="what the release is called")
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
        if not options["title"].strip() and not options["dry_run"]:
            raise CommandError("Give the release a name, as in --title Spring.", returncode=2)
        with shown_on(sys.stderr) if options["verbosity"] else nullcontext(_say_nothing) as progress:
            outcome = import_directory(
                source=options["source"],
                title=options["title"],
                channel=channel_named(options["channel"]),
                actor=self.actor(options),
                prefix=options["prefix"],
                mirror=options["mirror"],
                is_dry_run=options["dry_run"],
                progress=progress,
            )
        self._say_outcome(outcome, channel=options["channel"])
        return _report(outcome)

    def _say_outcome(self, outcome: ImportOutcome, *, channel: str) -> None:
        if outcome.skipped:
            self.say(f"Passed over: {_by_name(outcome.skipped)}.")
        release = outcome.release
        if release is None and not outcome.is_change:
            self.say(f"{channel} serves exactly this already; no release would be made.")
        elif release is None:
            self.say(f"Would make a release for {channel}. Nothing was written.")
            self._say_counts(outcome)
        elif outcome.result is Result.LIVE:
            self.say(f"Release {release.pk} is live and serves exactly this; nothing was changed.")
        elif outcome.result is Result.HELD:
            self.say(f"Release {release.pk} already holds exactly these changes; nothing was changed.")
            self._say_next(release)
        else:
            self.say(f"Release {release.pk} “{release.title}” is a draft for {channel}:")
            self._say_counts(outcome)
            self._say_next(release)

    def _say_counts(self, outcome: ImportOutcome) -> None:
        for word in ("added", "changed", "removed", "unchanged"):
            self.say(f"  {word:<10}{getattr(outcome, word):>9,}")
        if outcome.redirects.changes:
            counts = (f"{count} {word}" for word, count in _redirect_counts(outcome).items())
            self.say(f"  redirects {', '.join(counts)}")

    def _say_next(self, release: Release) -> None:
        self.say(f"Look at it: {settings.STAFF_URL}/admin/releases/release/{release.pk}/change/")
        if not release.is_editable:
            return
        fields = missing_brief(release)
        if fields:
            words = " ".join(f"--{name.replace('_', '-')} …" for name in fields)
            self.say(f"Say what it is for: scripts/manage release edit {release.pk} {words}")
        self.say(f"Then hand it in: scripts/manage release submit {release.pk}")


def _report(outcome: ImportOutcome) -> dict[str, object]:
    return {
        "release": outcome.release.pk if outcome.release else None,
        "state": outcome.release.state if outcome.release else None,
        "added": outcome.added,
        "changed": outcome.changed,
        "removed": outcome.removed,
        "unchanged": outcome.unchanged,
        "refused": [],
        **_redirects(outcome),
    }


def _redirects(outcome: ImportOutcome) -> dict[str, dict[str, int]]:
    """Return the counts for a report; one of a source that changes no redirect does not speak of them."""
    return {"redirects": _redirect_counts(outcome)} if outcome.redirects.changes else {}


def _redirect_counts(outcome: ImportOutcome) -> dict[str, int]:
    return {word: len(getattr(outcome.redirects, word)) for word in ("added", "changed", "removed")}


def _by_name(names: Iterable[str]) -> str:
    """Return `.git, .DS_Store (3 times)`: what was passed over, by the last part of its name."""
    counts = Counter(shown(PurePath(name).name) for name in names)
    return ", ".join(f"{name} ({count} times)" if count > 1 else name for name, count in counts.items())


def _say_nothing(step: str, done: int, total: int) -> None:
    """Take progress and say nothing of it."""
