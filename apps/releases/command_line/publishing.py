from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.timezone import localtime

from apps.releases.channels.reports import request_report
from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.command_line.roll_back_words import in_lines, preview_report
from apps.releases.models import Publication
from apps.releases.reports import publication_report
from apps.releases.rolling_back.preview import preview_roll_back
from apps.releases.selectors import channel_named, release_numbered
from apps.releases.selectors.emergencies import VALID_HOURS
from apps.releases.selectors.receipts import is_pointed_at, roll_back_ends
from apps.releases.services import emergencies, publishing


class PublishingSubcommands(ReleaseSubcommands):
    """Go live, and back."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        publish = self.with_number(add("publish", self.publish, help="make an approved release live"))
        publish.add_argument("--channel", help="refuse unless this is the release's channel")
        publish.add_argument(
            "--override-freeze", default="", metavar="REASON", help="publish although the channel is frozen"
        )
        ask = self.with_number(
            add("emergency-publish", self.ask, help="ask to publish what is in review without approvals")
        )
        ask.add_argument("--reason", required=True)
        confirm = self.with_number(
            add("confirm-emergency", self.confirm, help="publish what another administrator has asked for")
        )
        confirm.add_argument("--digest", help="refuse unless the release still has this digest")
        rollback = add("rollback", self.rollback, help="serve again what an earlier publication served")
        rollback.add_argument("--channel", default="production", help="default: %(default)s")
        goal = rollback.add_mutually_exclusive_group()
        goal.add_argument("--to", metavar="PUBLICATION", help="number or tag; else what was served before")
        goal.add_argument("--undo", action="store_true", help="serve again what the last roll back took away")
        rollback.add_argument("--reason", help="what is wrong; whoever looks at it tomorrow will read it")
        rollback.add_argument("--dry-run", action="store_true", help="only say what it would change")
        super().add_subcommands(add)

    def publish(self, *, number: int, channel: str | None, override_freeze: str, **options: Any) -> object:
        release = release_numbered(number)
        if channel:
            publishing.refuse_other_channel(release, channel_named(channel))
        publication = publishing.publish(
            release=release, actor=self.actor(options), override_freeze=override_freeze
        )
        return self._say_live(publication)

    def ask(self, *, number: int, reason: str, **options: Any) -> object:
        request = emergencies.ask(release=release_numbered(number), reason=reason, actor=self.actor(options))
        self.say(
            f"Another administrator has {VALID_HOURS} hours to look at release {number} and to confirm:"
            f" `scripts/manage release confirm-emergency {number} --as …`."
        )
        return request_report(request)

    def confirm(self, *, number: int, digest: str | None, **options: Any) -> object:
        publication = emergencies.confirm(
            release=release_numbered(number),
            digest=digest.removeprefix("sha256:") if digest else None,
            actor=self.actor(options),
        )
        return self._say_live(publication)

    def rollback(
        self,
        *,
        channel: str,
        to: str | None,
        undo: bool,
        reason: str | None,
        dry_run: bool,
        **options: Any,
    ) -> object:
        place = channel_named(channel)
        if dry_run:
            preview = preview_roll_back(*roll_back_ends(place, to=to, is_undo=undo))
            for line in in_lines(preview):
                self.say(line)
            return preview_report(preview)
        if reason is None:
            raise CommandError("Give a --reason, or ask with --dry-run what it would change.", returncode=2)
        goal = roll_back_ends(place, to=to, is_undo=undo)[1].sequence if to or undo else None
        publication = publishing.roll_back(channel=place, to=goal, reason=reason, actor=self.actor(options))
        report = self._say_live(publication)
        self.say(
            f"{channel} is on hold: nothing is published on it until"
            f" `scripts/manage channel resume {channel} --reason …`."
        )
        return report

    def _say_live(self, publication: Publication) -> object:
        at = f"{localtime(publication.published_at):%Y-%m-%d %H:%M:%S %Z}"
        self.say(
            f"{publication.channel} serves release {publication.release_id} since {at}, "
            f"as publication {publication.sequence} ({publication.tag})."
        )
        if not is_pointed_at(publication):
            self.say(
                "Storage has not taken its pointer yet, so visitors get what was served before. The running"
                " site tries again every two seconds: mend storage, and nothing more is to be done."
            )
        return publication_report(publication)
