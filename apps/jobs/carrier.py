"""What carries jobs to a worker: `django.tasks` on the database. No other module knows its rows.

A row there is a message, "run job 7"; the Job row is the truth. Messages can be lost (a crash between
a commit and its message) or stay open for ever (a killed worker), and a superfluous one is harmless.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from apps.jobs.models import Job
from apps.jobs.tasks import run_job

_OPEN = (TaskResultStatus.READY, TaskResultStatus.RUNNING)


def hand_over(job_id: int, *, priority: int = 0) -> None:
    """Send a worker the message to run a job; those of a higher priority (-100 to 100) are taken first."""
    run_job.using(priority=priority).enqueue(job_id)


def carried_jobs() -> set[int]:
    """Return the ids of the jobs for which a message is waiting or in a worker's hands."""
    return {job_id for _, job_id in _messages(status__in=_OPEN)}


def close_orphans(*, before: datetime) -> int:
    """Close the messages that a worker took before then and whose jobs do not run; return how many.

    Their worker died; what is to happen with the jobs, `services.requeue_abandoned` has decided.
    """
    taken = _messages(status=TaskResultStatus.RUNNING, started_at__lt=before)
    running = set(
        Job.objects.filter(pk__in=[job_id for _, job_id in taken], state=Job.State.RUNNING).values_list(
            "pk", flat=True
        )
    )
    orphans = [message for message, job_id in taken if job_id not in running]
    return (
        _rows()
        .filter(pk__in=orphans, status=TaskResultStatus.RUNNING)
        .update(
            status=TaskResultStatus.FAILED,
            finished_at=timezone.now(),
            traceback="The worker that took this message stopped without finishing it.",
        )
    )


def forget_finished(*, older_than: timedelta) -> int:
    """Delete messages that were finished so long ago; return how many. The jobs' rows stay."""
    finished = _rows().exclude(status__in=_OPEN).filter(finished_at__lt=timezone.now() - older_than)
    return finished.delete()[0]


def _rows() -> QuerySet[DBTaskResult[..., Any]]:
    return DBTaskResult.objects.filter(task_path=run_job.module_path).order_by()


def _messages(**conditions: object) -> list[tuple[UUID, int]]:
    """Return id and job of each message that meets the conditions."""
    rows = _rows().filter(**conditions).values_list("pk", "args_kwargs")
    return [(message, call["args"][0]) for message, call in rows]
