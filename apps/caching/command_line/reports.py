"""Rules as `rule list` and `rule check` print them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

from apps.caching.checking import BrokenExample, RuleCheck
from apps.caching.examples import ExampleResult
from apps.caching.lint import Remark, grouped
from apps.caching.overview import RuleOverview


class RuleLine(TypedDict):
    rule: str
    name: str
    version: int
    state: str
    order: int
    place: int | None
    owner: str
    cache_control: str
    examples: int
    failing: int


class ExampleReport(TypedDict):
    url: str
    ok: bool
    words: str


class RemarkReport(TypedDict):
    kind: str
    words: str
    next: str
    other: str


class FaultReport(TypedDict):
    field: str
    message: str


class BreakReport(TypedDict):
    rule: str
    url: str
    words: str


class CheckReport(TypedDict):
    rule: str
    version: int
    state: str
    ok: bool
    examples: list[ExampleReport]
    remarks: list[RemarkReport]


class ContentReport(TypedDict):
    rule: str
    version: int
    ok: bool
    faults: list[FaultReport]
    examples: list[ExampleReport]
    breaks: list[BreakReport]


def rule_line(overview: RuleOverview) -> RuleLine:
    """Describe a rule's newest version in a line."""
    version = overview.version
    return {
        "rule": version.rule.slug,
        "name": version.name,
        "version": version.number,
        "state": version.state,
        "order": version.order,
        "place": overview.place,
        "owner": version.owner.username,
        "cache_control": overview.cache_control,
        "examples": len(overview.results),
        "failing": overview.failing_count,
    }


def check_report(overview: RuleOverview, remarks: Sequence[Remark]) -> CheckReport:
    """Describe what became of a rule's examples, and what is odd about it."""
    return {
        "rule": overview.version.rule.slug,
        "version": overview.version.number,
        "state": overview.version.state,
        "ok": not overview.failing_count,
        "examples": example_reports(overview.results),
        "remarks": [
            {"kind": each.kind, "words": each.words, "next": each.next_step, "other": each.other}
            for each in remarks
        ],
    }


def content_report(slug: str, number: int, check: RuleCheck) -> ContentReport:
    """Describe what would come of saving a content as version `number` of a rule."""
    return {
        "rule": slug,
        "version": number,
        "ok": not check.faults,
        "faults": [{"field": fault.field, "message": fault.message} for fault in check.faults],
        "examples": example_reports(check.results),
        "breaks": break_reports(check.broken),
    }


def break_reports(broken: Iterable[BrokenExample]) -> list[BreakReport]:
    return [
        {"rule": each.slug, "url": each.result.example.url, "words": each.result.words} for each in broken
    ]


def example_reports(results: Iterable[ExampleResult]) -> list[ExampleReport]:
    return [{"url": each.example.url, "ok": each.is_ok, "words": each.words} for each in results]


def example_lines(reports: Iterable[ExampleReport]) -> Iterator[str]:
    """Yield a line for each example, as people read it."""
    for each in reports:
        yield f"{'✓' if each['ok'] else '✕'} {each['url']}  {each['words']}"


def remark_lines(remarks: Iterable[Remark]) -> Iterator[str]:
    """Yield what is odd about a rule, as people read it: of several remarks of a kind a line, and on whom."""
    for group in grouped(remarks):
        yield f"! {group.words} {group.next_step}"
        if len(group.remarks) > 1:
            yield f"    {', '.join(dict.fromkeys(remark.other for remark in group.remarks))}"


def break_lines(reports: Iterable[BreakReport]) -> Iterator[str]:
    """Yield a line for each example of another rule that would not hold any more."""
    for each in reports:
        yield f"! An example of {each['rule']} would not hold any more: {each['url']} {each['words']}"
