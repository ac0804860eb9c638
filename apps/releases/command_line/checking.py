from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.releases.checks.reports import CheckReport, check_lines, check_reports
from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.selectors import release_numbered
from apps.releases.services.overriding import check_again, override_check
from apps.releases.services.review import REVIEWED


class CheckingSubcommands(ReleaseSubcommands):
    """What is tried on a release before people decide about it."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        check = self.with_number(
            add(
                "check",
                self.try_checks,
                help="try the checks on what is in review or approved; show the others'",
            )
        )
        check.add_argument("--override", metavar="CHECK", help="let it go on although this check has failed")
        check.add_argument("--reason", default="", help="why; it stays beside the result for ever")
        check.add_argument("--digest", help="override only if the release still has this digest")
        super().add_subcommands(add)

    def try_checks(
        self, *, number: int, override: str | None, reason: str, digest: str | None, **options: Any
    ) -> list[CheckReport]:
        release = release_numbered(number)
        if override is not None:
            wanted = digest.removeprefix("sha256:") if digest else None
            actor = self.actor(options)
            override_check(release=release, name=override, reason=reason, actor=actor, digest=wanted)
        elif reason or digest:
            raise CommandError("--reason and --digest go with --override.", returncode=2)
        elif release.state in REVIEWED:
            check_again(release=release, actor=self.actor(options))
        reports = check_reports(release_numbered(number))
        for report in reports:
            for line in check_lines(report, with_findings=True):
                self.say(line)
        if not reports:
            self.say(f"Release {number} was not checked: its checks are tried when it is submitted.")
        self.has_failed = any(report["stands_in_the_way"] for report in reports)
        return reports
