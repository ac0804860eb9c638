import logging
import secrets
import signal
import threading
from types import FrameType
from typing import Any

from django.db import DatabaseError, connections
from django.tasks import DEFAULT_TASK_BACKEND_ALIAS
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult
from django_tasks_db.utils import exclusive_transaction

logger = logging.getLogger(__name__)

_DATABASE_PAUSE_SECONDS = 2.0


class JobWorker(Worker):
    """django_tasks_db's worker with a loop of ours.

    It looks before it locks, so that an idle worker never stands in SQLite's queue of writers; it
    outlives a database that is locked or away; and it ends between two tasks, not in one.
    """

    def __init__(self, *, interval_seconds: float, is_batch: bool = False) -> None:
        super().__init__(
            queue_names=["*"],
            interval=interval_seconds,
            batch=is_batch,
            backend_name=DEFAULT_TASK_BACKEND_ALIAS,
            startup_delay=False,
            max_tasks=None,
            worker_id=secrets.token_hex(16),
            excluded_queue_names=[],
        )
        self._stopping = threading.Event()

    def shutdown(self, signum: int, frame: FrameType | None) -> None:
        """Stop after the task that runs; at the second signal, stop within it."""
        if self._stopping.is_set():
            super().shutdown(signum, frame)
        logger.info("%s: stopping after the task that runs.", signal.Signals(signum).name)
        self.running = False
        self._stopping.set()

    def run(self) -> None:
        """Run tasks until a signal comes; in a batch, until there are none.

        A connection that broke meanwhile shows at the next look for work, and is then replaced.
        """
        while self.running:
            try:
                did_work = self.run_next()
            except DatabaseError:
                if self.batch:
                    raise
                logger.warning("The database does not answer; trying again.", exc_info=True)
                connections.close_all()
                self._stopping.wait(_DATABASE_PAUSE_SECONDS)
                continue
            if not did_work:
                if self.batch:
                    return
                self._stopping.wait(self.interval)

    def run_next(self) -> bool:
        """Run the next task that is ready; return whether there was one."""
        task = self._claim_next()
        if task is not None:
            self.run_task(task)
        return task is not None

    def _claim_next(self) -> DBTaskResult[..., Any] | None:
        ready = DBTaskResult.objects.ready().filter(backend_name=self.backend_name)
        if not ready.exists():
            return None
        with exclusive_transaction(ready.db):
            task = ready.get_locked()
            if task is not None:
                task.claim(self.worker_id)
        return task
