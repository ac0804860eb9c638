import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, close_old_connections, connection

from apps.jobs.exceptions import JobLost

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0


@contextmanager
def beating(beat: Callable[[], None], *, seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Call `beat` every `seconds` on a thread of its own, until the block ends or `beat` raises `JobLost`.

    A handler that computes for minutes without a line is so not taken for dead.
    """
    stopped = threading.Event()
    thread = threading.Thread(
        target=_beat_until, args=(stopped, beat, seconds), name="heartbeat", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _beat_until(stopped: threading.Event, beat: Callable[[], None], seconds: float) -> None:
    try:
        while not stopped.wait(seconds):
            try:
                beat()
            except JobLost:
                return
            except DatabaseError:
                logger.warning("A heartbeat was not written; the next one is tried.", exc_info=True)
                close_old_connections()
    finally:
        connection.close()
