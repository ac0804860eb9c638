"""What is scheduled, as programs and people at a terminal read it."""

from typing import TypedDict

from apps.releases.channels.schedule_life import when
from apps.releases.models import Release, Schedule
from apps.releases.selectors import schedules_of


class ScheduleReport(TypedDict):
    """One thing that was scheduled, and what came of it; `at` is UTC, `time_zone` where it was typed."""

    action: str
    at: str
    time_zone: str
    digest: str
    by: str
    state: str
    outcome: str
    done_at: str | None
    publication: int | None
    revert: int | None


def schedule_report(schedule: Schedule) -> ScheduleReport:
    """Describe what was scheduled, and what came of it."""
    return {
        "action": schedule.action,
        "at": schedule.at.isoformat(),
        "time_zone": schedule.time_zone,
        "digest": f"sha256:{schedule.manifest_id}",
        "by": schedule.by.get_username(),
        "state": schedule.state,
        "outcome": schedule.outcome,
        "done_at": schedule.done_at.isoformat() if schedule.done_at else None,
        "publication": schedule.publication.sequence if schedule.publication else None,
        "revert": schedule.revert_id,
    }


def schedule_reports(release: Release) -> list[ScheduleReport]:
    """Describe everything that was ever scheduled for a release, newest first."""
    return [schedule_report(schedule) for schedule in schedules_of(release)]


def schedule_line(schedule: Schedule) -> str:
    """Say it in a line: "to publish at 2026-12-01 09:00 UTC, by ben: waiting"."""
    outcome = f". {schedule.outcome}" if schedule.outcome else ""
    return (
        f"To {schedule.get_action_display()} at {when(schedule)}, by {schedule.by}: "
        f"{schedule.get_state_display()}{outcome}"
    )
