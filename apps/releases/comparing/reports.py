"""Comparisons as the JSON documents that commands print (DESIGN: commands)."""

from typing import NotRequired, TypedDict

from apps.releases.comparing.differences import Comparison, Row
from apps.releases.comparing.header_words import header_words, rule_words
from apps.releases.comparing.impact import kind_of
from apps.releases.comparing.texts import TextComparison
from apps.releases.manifest import RedirectDifference
from apps.releases.manifest.tally import HeaderChange, Tally
from apps.releases.redirects.values import typed_source

MOST_HEADER_CHANGES = 50


class RedirectDifferenceReport(TypedDict):
    path: str
    kind: str
    old_target: str | None
    old_status: int | None
    new_target: str | None
    new_status: int | None


class LineReport(TypedDict):
    kind: str
    old_number: int | None
    new_number: int | None
    text: str


class TextReport(TypedDict):
    added: int
    removed: int
    is_cut: bool
    lines: list[LineReport]


class DifferenceReport(TypedDict):
    path: str
    kind: str
    old_size: int | None
    new_size: int | None
    moved_from: str | None
    moved_to: str | None
    text: NotRequired[TextReport | None]


class HeaderChangeReport(TypedDict):
    paths: int
    prefix: str
    folders: dict[str, int]
    rule: str
    headers: list[str]


class ComparisonReport(TypedDict):
    old: str
    new: str
    added: int
    changed: int
    removed: int
    moved: int
    headers: int
    following: int
    redirects: int
    header_changes: list[HeaderChangeReport]


def comparison_report(comparison: Comparison, tally: Tally) -> ComparisonReport:
    """Describe in counts what differs; what was moved is neither added nor removed here."""
    counts, moved = {kind: each.paths for kind, each in tally.counts().items()}, tally.move_count()
    return {
        "old": comparison.old.permanent,
        "new": comparison.new.permanent,
        "added": counts["added"] - moved,
        "changed": counts["changed"],
        "removed": counts["removed"] - moved,
        "moved": moved,
        "headers": counts["headers"],
        "following": counts["following"],
        "redirects": len(comparison.redirects()),
        "header_changes": [
            header_change_report(change) for change in tally.header_changes(limit=MOST_HEADER_CHANGES)
        ],
    }


def difference_report(row: Row) -> DifferenceReport:
    """Describe one path in which two things differ."""
    old, new = row.difference.old, row.difference.new
    return {
        "path": row.path,
        "kind": row.kind,
        "old_size": old.size if old else None,
        "new_size": new.size if new else None,
        "moved_from": row.moved_from or None,
        "moved_to": row.moved_to or None,
    }


def text_report(text: TextComparison) -> TextReport:
    """Describe two texts side by side."""
    return {
        "added": text.added,
        "removed": text.removed,
        "is_cut": text.is_cut,
        "lines": [
            {
                "kind": line.kind,
                "old_number": line.old_number,
                "new_number": line.new_number,
                "text": line.text,
            }
            for line in text.lines
        ],
    }


def header_change_report(change: HeaderChange) -> HeaderChangeReport:
    """Describe paths that are served with other headers than before."""
    return {
        "paths": change.paths,
        "prefix": change.prefix,
        "folders": dict(change.folders),
        "rule": rule_words(change.old, change.new),
        "headers": header_words(change.old, change.new),
    }


def redirect_difference_report(difference: RedirectDifference) -> RedirectDifferenceReport:
    """Describe one redirect in which two releases differ, as a row beside those of paths."""
    old, new = difference.old, difference.new
    return {
        "path": typed_source(difference.source),
        "kind": f"redirect_{kind_of(difference)}",
        "old_target": old.target if old else None,
        "old_status": old.status if old else None,
        "new_target": new.target if new else None,
        "new_status": new.status if new else None,
    }
