"""What each worker does for jobs themselves, again and again."""

from datetime import timedelta

from apps.jobs import carrier, services
from apps.jobs.models import Job
from apps.jobs.schedule import every


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
