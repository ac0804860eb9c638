"""How long a server that is asked may take in all: a socket's own limit is for each read, however short.

Beside it, what a server says as words that can be kept.
"""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LONGEST = 200


@contextmanager
def hung_up_after(seconds: float, connection: http.client.HTTPConnection) -> Iterator[None]:
    """Hang up, and raise `TimeoutError`, where what is done with `connection` takes longer."""
    is_over = threading.Event()
    alarm = threading.Timer(seconds, _hang_up, (connection, is_over))
    alarm.daemon = True
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()
        if is_over.is_set():  # what http.client makes of half a head looks like an answer
            connection.close()
            raise TimeoutError(f"not whole after {seconds:.0f} s")


def fault_in_words(error: Exception) -> str:
    """Say why there is no answer, on one short line: an error may repeat what a server has sent."""
    said = "".join(one if one.isprintable() else " " for one in str(error)).strip()
    return f"{said[:_LONGEST]}{'…' if len(said) > _LONGEST else ''}" or type(error).__name__


def _hang_up(connection: http.client.HTTPConnection, is_over: threading.Event) -> None:
    is_over.set()
    with suppress(OSError, TypeError):  # there is no socket yet, or not any longer
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
