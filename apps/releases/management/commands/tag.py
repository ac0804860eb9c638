import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.core.management.base import CommandParser
from django.utils.timezone import localtime

from apps.accounts.command_line import SubcommandsCommand
from apps.releases.channels.reports import marks_report
from apps.releases.comparing.texts import visible
from apps.releases.history.changelog import tags
from apps.releases.history.reports import seal_report
from apps.releases.history.verification import unverified
from apps.releases.models import Publication
from apps.releases.reports import history_report
from apps.releases.selectors import channel_named, publication_tagged
from apps.releases.selectors.emergencies import Marks, marks_of


class Command(SubcommandsCommand):
    help = "Look publications up by their names, which are unique: production-2026-11-23.2."
    reads = "releases.view_publication"

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        show = add("show", self.show, help="show what was published under a name, and its seal")
        show.add_argument("tag", metavar="TAG")
        listing = add("list", self.list_tags, help="list the names, newest first")
        listing.add_argument("--channel", help="only of this channel")
        listing.add_argument(
            "--since", type=_day, metavar="YYYY-MM-DD", help="only from this day on, in UTC as names have it"
        )
        listing.add_argument("--limit", type=int, default=50, help="how many at most (default: %(default)s)")

    def show(self, *, tag: str, **options: Any) -> object:
        publication = publication_tagged(tag)
        marked = marks_of([publication])
        marks = marked.get(publication.pk, Marks())
        fault = unverified([publication], marked).get(publication.pk)
        at = f"{localtime(publication.published_at):%Y-%m-%d %H:%M:%S %Z}"
        self.say(f"{tag}: publication {publication.sequence} of {publication.channel}, {at}")
        self.say(f"  Release {publication.release_id} · {visible(publication.release.title)}")
        goal = f" to {publication.returns_to.tag}" if publication.returns_to else ""
        behind = f", {marks.words}" if marks.words else ""
        self.say(f"  {publication.get_kind_display()}{goal} by {publication.actor}{behind}")
        if publication.reason:
            self.say(f"  Reason: {visible(publication.reason)}")
        self.say(f"  Digest: sha256:{publication.manifest_id}")
        self.say(f"  Seal: {fault or 'verified'}")
        return {
            **history_report(publication),
            **marks_report(marks),
            "seal": seal_report(publication, fault),
        }

    def list_tags(self, *, channel: str | None, since: datetime | None, limit: int, **options: Any) -> object:
        found = list(islice(tags(channel_named(channel) if channel else None, since=since), max(limit, 0)))
        for publication in found:
            self.say(f"{publication.tag}  {_words(publication)}")
        if not found:
            self.say("Nothing was published.")
        return [history_report(publication) for publication in found]


def _words(publication: Publication) -> str:
    back = "rolled back to " if publication.returns_to_id else ""
    return f"{back}release {publication.release_id} · {visible(publication.release.title)}"


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: write it as 2026-11-23") from error
