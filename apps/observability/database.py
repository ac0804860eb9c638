"""Does the database answer? Asked so that whoever asks never waits long."""

import threading
import time
from dataclasses import dataclass

from django.db import connection
from django.db.utils import Error

LONGEST_WAIT_SECONDS = 2.0
UP = "up"


@dataclass(slots=True)
class _Question:
    """One `SELECT 1`, in a thread: a connection through a network that swallows packets hangs for minutes."""

    asked_at: float
    answered: threading.Event
    answer: str = ""

    def ask(self) -> None:
        """Ask over a connection of this thread's own, which says more than one from before a failure."""
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            self.answer = UP
        except (Error, OSError) as error:
            self.answer = f"down: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
        finally:
            connection.close()
            self.answered.set()


class DatabaseProbe:
    """Asks one question at a time, however many want to know, and shares the answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._question: _Question | None = None

    def state(self) -> str:
        """Return "up", or "down: " and the reason, within about two seconds."""
        question = self._current_question()
        question.answered.wait(LONGEST_WAIT_SECONDS)
        silence_seconds = time.monotonic() - question.asked_at
        return question.answer or f"down: it has not answered for {silence_seconds:.0f} s"

    def _current_question(self) -> _Question:
        with self._lock:
            if self._question is None or self._question.answered.is_set():
                self._question = _Question(time.monotonic(), threading.Event())
                threading.Thread(target=self._question.ask, name="database-probe", daemon=True).start()
            return self._question
