from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser
from django.utils.timezone import localtime

from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.models import Publication
from apps.releases.reports import publication_report
from apps.releases.selectors import channel_named, release_numbered
from apps.releases.services import publishing


class PublishingSubcommands(ReleaseSubcommands):
    """Go live, and back."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        publish = self.with_number(add("publish", self.publish, help="make an approved release live"))
        publish.add_argument("--channel", help="refuse unless this is the release's channel")
        rollback = add("rollback", self.rollback, help="serve again what an earlier publication served")
        rollback.add_argument("--channel", default="production", help="default: %(default)s")
        rollback.add_argument("--to", type=int, metavar="PUBLICATION", help="default: what was served before")
        rollback.add_argument("--reason", required=True)
        super().add_subcommands(add)

    def publish(self, *, number: int, channel: str | None, **options: Any) -> object:
        release = release_numbered(number)
        if channel:
            publishing.refuse_other_channel(release, channel_named(channel))
        return self._say_live(publishing.publish(release=release, actor=self.actor(options)))

    def rollback(self, *, channel: str, to: int | None, reason: str, **options: Any) -> object:
        publication = publishing.roll_back(
            channel=channel_named(channel), to=to, reason=reason, actor=self.actor(options)
        )
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
        return publication_report(publication)
