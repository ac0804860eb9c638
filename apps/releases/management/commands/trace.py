from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.accounts.command_line import ServiceCommand
from apps.accounts.local_times import moment_of, zone_named
from apps.releases.comparing.texts import visible
from apps.releases.tracing.reports import trace_report
from apps.releases.tracing.traces import Question, Trace, Tried, request_headers_of, trace


class Command(ServiceCommand):
    help = "Say what an address answers, by which cache rule, and why."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("url", metavar="URL", help="from an address bar, or a path: /css/app.css")
        parser.add_argument(
            "--header",
            action="append",
            default=[],
            metavar="'NAME: VALUE'",
            help="a header of the request; may be given again",
        )
        parser.add_argument("--release", type=int, metavar="N", help="ask this release, live or not")
        parser.add_argument(
            "--channel", default="", metavar="C", help="default: that of the host, else production"
        )
        parser.add_argument(
            "--at", default="", metavar="TIME", help="ask what was live then: 2026-12-01 09:00 (UTC)"
        )
        parser.add_argument(
            "--with-drafts", action="store_true", help="show drafts, disabled rules and newer versions too"
        )

    def run(self, **options: Any) -> object:
        question = Question(
            pasted=options["url"],
            request_headers=request_headers_of(options["header"]),
            release=options["release"],
            channel=options["channel"],
            at=_moment(options["at"]),
            with_drafts=options["with_drafts"],
        )
        found = trace(question)
        self._say(found)
        return trace_report(found)

    def _say(self, found: Trace) -> None:
        self.say(headline(found))
        for note in (*found.asked.notes, found.differs):
            if note:
                self.say(f"! {note}")
        self.say("")
        for name, value in found.answer.headers:
            self.say(f"  {name}: {visible(value)}")
        self.say("")
        for kept in found.kept:
            self.say(f"  {kept.cache}: {kept.words} ({kept.header})")
        if found.bypass:
            self.say(f"  Caches pass it by: {found.bypass.reason}")
        self.say("\nThe rules, as they would speak of a file there:" if found.is_assumed else "\nThe rules:")
        for one in found.tried:
            self.say(f"  {_sign(one, found)} {visible(_rule(one))} {visible(one.considered.because)}")
            if one.considered.near_miss:
                self.say(f"      near miss: {visible(one.considered.near_miss)}")


def headline(found: Trace) -> str:
    """Say in a sentence what answers, and by which rule."""
    place, answer = found.place, found.answer
    where = f"release {place.release.pk}"
    if place.preview:
        where = f"the preview of {where}"
    elif place.publication:
        where += f", {'live' if place.is_live else 'live then'} as {place.publication.tag}"
    else:
        where += ", not live"
    if answer.served is None:
        return f"{found.asked.shown}: {answer.status} from {where}. {visible(answer.because)}"
    by = f"by the rule {found.rule} (version {found.rule_version})" if found.rule else "by no rule"
    entry = answer.served.entry
    file = f"It is {visible(entry.path)} of release {entry.release}."
    return f"{found.asked.shown}: {answer.status} from {where}, {by}. {file}"


def _moment(typed: str) -> datetime | None:
    return moment_of(typed, zone_named(timezone.get_current_timezone_name())) if typed else None


def _sign(one: Tried, found: Trace) -> str:
    if not one.takes_part:
        return "·"
    if not one.considered.matched:
        return "-"
    return "→" if one is found.deciding else "+"


def _rule(one: Tried) -> str:
    standing = "" if one.takes_part else f" ({one.standing})"
    return f"{one.considered.rule} v{one.considered.version}{standing}:"
