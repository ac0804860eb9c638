"""A channel as the JSON document that commands print: what it serves, what it asks for, who holds it."""

from collections.abc import Iterable
from typing import TypedDict

from apps.releases.models import Channel, ChannelProposal, EmergencyRequest, FreezeWindow, Hold, Publication
from apps.releases.reports import HistoryReport, history_report, prefixed
from apps.releases.rolling_back.retention import kept_names
from apps.releases.selectors.emergencies import Marks, marks_of
from apps.releases.selectors.holds import holds_on
from apps.releases.selectors.proposals import open_proposals, value_in_words
from apps.releases.services.channels import OPTIONS, value_of


class HoldReport(TypedDict):
    """`channel` is None where all channels are held."""

    channel: str | None
    by: str
    since: str
    reason: str
    rollback: str | None
    lifted_by: str | None
    lifted_at: str | None
    lift_reason: str


class WindowReport(TypedDict):
    """A freeze window: its number, and what it says in words; `time_zone` is its channel's."""

    window: int
    channel: str
    words: str
    weekly: bool
    time_zone: str


class RequestReport(TypedDict):
    release: int
    digest: str
    asked_by: str
    asked_at: str
    reason: str


class EmergencyReport(TypedDict):
    asked_by: str
    confirmed_by: str
    confirmed_at: str
    reason: str


class OverrideReport(TypedDict):
    reason: str
    windows: str
    frozen_until: str | None


class MarksReport(TypedDict):
    """How a publication came about otherwise than usual; None where it did not."""

    emergency: EmergencyReport | None
    freeze_override: OverrideReport | None


class MarkedReport(HistoryReport, MarksReport):
    """A line of a channel's history."""


class ProposalReport(TypedDict):
    proposal: int
    channel: str
    field: str
    before: str
    after: str
    state: str
    proposed_by: str
    decided_by: str | None
    note: str


class RetainedReport(TypedDict):
    names: int
    oldest: str
    not_before: str
    publications_left: int


def channel_report(
    channel: Channel, live: Publication | None, history: Iterable[Publication]
) -> dict[str, object]:
    """Describe a channel, what it serves, and its newest publications."""
    return {
        "channel": channel.name,
        "required_approvals": channel.required_approvals,
        "options": {name: value_of(channel, name) for name in OPTIONS},
        "hosts": [host.host for host in channel.hosts.all()],
        "freeze_windows": [window_report(window) for window in channel.freeze_windows.all()],
        "proposals": [proposal_report(proposal) for proposal in open_proposals(channel)],
        "holds": [hold_report(hold) for hold in holds_on(channel)],
        "retained": _retained_report(channel),
        "live": history_report(live) if live else None,
        "history": marked_reports(history),
    }


def marked_reports(history: Iterable[Publication]) -> list[MarkedReport]:
    """Describe publications with what they are marked with."""
    publications = list(history)
    marks = marks_of(publications)
    return [
        {**history_report(publication), **marks_report(marks.get(publication.pk, Marks()))}
        for publication in publications
    ]


def marks_report(marks: Marks) -> MarksReport:
    """Describe what a publication is marked with."""
    emergency, override = marks.emergency, marks.override
    return {
        "emergency": {
            "asked_by": emergency.request.asked_by.get_username(),
            "confirmed_by": emergency.confirmed_by.get_username(),
            "confirmed_at": emergency.confirmed_at.isoformat(),
            "reason": emergency.request.reason,
        }
        if emergency
        else None,
        "freeze_override": {
            "reason": override.reason,
            "windows": override.windows,
            "frozen_until": override.frozen_until.isoformat() if override.frozen_until else None,
        }
        if override
        else None,
    }


def window_report(row: FreezeWindow) -> WindowReport:
    """Describe a freeze window."""
    return {
        "window": row.pk,
        "channel": row.channel.name,
        "words": str(row),
        "weekly": row.window.is_weekly,
        "time_zone": row.channel.time_zone,
    }


def request_report(request: EmergencyRequest) -> RequestReport:
    """Describe what was asked for in an emergency."""
    return {
        "release": request.release_id,
        "digest": prefixed(request.manifest_id),
        "asked_by": request.asked_by.get_username(),
        "asked_at": request.asked_at.isoformat(),
        "reason": request.reason,
    }


def proposal_report(proposal: ChannelProposal) -> ProposalReport:
    """Describe that a channel should ask for less, and who has decided so."""
    return {
        "proposal": proposal.pk,
        "channel": proposal.channel.name,
        "field": proposal.field,
        "before": value_in_words(proposal.field, proposal.before),
        "after": value_in_words(proposal.field, proposal.after),
        "state": proposal.state,
        "proposed_by": proposal.proposed_by.get_username(),
        "decided_by": proposal.decided_by.get_username() if proposal.decided_by else None,
        "note": proposal.note,
    }


def hold_report(hold: Hold) -> HoldReport:
    """Describe what holds a channel or all of them: by whom, since when, why, and how it ended."""
    return {
        "channel": hold.channel.name if hold.channel else None,
        "by": hold.placed_by.get_username(),
        "since": hold.placed_at.isoformat(),
        "reason": hold.reason,
        "rollback": hold.rollback.tag if hold.rollback else None,
        "lifted_by": hold.lifted_by.get_username() if hold.lifted_by else None,
        "lifted_at": hold.lifted_at.isoformat() if hold.lifted_at else None,
        "lift_reason": hold.lift_reason,
    }


def _retained_report(channel: Channel) -> RetainedReport | None:
    """Describe the names of earlier publications that still answer, and when the oldest of them may go."""
    kept = kept_names(channel)
    if kept is None:
        return None
    return {
        "names": kept.count,
        "oldest": kept.oldest.tag,
        "not_before": kept.not_before.isoformat(),
        "publications_left": kept.publications_left,
    }
