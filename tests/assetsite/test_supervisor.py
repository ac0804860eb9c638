"""Real processes, watched over: Python programs of a line stand in for gunicorn and the worker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import settings

from assetsite.launch.processes import Child, Supervisor, server, worker

UNTIL_STOPPED = "import signal; signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"


def child(program: str, *, signal_if_orphaned: signal.Signals = signal.SIGKILL) -> Child:
    return Child("a child", [sys.executable, "-c", program], signal_if_orphaned)


@dataclass
class Watch:
    """A supervisor with what it said, which is ready at once and does `then` as soon as it is."""

    server: Child
    worker: Child
    then: Callable[[], None]
    lock: int
    is_ready: bool = True
    said: list[str] = field(default_factory=list)
    ready: list[bool] = field(default_factory=list)

    def run(self) -> int:
        return Supervisor(
            server=self.server,
            worker=self.worker,
            is_ready=lambda: self.is_ready,
            on_ready=self._on_ready,
            say=self.said.append,
            lock=self.lock,
        ).run()

    def _on_ready(self, is_ready: bool) -> None:
        self.ready.append(is_ready)
        self.then()


@pytest.fixture
def lock(tmp_path: Path) -> int:
    return os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)


def interrupt(number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_stop_it_ends_both_and_itself_with_0(lock: int, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    watch = Watch(child(UNTIL_STOPPED), child(UNTIL_STOPPED), interrupt(number), lock)
    assert watch.run() == 0
    assert watch.said == ["Stopping …"]
    assert watch.ready == [True]
    assert [watch.server.exit_status, watch.worker.exit_status] == [-signal.SIGTERM, -signal.SIGTERM]
    assert signal.getsignal(number) == before


def test_asked_twice_it_does_not_wait(lock: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stubborn = child(STUBBORN)
    stop = Child.send

    def send(self: Child, number: signal.Signals) -> None:
        stop(self, number)
        if self is stubborn and number is signal.SIGTERM:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Child, "send", send)
    watch = Watch(stubborn, child(UNTIL_STOPPED), interrupt(), lock)
    assert watch.run() == 0
    assert stubborn.exit_status in {-signal.SIGKILL, -signal.SIGTERM}


@pytest.mark.parametrize(
    ("program", "status", "words"),
    [
        ("raise SystemExit(3)", 3, "exit status 3"),
        ("pass", 1, "exit status 0"),
        ("import os; os.kill(os.getpid(), 9)", 128 + 9, "SIGKILL"),
    ],
)
def test_when_the_server_ends_the_site_ends_with_its_status(
    lock: int, program: str, status: int, words: str
) -> None:
    watch = Watch(child(program), child(UNTIL_STOPPED), lambda: None, lock, is_ready=False)
    assert watch.run() == status
    assert watch.said == [f"The server ended ({words}); its last words are above."]
    assert not watch.worker.is_running


def test_a_worker_that_dies_is_started_again(
    lock: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Child, "pause_seconds", 0.0)
    marks = tmp_path / "marks"
    program = (
        f"import os, signal\nwith open({str(marks)!r}, 'a') as file: file.write('x')\n"
        f"if os.path.getsize({str(marks)!r}) < 3: raise SystemExit(7)\n"
        f"os.kill({os.getpid()}, signal.SIGTERM)\nsignal.pause()"
    )
    watch = Watch(child(UNTIL_STOPPED), child(program), lambda: None, lock)
    assert watch.run() == 0
    assert marks.read_text() == "xxx"
    assert [line for line in watch.said if "exit status 7" in line] == watch.said[:2]


def test_a_worker_that_keeps_dying_is_given_longer_and_longer_pauses() -> None:
    dying = child("")
    dying.started_at = time.monotonic()
    pauses = []
    for _ in range(8):
        dying.note_end()
        pauses.append(dying.pause_seconds)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    dying.started_at -= 3600
    dying.note_end()
    assert dying.pause_seconds == 1


def test_a_site_that_does_not_get_ready_is_shown_as_it_is(lock: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetsite.launch.processes._READY_SECONDS", 0.0)
    watch = Watch(child(UNTIL_STOPPED), child(UNTIL_STOPPED), interrupt(), lock, is_ready=False)
    assert watch.run() == 0
    assert watch.ready == [False]


WATCHING = """
import os, sys
from signal import SIGQUIT, SIGKILL
from assetsite.launch.processes import Child, Supervisor
# A shell that starts tests in the background has SIGQUIT ignored, and so would these be.
usual = "signal.signal(signal.SIGQUIT, signal.SIG_DFL)"
program = f"import os, signal, sys; {usual}; open(sys.argv[1] + str(os.getpid()), 'w'); signal.pause()"
folder = sys.argv[1]
def child(number): return Child("c", [sys.executable, "-c", program, folder], number)
lock = os.open(folder + "lock", os.O_RDWR | os.O_CREAT)
Supervisor(child(SIGQUIT), child(SIGKILL), lambda: True, lambda _: None, print, lock).run()
"""


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
def test_killed_it_leaves_no_orphan(tmp_path: Path) -> None:
    def children() -> list[int]:
        return [int(file.name) for file in tmp_path.iterdir() if file.name.isdigit()]

    watching = subprocess.Popen(
        [sys.executable, "-c", WATCHING, f"{tmp_path}/"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "assetsite.settings", "DATA_DIR": str(tmp_path)},
    )
    wait_until(lambda: len(children()) == 2)
    watching.kill()
    watching.wait()
    wait_until(lambda: not any(map(is_running, children())))


def test_the_sites_processes_are_gunicorn_and_the_worker() -> None:
    assert server().command[1:4] == ["-m", "gunicorn", "--config"]
    assert Path(server().command[4]).is_file()
    assert worker().command[-1] == "work"
    assert server().exit_status is None
    assert not server().is_running
