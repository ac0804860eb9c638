"""What each worker does for jobs themselves, again and again."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.jobs import carrier, services
from apps.jobs.cleaning import clean
from apps.jobs.log import JobLog
from apps.jobs.models import Job
from apps.jobs.registry import handler
from apps.jobs.schedule import every

CLEAN_JOB = "jobs.clean"


@every(30, "jobs.requeue_abandoned")
def requeue_abandoned() -> list[str]:
    """Bring back the jobs that a dead worker left."""
    words = {Job.State.QUEUED: "was left by a worker and is queued again", Job.State.FAILED: "is given up"}
    return [f"Job {job} {words[Job.State(job.state)]}." for job in services.requeue_abandoned()]


@every(3600, "jobs.forget_messages")
def forget_messages() -> list[str]:
    """Delete the messages to workers of which nobody will want to know any more."""
    forgotten = carrier.forget_finished(older_than=timedelta(days=1))
    return [f"Deleted {forgotten} old messages to workers."] if forgotten else []


@every(3600, "jobs.queue_cleaning")
def queue_cleaning() -> list[str]:
    """Let what nobody needs be removed once a day (in UTC), by one of the workers."""
    services.enqueue(kind=CLEAN_JOB, key=f"{CLEAN_JOB}:{timezone.now():%Y-%m-%d}", payload={})
    return []


@handler(CLEAN_JOB, priority=-20)
def clean_up(payload: dict[str, Any], log: JobLog) -> None:
    """Remove what nobody needs any more, and say so."""
    for what, cleaned in clean():
        log.write(f"{what}: {cleaned.words or 'nothing'}.")
