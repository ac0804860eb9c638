import logging
import traceback

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.jobs.failures import tell_failed
from apps.jobs.heartbeat import beating
from apps.jobs.log import JobLog
from apps.jobs.models import Job
from apps.jobs.registry import handler_of
from apps.refusals import Refusal

logger = logging.getLogger(__name__)


def run(job_id: int) -> None:
    """Run a queued job to its end, if it is still queued; of several that try, one does.

    What the handler raises is kept as the job's error, and raised no further. A run that was taken
    over meanwhile records nothing.
    """
    started_at = timezone.now()
    taken = Job.objects.filter(pk=job_id, state=Job.State.QUEUED).update(
        state=Job.State.RUNNING,
        attempts=F("attempts") + 1,
        started_at=started_at,
        heartbeat_at=started_at,
        finished_at=None,
        error="",
    )
    if not taken:
        logger.info("Job %s is not queued (any more); there is nothing to run.", job_id)
        return
    log = JobLog(job_id, started_at)
    try:
        _call_handler(job_id, log)
    except (KeyboardInterrupt, SystemExit):
        _end(log, Job.State.QUEUED)
        raise
    except Exception as error:  # noqa: BLE001 - whatever a handler raises belongs to its job
        _fail(log, error)
    else:
        _end(log, Job.State.SUCCEEDED)


def _call_handler(job_id: int, log: JobLog) -> None:
    job = Job.objects.only("kind", "payload").get(pk=job_id)
    handler = handler_of(job.kind)
    with beating(log.beat):
        handler(job.payload, log)


def _fail(log: JobLog, error: Exception) -> None:
    if isinstance(error, Refusal):
        logger.warning("Job %s failed: %s", log.job_id, error)
        text = str(error)
    else:
        logger.error("Job %s failed.", log.job_id, exc_info=error)
        text = "".join(traceback.format_exception(error))
    _end(log, Job.State.FAILED, error=text)


def _end(log: JobLog, state: Job.State, *, error: str = "") -> None:
    """Record how a run ended, unless the job is no longer its own."""
    finished_at = None if state == Job.State.QUEUED else timezone.now()
    mine = Job.objects.filter(pk=log.job_id, state=Job.State.RUNNING, started_at=log.started_at)
    with transaction.atomic():
        is_mine = mine.update(state=state, error=error, finished_at=finished_at)
        if is_mine and state == Job.State.FAILED:
            tell_failed(log.job_id)
    if not is_mine:
        logger.warning("Job %s was taken over by another worker: this run's end is not recorded.", log.job_id)
