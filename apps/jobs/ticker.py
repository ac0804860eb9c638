import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

from django.db import connections

from apps.jobs.schedule import Scheduled

logger = logging.getLogger(__name__)


class Ticker:
    """Calls each scheduled function when it is due, one after the other, on a thread of its own.

    One that raises is logged and called again at its next turn; the others do not notice.
    """

    def __init__(
        self, scheduled: Sequence[Scheduled], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._due = dict.fromkeys(scheduled, clock())
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, patience_seconds: float = 10) -> None:
        """Let the function that runs come to its end, and wait for that so long."""
        self._stopped.set()
        self._thread.join(patience_seconds)

    def run_due(self) -> float:
        """Call what is due; return the seconds until something else is."""
        for scheduled, due in self._due.items():
            begin = self._clock()
            if due <= begin and not self._stopped.is_set():
                _run(scheduled)
                end = self._clock()
                self._due[scheduled] = end + scheduled.pause_after(end - begin)
        return max(0.0, min(self._due.values(), default=math.inf) - self._clock())

    def _run(self) -> None:
        wait = 0.0
        while not self._stopped.wait(min(wait, threading.TIMEOUT_MAX)):
            wait = self.run_due()
        connections.close_all()


def tickers_for(scheduled: Sequence[Scheduled]) -> list[Ticker]:
    """Return what calls all of them: one for most, and one more for each that is apart."""
    together = [each for each in scheduled if not each.is_apart]
    return [Ticker(together), *(Ticker([each]) for each in scheduled if each.is_apart)]


def _run(scheduled: Scheduled) -> None:
    try:
        for line in scheduled.run():
            logger.info("%s: %s", scheduled.name, line)
    except Exception:
        logger.exception("%s failed; it is tried again in %s s.", scheduled.name, scheduled.seconds)
        # A connection that failed is not used again; a fresh one costs little.
        connections.close_all()
