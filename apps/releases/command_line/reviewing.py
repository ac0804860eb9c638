from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from apps.releases.checks.reports import check_lines, check_reports
from apps.releases.command_line.findings_words import findings_lines
from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.review.findings import lint_of
from apps.releases.selectors import release_numbered
from apps.releases.services import review


class ReviewingSubcommands(ReleaseSubcommands):
    """Bring a release from draft to approved, or give it up."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        self.with_number(add("submit", self.submit, help="build a draft and hand it in for review"))
        approve = self.with_number(add("approve", self.approve, help="approve what is in review"))
        approve.add_argument("--digest", help="refuse unless the release still has this digest")
        changes = self.with_number(
            add("request-changes", self.request_changes, help="send what is in review back to its owner")
        )
        changes.add_argument("--reason", required=True)
        reject = self.with_number(add("reject", self.reject, help="turn a release down"))
        reject.add_argument("--reason", required=True)
        self.with_number(add("reopen", self.reopen, help="take a release back to draft"))
        self.with_number(add("withdraw", self.withdraw, help="give a release up"))
        super().add_subcommands(add)

    def submit(self, *, number: int, **options: Any) -> object:
        release = review.submit(release=release_numbered(number), actor=self.actor(options))
        report = self.say_state(release)
        for line in findings_lines(release, lint_of(release)):
            self.say(f"  {line}")
        for check in check_reports(release):
            for line in check_lines(check, with_findings=True):
                self.say(f"  {line}")
        return report

    def approve(self, *, number: int, digest: str | None, **options: Any) -> object:
        release = release_numbered(number)
        wanted = (digest or release.manifest_id or "").removeprefix("sha256:")
        review.approve(release=release, digest=wanted, actor=self.actor(options))
        return self.say_state(release_numbered(number))

    def request_changes(self, *, number: int, reason: str, **options: Any) -> object:
        return self.say_state(
            review.request_changes(release=release_numbered(number), reason=reason, actor=self.actor(options))
        )

    def reject(self, *, number: int, reason: str, **options: Any) -> object:
        release = review.reject(release=release_numbered(number), reason=reason, actor=self.actor(options))
        return self.say_state(release)

    def reopen(self, *, number: int, **options: Any) -> object:
        return self.say_state(review.reopen(release=release_numbered(number), actor=self.actor(options)))

    def withdraw(self, *, number: int, **options: Any) -> object:
        return self.say_state(review.withdraw(release=release_numbered(number), actor=self.actor(options)))
