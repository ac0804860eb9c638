"""The site's processes: the server and the background worker, and who watches over them."""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from django.conf import settings

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STOP_SECONDS = 40.0  # gunicorn gives requests 30 s to end
_READY_POLL_SECONDS = 0.05
_READY_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Child:
    """A process of ours. `signal_if_orphaned` ends it, at once, when whoever watches over it is killed."""

    name: str
    command: list[str]
    signal_if_orphaned: signal.Signals
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, *, kept_open: int) -> None:
        """Start it in a process group of its own: Ctrl+C reaches it through us, once and gracefully."""
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            process_group=0,
            pass_fds=(kept_open,),
            preexec_fn=_orphan_guard(self.signal_if_orphaned),  # noqa: PLW1509 - no thread runs here
        )

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.is_running:
            self.process.send_signal(number)

    @property
    def pause_seconds(self) -> float:
        """How long to wait before it is started again: longer each time that it ends soon."""
        return min(2.0 ** (self.failures - 1), _LONGEST_PAUSE_SECONDS)

    @property
    def exit_status(self) -> int | None:
        """Its exit status, less than 0 for a signal; None while it runs or was never started."""
        return self.process.returncode if self.process else None

    @property
    def end_in_words(self) -> str:
        status = self.exit_status or 0
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"

    def note_end(self) -> None:
        is_soon = time.monotonic() - self.started_at < _LONGEST_PAUSE_SECONDS
        self.failures = self.failures + 1 if is_soon else 1


def server() -> Child:
    """gunicorn with both doors."""
    conf = str(settings.BASE_DIR / "deploy" / "gunicorn.conf.py")
    command = [sys.executable, "-m", "gunicorn", "--config", conf]
    return Child("the server", command, signal_if_orphaned=signal.SIGQUIT)


def worker() -> Child:
    """The background worker. What it is in the middle of is taken up again, so it may be killed."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "work"]
    return Child("the background worker", command, signal_if_orphaned=signal.SIGKILL)


def child_environment() -> dict[str, str]:
    """Return the environment, with what is relative to this process made absolute."""
    path = os.pathsep.join(filter(None, [str(settings.BASE_DIR), os.environ.get("PYTHONPATH", "")]))
    return os.environ | {"DATA_DIR": str(settings.DATA_DIR), "PYTHONPATH": path}


@dataclass(slots=True)
class Supervisor:
    """Starts both processes, says when they are ready, and ends when they do.

    The worker is started again whenever it ends; the server's end is the site's end.
    """

    server: Child
    worker: Child
    is_ready: Callable[[], bool]
    on_ready: Callable[[bool], None]
    say: Callable[[str], None]
    lock: int
    _restart_at: float | None = field(default=None, init=False)

    def run(self) -> int:
        """Watch until the site ends; return the exit status: 0 where it was asked to stop."""
        with _signals() as received:
            try:
                self.server.start(kept_open=self.lock)
                return self._watch(received)
            finally:
                self._stop(received)

    def _watch(self, received: "_Signals") -> int:
        ready_by: float | None = time.monotonic() + _READY_SECONDS
        while True:
            if received.wait(self._patience(is_waiting=ready_by is not None)) & set(STOP_SIGNALS):
                self.say("Stopping …")
                return 0
            if not self.server.is_running:
                return self._server_ended()
            if ready_by is None:
                self._look_after_worker()
            elif self._has_become_ready(ready_by):
                ready_by = None
                self.worker.start(kept_open=self.lock)  # visitors first: it would only slow the server down

    def _patience(self, *, is_waiting: bool) -> float | None:
        """Return how many seconds to sleep at most unless something happens."""
        if is_waiting:
            return _READY_POLL_SECONDS
        return None if self._restart_at is None else max(0.0, self._restart_at - time.monotonic())

    def _has_become_ready(self, ready_by: float) -> bool:
        is_ready = self.is_ready()
        if is_ready or time.monotonic() > ready_by:
            self.on_ready(is_ready)
            return True
        return False

    def _look_after_worker(self) -> None:
        if self.worker.is_running:
            return
        if self._restart_at is None:
            self.worker.note_end()
            self._restart_at = time.monotonic() + self.worker.pause_seconds
            self.say(
                f"The background worker ended ({self.worker.end_in_words}); "
                f"it is started again in {self.worker.pause_seconds:.0f} s."
            )
        elif time.monotonic() >= self._restart_at:
            self._restart_at = None
            self.worker.start(kept_open=self.lock)

    def _server_ended(self) -> int:
        self.say(f"The server ended ({self.server.end_in_words}); its last words are above.")
        status = self.server.exit_status or 1
        return 128 - status if status < 0 else status

    def _stop(self, received: "_Signals") -> None:
        """End both gracefully; at once when asked again, or after a while."""
        children = (self.server, self.worker)
        for child in children:
            child.send(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.is_running for child in children):
            is_asked_again = received.wait(max(0.0, deadline - time.monotonic())) & set(STOP_SIGNALS)
            if is_asked_again or time.monotonic() >= deadline:
                for child in children:
                    child.send(signal.SIGKILL)
                deadline = time.monotonic() + STOP_SECONDS


class _Signals:
    """Signals as something to wait for. Their numbers come through a socket, in the order received."""

    def __init__(self, reader: socket.socket) -> None:
        self._reader = reader

    def wait(self, seconds: float | None) -> set[int]:
        """Return the numbers of the signals that have come; nothing after `seconds` without any."""
        readable, _, _ = select.select([self._reader], [], [], seconds)
        return set(self._reader.recv(4096)) if readable else set()


@contextmanager
def _signals() -> Iterator[_Signals]:
    watched = (*STOP_SIGNALS, signal.SIGCHLD)
    reader, writer = socket.socketpair()
    reader.settimeout(0)
    writer.settimeout(0)
    before = {number: signal.signal(number, _note) for number in watched}
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield _Signals(reader)
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


def _note(_number: int, _frame: FrameType | None) -> None:
    """Only the wake-up socket matters; a handler has to be there for it to be written to."""


def _orphan_guard(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child does first so that it gets a signal when its parent is killed (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def guard() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # killed between fork and here

    return guard
