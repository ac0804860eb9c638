from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from apps.caching.checking import check_given
from apps.caching.command_line.documents import document_of, read_document, write_document
from apps.caching.command_line.reports import (
    CheckReport,
    break_lines,
    check_report,
    content_report,
    example_lines,
    remark_lines,
    rule_line,
)
from apps.caching.command_line.rule_subcommands import RuleSubcommands
from apps.caching.headers import cache_control
from apps.caching.lint import Remark
from apps.caching.matching import in_words
from apps.caching.models import CacheRuleVersion
from apps.caching.overview import RuleOverview, history, overviews
from apps.caching.remarks import remarks
from apps.caching.selectors import (
    content_of,
    current_combination,
    newest_version_of,
    newest_versions,
    version_numbered,
)
from apps.caching.wording import bypass_in_words, combination_in_words, policy_in_words


class ReadingSubcommands(RuleSubcommands):
    """Look at rules, and execute their examples."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        add("list", self.list_rules, help="show the rules in the order in which they are tried")
        show = self.with_slug(add("show", self.show, help="show one rule; with --json as `save` reads it"))
        show.add_argument(
            "--output", type=Path, metavar="FILE", help="write it there, to be changed and saved"
        )
        show.add_argument("--version", type=int, metavar="N", dest="number", help="an earlier version of it")
        check = add("check", self.check_rules, help="execute examples, and say what is odd about rules")
        which = check.add_mutually_exclusive_group()
        which.add_argument("slug", nargs="?", metavar="RULE", help="only this rule (default: all)")
        which.add_argument(
            "--file", type=Path, metavar="FILE", help="a rule that is not saved yet; - reads what is piped in"
        )
        super().add_subcommands(add)

    def list_rules(self, **options: Any) -> object:
        found, combination = _overviews(newest_versions()), current_combination()
        lines = [rule_line(overview) for overview in found]
        odd = remarks()
        for line in lines:
            failing = f", {line['failing']} failing" if line["failing"] else ""
            plural = "" if line["examples"] == 1 else "s"
            mark = "!" if line["rule"] in odd else " "
            self.say(
                f"{line['order']:>6} {mark} {line['rule']:<20}  {line['state']:<8}  {line['cache_control']}"
                f"  ({line['examples']} example{plural}{failing})"
            )
        if not lines:
            self.say("No rule yet: `scripts/manage rule save FILE` makes one.")
        self.say(f"Where several rules match a file, {combination_in_words(combination)}.")
        if odd:
            self.say("! `scripts/manage rule check` says what is odd.")
        return {"combination": combination, "rules": lines}

    def show(self, *, slug: str, number: int | None, output: Path | None, **options: Any) -> object:
        newest = newest_version_of(slug)
        version = newest if number is None else version_numbered(slug, number)
        if output:
            write_document(version, output)
            self.say(f"Wrote {output}: change it, then `scripts/manage rule save {output} --reason …`.")
            return document_of(version)
        self._say_version(version)
        if version == newest:
            self._say_standing(newest)
        for past in history(newest.rule):
            made = past.version
            why = f": {made.reason}" if made.reason else ""
            self.say(f"  Version {made.number}, {made.created_at:%Y-%m-%d} by {made.created_by}{why}")
        self.say(f"  {settings.STAFF_URL}/admin/caching/cacherule/{newest.rule_id}/change/")
        return document_of(version)

    def check_rules(self, *, slug: str | None, file: Path | None, **options: Any) -> object:
        if file:
            return self._check_file(file, options)
        chosen = [newest_version_of(slug)] if slug else list(newest_versions())
        odd = remarks()
        reports = [check_report(each, odd.get(each.version.rule.slug, ())) for each in _overviews(chosen)]
        for report in reports:
            self._say_checked(report, odd.get(report["rule"], ()))
        self.has_failed = not all(report["ok"] for report in reports)
        return {"ok": not self.has_failed, "rules": reports}

    def _check_file(self, file: Path, options: dict[str, Any]) -> object:
        document = read_document(file)
        newest = newest_versions().filter(rule__slug=document.slug).first()
        number = newest.number + 1 if newest else 1
        owner = document.owner or (newest.owner if newest else self.actor(options))
        _, check = check_given(document.slug, number, document.content, owner)
        report = content_report(document.slug, number, check)
        self.say(f"{document.slug}, as version {number}:")
        for fault in report["faults"]:
            self.say(f"  ✕ {fault['field']}: {fault['message']}")
        for line in (*example_lines(report["examples"]), *break_lines(report["breaks"])):
            self.say(f"  {line}")
        self.say("  ✓ It can be saved." if report["ok"] else "  It would not be saved.")
        self.has_failed = not report["ok"]
        return report

    def _say_version(self, version: CacheRuleVersion) -> None:
        content = content_of(version)
        self.say(f"{version.name} ({version.rule.slug}) · version {version.number}, {version.state}")
        self.say(f"  Owner: {version.owner}")
        self.say(f"  {in_words(content.match)}, order {version.order}")
        self.say(f"  {policy_in_words(content.policy)}")
        self.say(f"  Cache-Control: {cache_control(content.policy)}")
        for bypass in content.bypass_conditions:
            self.say(f"  Not where: {bypass_in_words(bypass)} ({bypass.reason})")
        self.say(f"  Expected result: {version.expected_result}")
        self.say(f"  Rollback note: {version.rollback_note}")

    def _say_standing(self, newest: CacheRuleVersion) -> None:
        [overview] = _overviews([newest])
        odd = remarks().get(newest.rule.slug, ())
        report = check_report(overview, odd)
        self.say(f"  Tried as number {overview.place}" if overview.place else "  No release ships with it")
        for line in (*example_lines(report["examples"]), *remark_lines(odd)):
            self.say(f"  {line}")

    def _say_checked(self, report: CheckReport, odd: Sequence[Remark]) -> None:
        self.say(f"{report['rule']}, version {report['version']}, {report['state']}:")
        for line in (*example_lines(report["examples"]), *remark_lines(odd)):
            self.say(f"  {line}")
        if not report["examples"]:
            self.say(f"  {'Its examples say nothing' if report['state'] == 'disabled' else 'No examples'}.")


def _overviews(versions: Iterable[CacheRuleVersion]) -> list[RuleOverview]:
    """Return the overview of the rule of each version, in that order."""
    numbers = [version.rule_id for version in versions]
    found = overviews(numbers)
    return [found[number] for number in numbers]
