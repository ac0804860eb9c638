from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.headlines import counted
from apps.releases.history.export import export
from apps.releases.history.preview_verification import preview_faults
from apps.releases.history.reports import fault_report, verification_report
from apps.releases.history.verification import HistoryFault, head_of, history_faults, index_faults
from apps.releases.models import Channel
from apps.releases.release_report import as_json, report_of
from apps.releases.release_report.documents import FORMATS, written
from apps.releases.selectors import channel_named, release_numbered
from apps.releases.selectors.receipts import publication_named


class HistorySubcommands(ReleaseSubcommands):
    """Prove what was published."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        verify = add("verify", self.verify, help="see that nobody has changed what was published")
        verify.add_argument("--channel", help="only the history of this channel")
        verify.add_argument(
            "--no-files", action="store_true", help="leave the manifests out, which are read whole"
        )
        exporting = add("export", self.export, help="write a publication so that outsiders can check it")
        exporting.add_argument("publication", metavar="TAG|PUBLICATION", help="its tag, or its number")
        exporting.add_argument("--channel", default="production", help="of a number (default: %(default)s)")
        exporting.add_argument("--to", required=True, type=Path, metavar="FOLDER")
        report = self.with_number(add("report", self.report, help="print all that is known of a release"))
        report.add_argument(
            "--format", choices=FORMATS, default="markdown", help="how it is written (default: %(default)s)"
        )
        super().add_subcommands(add)

    def verify(self, *, channel: str | None, no_files: bool, **options: Any) -> object:
        if channel:
            return {"channels": [self._verify(channel_named(channel), with_files=not no_files)]}
        channels = [self._verify(each, with_files=not no_files) for each in Channel.objects.all()]
        faults = list(index_faults())
        self._say_faults("The index of hosts", faults)
        shown = list(preview_faults(with_files=not no_files))
        self._say_faults("What storage says of previews", shown)
        return {
            "channels": channels,
            "index": [fault_report(fault) for fault in faults],
            "previews": [fault_report(fault) for fault in shown],
        }

    def export(self, *, publication: str, channel: str, to: Path, **options: Any) -> object:
        found = publication_named(channel_named(channel) if publication.isdecimal() else None, publication)
        files = export(found, to=to, actor=self.actor(options))
        self.say(f"{found.tag} is in {to}: {len(files)} files. Its README.md says how to check it.")
        return {"tag": found.tag, "folder": str(to), "files": files}

    def report(self, *, number: int, format: str, **options: Any) -> object:  # noqa: A002 - as it is typed
        report = report_of(release_numbered(number))
        if not self.is_json:
            self.stdout.write(written(report, format), ending="")
        return as_json(report)

    def _verify(self, channel: Channel, *, with_files: bool) -> object:
        faults, count = list(history_faults(channel, with_files=with_files)), channel.publications.count()
        self._say_faults(f"The history of {channel}", faults)
        if not faults:
            files = ", its manifests as they were built" if with_files else ""
            self.say(
                f"The history of {channel} is whole: {counted(count, 'publication')}, sealed and signed"
                f"{files}, head {head_of(channel)}."
            )
        return verification_report(channel, count, head_of(channel), faults)

    def _say_faults(self, subject: str, faults: list[HistoryFault]) -> None:
        for fault in faults:
            self.say(str(fault))
        if faults:
            self.has_failed = True
            self.say(
                f"{subject} is not as it was written: {counted(len(faults), 'fault')}.\n"
                "→ Copy database and storage as they are, then see the runbook, Proving the history."
            )
