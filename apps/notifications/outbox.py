"""What happened is noted in the transaction in which it happens; everything else is done afterwards.

One row, without a look at who will be told: a fault in telling people never stands in the way of a
roll back, and what is undone was never told.
"""

from datetime import timedelta

from django.utils import timezone

from apps.audit.listeners import listener
from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.jobs.failures import on_failure
from apps.jobs.models import Job
from apps.notifications.kinds import KIND_OF_ACTION, Kind
from apps.notifications.models import Event

QUIET = timedelta(hours=1)  # a thousand files that fail alike are told once


@listener
def note_entry(entry: AuditEntry) -> None:
    """Note what the audit log has just been told, if it is of a kind that others want to know."""
    kind = KIND_OF_ACTION.get(entry.action)
    if kind is None or (kind is Kind.HELD and "rollback" in entry.details):  # the roll back is told itself
        return
    Event.objects.create(
        kind=kind,
        entry=entry,
        at=entry.at,
        actor_id=entry.actor_id,
        actor_name=entry.actor_name,
        target=entry.target,
        summary=entry.summary,
        details=entry.details,
    )


@on_failure
def note_failed_job(job: Job) -> None:
    """Note that a job has failed, unless one of its kind has within the hour."""
    target = f"jobs {job.kind}"
    since = timezone.now() - QUIET
    if Event.objects.filter(kind=Kind.JOB_FAILED, target=target, at__gte=since).exists():
        return
    Event.objects.create(
        kind=Kind.JOB_FAILED,
        actor_name=SYSTEM,
        target=target,
        summary=f"The background job {job} failed: {_last_line(job.error)}",
        details={"job": job.pk, "kind": job.kind},
    )


def _last_line(error: str) -> str:
    lines = error.strip().splitlines()
    return lines[-1] if lines else "it says no reason."
