import logging
from datetime import datetime

from django.db.models import TextField, Value
from django.db.models.functions import Concat
from django.utils import timezone

from apps.jobs.exceptions import JobLost
from apps.jobs.models import Job

logger = logging.getLogger(__name__)

MAX_LOG_CHARACTERS = 100_000


class JobLog:
    """What a handler says while it works: lines in its job's row, each a sign of life.

    It belongs to one run of the job, known by when it started. Once another worker has taken the job
    over, it raises `JobLost`, so that the old run ends at its next line.
    """

    def __init__(self, job_id: int, started_at: datetime) -> None:
        self.job_id = job_id
        self.started_at = started_at
        self._room = MAX_LOG_CHARACTERS

    def write(self, line: str) -> None:
        """Append a line to the job's log. Past 100,000 characters a run's lines are left out."""
        logger.info("job %s: %s", self.job_id, line)
        text = f"{timezone.now():%H:%M:%S} {line}\n"
        if self._room <= 0:
            self.beat()
            return
        self._room -= len(text)
        if self._room <= 0:
            text += "The log is full; what follows is left out.\n"
        self._update(log=Concat("log", Value(text), output_field=TextField()))

    def beat(self) -> None:
        """Say that the job is alive, without a line. Raises `JobLost`."""
        self._update()

    def _update(self, **fields: object) -> None:
        run = Job.objects.filter(pk=self.job_id, state=Job.State.RUNNING, started_at=self.started_at)
        if not run.update(heartbeat_at=timezone.now(), **fields):
            raise JobLost(
                f"Job {self.job_id} was taken over by another worker.",
                next_step="Nothing: what this run did is repeated or was finished there.",
            )
