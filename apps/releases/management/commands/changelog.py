import argparse
from typing import Any

from django.core.management.base import CommandParser

from apps.accounts.command_line import ServiceCommand
from apps.releases.comparing.texts import visible
from apps.releases.history.changelog import LogEntry, as_markdown, changelog, counts_in_words
from apps.releases.history.reports import log_entry_report
from apps.releases.models import Channel
from apps.releases.selectors import channel_named, publication_tagged
from apps.typed_arguments import text


class Command(ServiceCommand):
    help = "Tell what went live on a channel, the newest first: between two tags, or all of it."
    reads = "releases.view_publication"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "range",
            nargs="?",
            metavar="TAG..TAG",
            type=_ends,
            default=("", ""),
            help="the same as --from and --to; either side may be left out",
        )
        parser.add_argument("--channel", help="default: that of the tags, else production")
        parser.add_argument("--from", dest="since", default="", metavar="TAG", help="what came after this")
        parser.add_argument("--to", dest="until", default="", metavar="TAG", help="up to this, and with it")
        parser.add_argument("--markdown", action="store_true", help="print Markdown")

    def run(self, **options: Any) -> object:
        first, last = options["range"]
        since, until = options["since"] or first, options["until"] or last
        channel = _channel(options["channel"], since or until)
        entries = changelog(channel, since=since, until=until)
        if options["markdown"]:
            self.say(as_markdown(channel, entries).rstrip())
        else:
            self._say_plainly(entries)
        return {"channel": channel.name, "entries": [log_entry_report(entry) for entry in entries]}

    def _say_plainly(self, entries: list[LogEntry]) -> None:
        for entry in entries:
            publication, release = entry.publication, entry.publication.release
            counts = f"  {counts_in_words(entry.counts)}" if entry.counts else ""
            self.say(f"{publication.tag}  {visible(release.title)} (release {release.pk}){counts}")
            reason = f": “{_in_a_line(publication.reason)}”" if publication.reason else ""
            self.say(f"    {entry.deed}{reason}")
            if entry.counts and release.expected_result:
                self.say(f"    Expected: {_in_a_line(release.expected_result)}")
        if not entries:
            self.say("Nothing was published.")


def _ends(typed: str) -> tuple[str, str]:
    since, dots, until = text(typed).partition("..")
    if not dots:
        raise argparse.ArgumentTypeError(f"{typed!r} names no two tags: write FIRST..LAST")
    return since, until


def _channel(name: str | None, tag: str) -> Channel:
    return publication_tagged(tag).channel if tag and not name else channel_named(name or "production")


def _in_a_line(text: str) -> str:
    return visible(" ".join(text.split()))
