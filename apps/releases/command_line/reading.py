from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from apps.releases.channels.schedule_reports import schedule_line
from apps.releases.command_line.findings_words import NOTHING_FOUND, findings_lines
from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.command_line.review_words import review_lines
from apps.releases.comparing.rules import rules_brought
from apps.releases.comparing.texts import visible
from apps.releases.models import Release
from apps.releases.reports import (
    finding_report,
    name_report,
    release_details,
    release_report,
)
from apps.releases.review.findings import KINDS, FindingList, lint_of
from apps.releases.selectors import (
    manifest_reader_of,
    origins_of,
    release_numbered,
    releases_newest_first,
    schedules_of,
)

_SIGNS = {"added": "+", "changed": "~", "removed": "-"}


class ReadingSubcommands(ReleaseSubcommands):
    """Look at releases."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        listing = add("list", self.list_releases, help="show the newest releases")
        listing.add_argument("--state", choices=Release.State.values, help="only releases in this state")
        listing.add_argument("--limit", type=int, default=20, help="how many at most (default: %(default)s)")
        self.with_number(add("show", self.show, help="show one release"))
        findings = self.with_number(add("findings", self.findings, help="list what its build found wrong"))
        findings.add_argument(
            "--kind", choices=KINDS, metavar="KIND", help=f"only of a kind: {', '.join(KINDS)}"
        )
        findings.add_argument("--new", action="store_true", help="only what the base did not have")
        findings.add_argument(
            "--below", default="", metavar="PREFIX", help="only in paths that begin with this"
        )
        names = self.with_number(add("names", self.names, help="list the fingerprinted names of its files"))
        names.add_argument(
            "below", nargs="?", default="", metavar="PREFIX", help="only paths that begin with this"
        )
        super().add_subcommands(add)

    def list_releases(self, *, state: str | None, limit: int, **options: Any) -> object:
        reports = [release_report(release) for release in releases_newest_first(state=state)[: max(limit, 0)]]
        for report in reports:
            number, state, channel = report["release"], report["state"], report["channel"]
            self.say(f"{number:>6}  {state:<10}  {channel:<12}  {report['title']}")
        if not reports:
            self.say("No release yet: `scripts/manage import FOLDER --title …` makes one.")
        return reports

    def show(self, *, number: int, **options: Any) -> object:
        release = release_numbered(number)
        report = release_details(release)
        self.say(f"Release {number} · {release.title}")
        self.say(f"  {release.get_state_display()}, for channel {report['channel']}")
        self.say(f"  Digest: {report['digest'] or 'not built yet'}")
        for line in review_lines(release, report):
            self.say(f"  {line}")
        self.say(f"  {report['added']} added, {report['changed']} changed, {report['removed']} removed")
        for words in rules_brought(release).words:
            self.say(f"  {words}")
        for row in report["redirects"]:
            leads = f"{row['target']} ({row['status']})" if row["target"] else "nowhere any more"
            shadowed = ", shadowed by a file" if row["shadowed"] else ""
            self.say(f"  {_SIGNS[row['kind']]} {row['source']} → {leads}{shadowed}")
        for line in findings_lines(release, lint_of(release)):
            self.say(f"  {line}")
        for origin in origins_of(release):
            self.say(f"  It {origin.get_kind_display()} release {origin.source_id}")
        for schedule in schedules_of(release):
            self.say(f"  {schedule_line(schedule)}")
        if report["preview_url"]:
            self.say(f"  Preview: {report['preview_url']}")
        self.say(f"  {settings.STAFF_URL}/admin/releases/release/{number}/change/")
        return report

    def findings(self, *, number: int, kind: str | None, new: bool, below: str, **options: Any) -> object:
        release = release_numbered(number)
        found = list(FindingList(release, kind=kind or "", is_new_only=new, prefix=below))
        lint = lint_of(release)
        for judged in found:
            self.say(f"{'+' if judged.is_new and lint.is_compared else ' '} {judged.path} {judged.words}")
        if not found:
            self.say("No finding fits." if lint.total else NOTHING_FOUND[lint.state])
        return [finding_report(judged, is_compared=lint.is_compared) for judged in found]

    def names(self, *, number: int, below: str, **options: Any) -> object:
        reader = manifest_reader_of(release_numbered(number))
        reports = [
            name_report(entry, is_rewritten=reader.original_of(entry.path) is not None)
            for entry in reader.entries(prefix=below)
        ]
        for report in reports:
            rewritten = ", rewritten" if report["rewritten"] else ""
            self.say(f"{visible(report['path'])} → {visible(report['name'] or 'no other name')}{rewritten}")
        return reports
