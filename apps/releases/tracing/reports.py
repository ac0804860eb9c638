"""A trace as the JSON document that the command prints."""

from typing import TypedDict

from apps.caching.evaluation import Considered
from apps.caching.rules import Bypass
from apps.releases.reports import prefixed
from apps.releases.tracing.answering import Answered
from apps.releases.tracing.explaining import Explanation
from apps.releases.tracing.keeping import Keeping
from apps.releases.tracing.since import Since, Turn
from apps.releases.tracing.traces import Trace, Tried


class BypassReport(TypedDict):
    kind: str
    name: str
    reason: str


class ConsideredReport(TypedDict):
    rule: str
    version: int
    matched: bool
    because: str
    near_miss: str | None
    standing: str


class FileReport(TypedDict):
    path: str
    name: str
    blob: str
    size: int
    media_type: str
    release: int
    retained: bool


class KeepingReport(TypedDict):
    cache: str
    may_keep: bool
    seconds: int
    header: str
    stale_while_revalidate: int
    stale_if_error: int
    words: str


class TraceReport(TypedDict):
    """`rule` is null where none decides; `release` is what answers, `file.release` what brought the file."""

    url: str
    release: int
    channel: str
    publication: str | None
    live: bool
    preview: bool
    status: int
    because: str
    rule: str | None
    rule_version: int | None
    combination: str
    bypass: BypassReport | None
    headers: dict[str, str]
    caches: list[KeepingReport]
    considered: list[ConsideredReport]
    assumed: bool
    tags: list[str]
    file: FileReport | None
    codings: dict[str, str]
    differs: str | None
    if_all_shipped: dict[str, object] | None
    notes: list[str]


class TurnReport(TypedDict):
    publication: str
    at: str
    kind: str
    by: str
    reason: str
    release: int
    title: str
    approved_by: list[str]
    answers: str
    rule: str | None
    rule_version: int | None
    rule_saved_by: str | None
    rule_saved_at: str | None
    tags_changed: list[str]
    headers_changed: list[str]
    content_changed: bool


class SinceReport(TypedDict):
    turns: list[TurnReport]
    further_back: int | None


class DifferenceReport(TypedDict):
    header: str
    seen: str
    expected: str


class ExplanationReport(TypedDict):
    verdict: str
    headline: str
    release: int | None
    publication: str | None
    publications: list[str]
    rule: str | None
    rule_version: int | None
    age_seconds: int | None
    left: dict[str, int]
    differences: list[DifferenceReport]
    hops: list[str]
    advice: list[str]


def trace_report(trace: Trace) -> TraceReport:
    """Describe a trace."""
    place, answer, would = trace.place, trace.answer, trace.if_all_shipped
    return {
        "url": trace.asked.shown,
        "release": place.release.pk,
        "channel": place.channel.name,
        "publication": place.publication.tag if place.publication else None,
        "live": place.is_live,
        "preview": place.preview is not None,
        "status": answer.status,
        "because": answer.because,
        "rule": trace.rule or None,
        "rule_version": trace.rule_version or None,
        "combination": trace.combination,
        "bypass": bypass_report(trace.bypass) if trace.bypass else None,
        "headers": dict(answer.headers),
        "caches": [keeping_report(kept) for kept in trace.kept],
        "considered": [considered_report(one) for one in trace.tried],
        "assumed": trace.is_assumed,
        "tags": trace.tags,
        "file": file_report(answer),
        "codings": {each.coding: prefixed(each.encoded) for each in answer.codings},
        "differs": trace.differs or None,
        "if_all_shipped": {"rule": would.rule or None, "headers": dict(would.headers)} if would else None,
        "notes": list(trace.asked.notes),
    }


def bypass_report(bypass: Bypass) -> BypassReport:
    """Describe why caches pass an address by."""
    return {"kind": bypass.kind, "name": bypass.name, "reason": bypass.reason}


def considered_report(tried: Tried) -> ConsideredReport:
    """Describe what one rule says to a file."""
    said: Considered = tried.considered
    return {
        "rule": said.rule,
        "version": said.version,
        "matched": said.matched,
        "because": said.because,
        "near_miss": said.near_miss or None,
        "standing": tried.standing,
    }


def file_report(answer: Answered) -> FileReport | None:
    """Describe the file that answers."""
    if answer.served is None:
        return None
    entry = answer.served.entry
    return {
        "path": entry.path,
        "name": answer.served.name,
        "blob": prefixed(entry.blob),
        "size": entry.size,
        "media_type": entry.media_type,
        "release": entry.release,
        "retained": answer.served.is_retained,
    }


def keeping_report(kept: Keeping) -> KeepingReport:
    """Describe what one kind of cache may do."""
    return {
        "cache": kept.cache,
        "may_keep": kept.may_keep,
        "seconds": kept.seconds,
        "header": kept.header,
        "stale_while_revalidate": kept.stale_while_revalidate,
        "stale_if_error": kept.stale_if_error,
        "words": kept.words,
    }


def since_report(since: Since) -> SinceReport:
    """Describe since when an address answers so."""
    return {"turns": list(map(turn_report, since.turns)), "further_back": since.further_back}


def turn_report(turn: Turn) -> TurnReport:
    """Describe one publication since which an address answers otherwise."""
    publication, version = turn.publication, turn.version
    served = turn.answer.served if turn.answer else None
    return {
        "publication": publication.tag,
        "at": publication.published_at.isoformat(),
        "kind": publication.kind,
        "by": publication.actor.get_username(),
        "reason": publication.reason,
        "release": publication.release_id,
        "title": publication.release.title,
        "approved_by": list(turn.approvers),
        "answers": turn.shown,
        "rule": (served.header_set.rule or None) if served else None,
        "rule_version": (served.header_set.rule_version or None) if served else None,
        "rule_saved_by": version.created_by.get_username() if version else None,
        "rule_saved_at": version.created_at.isoformat() if version else None,
        "tags_changed": list(turn.tags),
        "headers_changed": list(turn.headers),
        "content_changed": turn.is_new_content,
    }


def explanation_report(found: Explanation) -> ExplanationReport:
    """Describe what headers say that were seen in the wild; `left` counts seconds for each kind of cache."""
    return {
        "verdict": found.verdict,
        "headline": found.headline,
        "release": found.source.release_id if found.source else None,
        "publication": found.source.tag if found.source else None,
        "publications": [publication.tag for publication in found.publications],
        "rule": found.rule or None,
        "rule_version": found.rule_version or None,
        "age_seconds": found.age_seconds,
        "left": {each.kept.cache: each.seconds for each in found.left},
        "differences": [
            {"header": each.header, "seen": each.seen, "expected": each.expected}
            for each in found.differences
        ],
        "hops": [f"{hop.header}: {hop.words}" for hop in found.seen.hops],
        "advice": list(found.advice),
    }
