import sys
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.accounts.command_line import ServiceCommand
from apps.accounts.local_times import moment_of, zone_named
from apps.releases.comparing.texts import visible
from apps.releases.exceptions import WrongQuestion
from apps.releases.tracing.explaining import Explanation, explained
from apps.releases.tracing.headlines import headline, who_and_why
from apps.releases.tracing.reports import explanation_report, since_report, trace_report
from apps.releases.tracing.seen import MAX_CHARACTERS
from apps.releases.tracing.since import Since, since_when
from apps.releases.tracing.traces import Question, Trace, Tried, request_headers_of, trace

_MOST_BYTES = 4 * MAX_CHARACTERS + 4


class Command(ServiceCommand):
    help = "Say what an address answers, by which cache rule, and why."
    reads = "releases.view_release"

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
        parser.add_argument(
            "--since", action="store_true", help="say since when it answers so, through whom, and why"
        )
        parser.add_argument(
            "--before", type=int, metavar="NUMBER", help="with --since: go on from this publication"
        )
        parser.add_argument(
            "--seen",
            type=Path,
            metavar="FILE",
            help="explain headers of an answer seen elsewhere; - reads them",
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
        report: dict[str, object] = {**trace_report(found)}
        if options["since"]:
            place = found.place
            newest = place.publication.sequence if place.publication else None
            since = since_when(place.channel, found.asked.target, up_to=options["before"] or newest)
            self._say_since(since)
            report["since"] = since_report(since)
        if options["seen"]:
            explanation = explained(found, _pasted(options["seen"]), now=timezone.now())
            self._say_explained(explanation)
            report["seen"] = explanation_report(explanation)
        return report

    def _say(self, found: Trace) -> None:
        self.say(f"{found.asked.shown}: {headline(found)}")
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

    def _say_since(self, since: Since) -> None:
        self.say("\nSince when:")
        for turn in since.turns:
            publication = turn.publication
            self.say(f"  {publication.tag}: {visible(turn.shown)} ({turn.rule or 'no rule'})")
            self.say(f"      {visible(who_and_why(turn))}")
        if since.further_back:
            self.say(f"  Further back: --since --before {since.further_back}")

    def _say_explained(self, explanation: Explanation) -> None:
        self.say(f"\nWhat was seen: {explanation.headline}")
        if explanation.age_words:
            self.say(f"  {explanation.age_words}")
        for each in explanation.differences:
            self.say(f"  {each.header}: seen {visible(each.seen) or 'not'}, sent {each.expected or 'not'}")
        for words in explanation.advice:
            self.say(f"  → {words}")


def _pasted(file: Path) -> str:
    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as stream:
            content = stream.read(_MOST_BYTES)  # of more, `seen_answer` says that it is too long
    except OSError as error:
        raise WrongQuestion(
            f"{file} cannot be read: {error.strerror}.",
            next_step="Name a file, or - for what is piped in.",
        ) from error
    return content.decode(errors="replace")


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
