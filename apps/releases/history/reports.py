"""A channel's history as the JSON documents that commands print: changelogs, seals, what was verified."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TypedDict

from apps.releases.history.changelog import LogEntry
from apps.releases.history.verification import HistoryFault, seal_of
from apps.releases.models import Channel, Publication
from apps.releases.reports import HistoryReport, history_report


class LogEntryReport(HistoryReport):
    title: str
    expected_result: str
    returns_to: str | None
    files: dict[str, int] | None
    emergency: bool


class SealReport(TypedDict):
    hash: str
    previous: str
    key: str
    fault: str | None


class FaultReport(TypedDict):
    subject: str
    message: str


class VerificationReport(TypedDict):
    channel: str
    publications: int
    head: str
    faults: list[FaultReport]


def log_entry_report(entry: LogEntry) -> LogEntryReport:
    """Describe one entry of a changelog; `files` is null where a roll back changed nothing itself."""
    publication, counts = entry.publication, entry.counts
    return {
        **history_report(publication),
        "title": publication.release.title,
        "expected_result": publication.release.expected_result,
        "returns_to": publication.returns_to.tag if publication.returns_to else None,
        "files": asdict(counts) if counts else None,
        "emergency": entry.is_emergency,
    }


def seal_report(publication: Publication, fault: str | None) -> SealReport | None:
    """Describe the seal of a publication and what is wrong with it; null where it has none."""
    seal = seal_of(publication)
    if seal is None:
        return None
    return {"hash": seal.hash, "previous": seal.previous_hash, "key": seal.key_id, "fault": fault}


def verification_report(
    channel: Channel, publications: int, head: str, faults: Iterable[HistoryFault]
) -> VerificationReport:
    """Describe whether a channel's history is what was written; `head` covers all of it."""
    return {
        "channel": channel.name,
        "publications": publications,
        "head": head,
        "faults": [fault_report(fault) for fault in faults],
    }


def fault_report(fault: HistoryFault) -> FaultReport:
    """Describe one thing that is not as it was written."""
    return {"subject": fault.subject, "message": fault.message}
