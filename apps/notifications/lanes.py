"""A thread for each who is sent to: one that hangs holds up nobody else, neither jobs nor schedules."""

import logging
import threading

from django.db import DatabaseError, connections

from apps.notifications.services.sending import lanes_due, send_next

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 64  # more webhooks than that wait for one another

_running: dict[int | None, threading.Thread] = {}
_lock = threading.Lock()


def start_lanes() -> list[threading.Thread]:
    """Start sending for everybody for whom something is due and nothing is sent yet; return the threads."""
    waiting = lanes_due()
    with _lock:
        _forget_ended()
        new = [lane for lane in waiting if lane not in _running][: MOST_AT_ONCE - len(_running)]
        threads = [threading.Thread(target=_run, args=(lane,), daemon=True) for lane in new]
        for lane, thread in zip(new, threads, strict=True):
            _running[lane] = thread
            thread.start()
    return threads


def _forget_ended() -> None:
    for lane in [lane for lane, thread in _running.items() if not thread.is_alive()]:
        del _running[lane]


def _run(lane: int | None) -> None:
    """Send what is due, one after the other, until nothing is."""
    try:
        while send_next(webhook=lane):
            pass
    except DatabaseError:
        logger.warning("The database does not answer; what is to be sent is tried again.", exc_info=True)
    finally:
        connections.close_all()
