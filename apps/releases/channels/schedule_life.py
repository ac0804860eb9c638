"""The life of a schedule: it waits, and is settled once, by one conditional UPDATE."""

from datetime import timedelta

from django.utils import timezone

from apps.accounts.local_times import in_zone, zone_named
from apps.audit.services import record
from apps.releases.models import Publication, Release, Schedule

LATE_AFTER = timedelta(minutes=1)
_VOIDING = frozenset({Release.State.DRAFT, Release.State.REJECTED, Release.State.WITHDRAWN})


def when(schedule: Schedule) -> str:
    """Say the moment of a schedule as it was typed: 2026-12-01 09:00 Europe/Berlin."""
    return in_zone(schedule.at, zone_named(schedule.time_zone))


def settle(schedule: Schedule, state: Schedule.State, outcome: str, **effect: object) -> bool:
    """Settle a schedule that waits; return whether this call did, of all that may try."""
    waiting = Schedule.objects.filter(pk=schedule.pk, state=Schedule.State.WAITING)
    return bool(waiting.update(state=state, outcome=outcome, done_at=timezone.now(), **effect))


def settle_by(publication: Publication) -> None:
    """Settle the schedules that a publication carries out, or makes superfluous.

    Called in the transaction that publishes, whoever does: a person who is a minute early, or the worker.
    """
    action = Schedule.Action.PUBLISH
    if publication.kind == Publication.Kind.PUBLISH:
        for schedule in publication.release.schedules.filter(action=action, state=Schedule.State.WAITING):
            _settle_published(schedule, publication)


def void_schedules(release: Release, to: Release.State, *, step: str) -> None:
    """Cancel what is scheduled for a release that leaves the state in which a digest was approved."""
    if to not in _VOIDING:
        return
    waiting = release.schedules.filter(state=Schedule.State.WAITING)
    void = [each for each in waiting if settle(each, Schedule.State.CANCELLED, f"Void: it was {step}.")]
    if not void:
        return
    record(
        actor=None,
        action="release.schedule_void",
        target=f"release {release.pk}",
        summary=f"What was scheduled for release {release.pk} is void: it was {step}. "
        f"({'; '.join(f'{each.get_action_display()}: {when(each)}' for each in void)})",
        details={"schedules": [each.pk for each in void]},
    )


def _settle_published(schedule: Schedule, publication: Publication) -> None:
    overdue = publication.published_at - schedule.at
    if overdue < timedelta(0):
        words = f"{publication.actor} published it before that, as {publication.tag}."
        settle(schedule, Schedule.State.CANCELLED, words)
    elif overdue < LATE_AFTER:
        words = f"Published as {publication.tag}."
        settle(schedule, Schedule.State.DONE, words, publication=publication)
    else:
        settle(schedule, Schedule.State.LATE, _late(publication, overdue), publication=publication)


def _late(publication: Publication, overdue: timedelta) -> str:
    return f"Published as {publication.tag}, {in_minutes(overdue)} late: nothing ran at its time."


def in_minutes(overdue: timedelta) -> str:
    """Return how late something is, as people say it: "3 minutes", "2 h 5 min"."""
    minutes = max(1, round(overdue.total_seconds() / 60))
    if minutes < 60:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
