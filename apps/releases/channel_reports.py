"""A channel as the JSON document that commands print: what it serves, what it asks for, who holds it."""

from collections.abc import Iterable
from typing import TypedDict

from apps.releases.models import Channel, Hold, Publication
from apps.releases.reports import history_report
from apps.releases.retention import kept_names
from apps.releases.selectors.holds import holds_on
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
        "holds": [hold_report(hold) for hold in holds_on(channel)],
        "retained": _retained_report(channel),
        "live": history_report(live) if live else None,
        "history": [history_report(publication) for publication in history],
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
