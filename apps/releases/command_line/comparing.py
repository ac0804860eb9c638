from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from django.core.management.base import CommandParser

from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.comparing.comparables import HOW, comparable_named
from apps.releases.comparing.differences import KIND_CHOICES, Comparison, Filter, Row, look_of
from apps.releases.comparing.looks import ON_ITS_OWN
from apps.releases.comparing.reports import (
    ComparisonReport,
    DifferenceReport,
    RedirectDifferenceReport,
    comparison_report,
    difference_report,
    redirect_difference_report,
    text_report,
)
from apps.releases.comparing.tallies import tally_of
from apps.releases.comparing.texts import LineKind, TextComparison, visible

_SIGNS = {"added": "+", "changed": "~", "removed": "-", "headers": "h", "following": "f"}
_SIGNS |= {f"redirect_{kind}": sign for kind, sign in tuple(_SIGNS.items())}

type _Report = DifferenceReport | RedirectDifferenceReport


class ComparingSubcommands(ReleaseSubcommands):
    """Compare any two things that are served, were, or would be."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        compare = add("diff", self.diff, help="list the paths in which two things differ")
        compare.add_argument("old", metavar="A", help=HOW.replace("%", "%%"))
        compare.add_argument("new", metavar="B", help="as A")
        compare.add_argument("--kind", choices=KIND_CHOICES, default="", help="only what differs in this way")
        compare.add_argument("--below", default="", metavar="PREFIX", help="only paths that begin with this")
        compare.add_argument("--type", default="", metavar="TYPE", help="only of a media type: image/*")
        compare.add_argument("--limit", type=int, metavar="N", help="no more than this many paths")
        compare.add_argument("--text", action="store_true", help="show the lines that differ")
        compare.add_argument("--summary", action="store_true", help="count, and say whose headers change")
        super().add_subcommands(add)

    def diff(self, *, old: str, new: str, summary: bool, limit: int | None, **options: Any) -> object:
        before, after = comparable_named(old), comparable_named(new)
        with Comparison(before, after, tally_of(before.reader, after.reader)) as comparison:
            for note in comparison.notes:
                self.stderr.write(note)
            if summary and comparison.tally:
                report = comparison_report(comparison, comparison.tally)
                self._say_summary(report)
                return report
            choice = Filter(options["kind"], options["below"].removeprefix("/"), options["type"])
            reports: list[_Report] = list(
                islice(
                    self._rows(comparison, choice, is_text=options["text"]),
                    None if limit is None else max(limit, 0),
                )
            )
        if not reports:
            is_all = choice == Filter() and limit is None
            self.say(f"{_named(old)} and {_named(new)} serve the same." if is_all else "Nothing fits.")
        return reports

    def _rows(self, comparison: Comparison, choice: Filter, *, is_text: bool) -> Iterator[_Report]:
        """Yield what differs, and say it as it comes; redirects are last, where no filter is about files."""
        for row in comparison.rows(choice):
            report = difference_report(row)
            self.say(f"{_SIGNS[row.kind]} {visible(row.path)}{_moved(row)}")
            if is_text:
                text = look_of(row, ON_ITS_OWN).text
                report["text"] = text_report(text) if text else None
                self._say_text(text)
            yield report
        if choice == Filter():
            for redirect in map(redirect_difference_report, comparison.redirects()):
                self.say(f"{_SIGNS[redirect['kind']]} {redirect['path']}{_leads(redirect)}")
                yield redirect

    def _say_text(self, text: TextComparison | None) -> None:
        for line in text.lines if text else ():
            self.say(
                f"    … {line.text}" if line.kind is LineKind.SKIPPED else f"  {line.sign:1} {line.text}"
            )

    def _say_summary(self, report: ComparisonReport) -> None:
        self.say(
            f"{report['added']} added, {report['changed']} changed, {report['removed']} removed,"
            f" {report['moved']} moved, {report['following']} following,"
            f" {report['headers']} with other headers only, {report['redirects']} redirects"
        )
        for change in report["header_changes"]:
            urls = _urls(change["paths"], change["prefix"])
            self.say(f"  {urls}: {'; '.join(change['headers'])} ({change['rule']})")
            for folder, paths in change["folders"].items():
                self.say(f"    {_urls(paths, folder)}")


def _urls(paths: int, prefix: str) -> str:
    where = "" if not prefix else f" under /{prefix}" if prefix.endswith("/") else f" at /{prefix}"
    return f"{paths:,} URL{'' if paths == 1 else 's'}{where}"


def _named(typed: str) -> str:
    return f"Release {typed}" if typed.isdecimal() else typed


def _moved(row: Row) -> str:
    if row.moved_from:
        return f" (moved from {visible(row.moved_from)})"
    return f" (moved to {visible(row.moved_to)})" if row.moved_to else ""


def _leads(report: RedirectDifferenceReport) -> str:
    target = report["new_target"]
    return f" → {target} ({report['new_status']})" if target else ""
