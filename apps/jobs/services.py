from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.jobs import carrier
from apps.jobs.exceptions import NotFailed
from apps.jobs.failures import tell_failed
from apps.jobs.models import Job
from apps.jobs.registry import handler_of, priority_of
from apps.jobs.running import run

__all__ = ["enqueue", "requeue_abandoned", "retry", "run"]

ABANDONED_AFTER = timedelta(seconds=60)
MAX_ATTEMPTS = 3


@transaction.atomic
def enqueue(*, kind: str, key: str, payload: Mapping[str, Any]) -> Job:
    """Return the job with this key, queued unless it is queued, running or done already.

    A failed one is queued again with the new payload. A worker gets it when the caller's transaction
    has been committed. No audit entry: the job itself is the record. Raises `UnknownKind`.
    """
    handler_of(kind)
    job, is_new = Job.objects.get_or_create(key=key, defaults={"kind": kind, "payload": dict(payload)})
    if is_new:
        _hand_over_on_commit(job)
    elif _queue_again(job, payload=dict(payload)):
        job.refresh_from_db()
    return job


@transaction.atomic
def retry(*, job: Job, actor: User) -> Job:
    """Queue a failed job again. Raises `Forbidden`, and `NotFailed` for one in any other state."""
    require(actor, "jobs.retry_job", to="run a job again")
    error = job.error
    if not _queue_again(job):
        job.refresh_from_db()
        raise NotFailed(
            f"Job {job} is {job.state} and cannot be run again.",
            next_step="Only failed jobs can. Look at its log.",
        )
    job.refresh_from_db()
    record(
        actor=actor,
        action="job.retry",
        target=f"job {job.pk}",
        summary=f"Queued the failed job {job} again.",
        details={"kind": job.kind, "error": error[-1000:]},
    )
    return job


def requeue_abandoned() -> list[Job]:
    """Queue again what a dead worker left, and what no worker was told of; return those jobs.

    A job whose heartbeat is a minute old is abandoned. Abandoned for the third time it fails, since
    it may be what kills its workers. Safe to run in many workers at once.
    """
    now = timezone.now()
    abandoned = _take_back(before=now - ABANDONED_AFTER)
    carrier.close_orphans(before=now - ABANDONED_AFTER)
    return abandoned + _hand_over_forgotten(before=now - ABANDONED_AFTER)


def _take_back(*, before: datetime) -> list[Job]:
    """Take running jobs without a heartbeat since `before` from their workers."""
    silent = Job.objects.filter(Q(heartbeat_at__lt=before) | Q(heartbeat_at=None), state=Job.State.RUNNING)
    return [job for job in silent if _take_back_one(job)]


@transaction.atomic
def _take_back_one(job: Job) -> bool:
    """Queue or fail one abandoned job; return whether this call did, and not its worker or another."""
    is_last = job.attempts >= MAX_ATTEMPTS
    job.state = Job.State.FAILED if is_last else Job.State.QUEUED
    job.queued_at = timezone.now()
    job.finished_at = job.queued_at if is_last else None
    job.error = _abandoned_text(job) if is_last else ""
    run_seen = Job.objects.filter(
        pk=job.pk, state=Job.State.RUNNING, started_at=job.started_at, heartbeat_at=job.heartbeat_at
    )
    taken = run_seen.update(
        state=job.state, queued_at=job.queued_at, finished_at=job.finished_at, error=job.error
    )
    if taken and is_last:
        tell_failed(job.pk)
    elif taken:
        _hand_over_on_commit(job)
    return bool(taken)


def _hand_over_forgotten(*, before: datetime) -> list[Job]:
    """Tell a worker of jobs queued before then which no open message names."""
    queued = Job.objects.filter(state=Job.State.QUEUED, queued_at__lt=before)
    if not queued.exists():
        return []
    carried = carrier.carried_jobs()
    forgotten = [job for job in queued if job.pk not in carried]
    for job in forgotten:
        carrier.hand_over(job.pk, priority=priority_of(job.kind))
    return forgotten


def _queue_again(job: Job, **fields: object) -> bool:
    """Queue a failed job; return whether it was one."""
    failed = Job.objects.filter(pk=job.pk, state=Job.State.FAILED)
    queued = failed.update(
        state=Job.State.QUEUED, queued_at=timezone.now(), finished_at=None, attempts=0, error="", **fields
    )
    if queued:
        _hand_over_on_commit(job)
    return bool(queued)


def _hand_over_on_commit(job: Job) -> None:
    transaction.on_commit(partial(carrier.hand_over, job.pk, priority=priority_of(job.kind)))


def _abandoned_text(job: Job) -> str:
    return (
        f"Given up after {job.attempts} attempts: each time the worker stopped without a word"
        " (killed, out of memory, or without power). The worker's log and the system's may say why."
    )
