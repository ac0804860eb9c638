"""A whole site in processes of its own: `scripts/run`, real sockets, real files."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.commands import Commands, run_script

PROJECT = Path(__file__).resolve().parents[2]
PASSWORD = "correct-horse-battery-staple"
WORKERS = 3


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it came over the wire; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Refused(Exception):
    """A command ended with a refusal; `error` is what it printed under `error`."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.error = error


@dataclass
class Site:
    """A data directory, two ports, and the processes that serve it."""

    data: Path
    database_url: str = ""
    public_port: int = field(default_factory=free_port)
    staff_port: int = field(default_factory=free_port)
    start_seconds: float = 120
    is_measured: bool = False  # then each command takes as long as it does for who types it
    process: subprocess.Popen[str] | None = None
    commands: Commands | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the commands get: this machine's environment, less what would lead to another site."""
        env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        if self.database_url:
            env["DATABASE_URL"] = self.database_url
        return env | {
            "DATA_DIR": str(self.data),
            "PUBLIC_BIND": f"127.0.0.1:{self.public_port}",
            "STAFF_BIND": f"127.0.0.1:{self.staff_port}",
            "STAFF_URL": f"http://127.0.0.1:{self.staff_port}",
            "WEB_CONCURRENCY": str(WORKERS),
            "ADMIN_PASSWORD": PASSWORD,
            "LOG_LEVEL": "WARNING",
        }

    @contextmanager
    def running(self, *arguments: str) -> Iterator[str]:
        """Start `scripts/run` and yield what it printed once it serves; stop it afterwards."""
        log = self.data.parent / f"{self.data.name}.log"
        with log.open("w+") as output:
            self.process = subprocess.Popen(
                [PROJECT / "scripts/run", *arguments],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            try:
                self._wait_until_ready(self.process, log)
                yield log.read_text()
            finally:
                self.stop()
                if self.commands:
                    self.commands.close()
                    self.commands = None

    def stop(self) -> None:
        """End the site as Ctrl+C does; kill what is left of it after a while."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        self.process = None

    def kill(self) -> None:
        """End every process of the site at once, as a power cut does."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def manage(self, *words: object) -> Any:
        """Run `scripts/manage … --json` and return its document. Raises `Refused`."""
        typed = [*map(str, words), "--json"]
        if self.is_measured:
            done = run_script(typed, self.environment, PROJECT)
        else:
            self.commands = self.commands or Commands(self.environment, PROJECT)
            done = self.commands.run(typed)
        try:
            document = json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"{words} printed no JSON:\n{done.stdout}\n{done.stderr}") from None
        if done.returncode:
            raise Refused(document["error"])
        return document

    def add_user(self, name: str, role: str) -> None:
        """Add a person whose password is `PASSWORD`."""
        subprocess.run(
            [PROJECT / "scripts/manage", "user", "add", name, "--role", role, "--password-stdin"],
            env=self.environment,
            input=PASSWORD + "\n",
            text=True,
            capture_output=True,
            check=True,
        )

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """Ask the public door, over a connection of its own."""
        return self._ask(self.public_port, method, path, headers)

    def get_staff(self, path: str) -> Answer:
        """Ask the staff door, as somebody who is not logged in."""
        return self._ask(self.staff_port, "GET", path, {})

    def releases_by_worker(self) -> dict[int, int]:
        """Ask until every worker has answered; return which release each of them serves."""
        served: dict[int, int] = {}
        deadline = time.monotonic() + 30
        while len(served) < WORKERS and time.monotonic() < deadline:
            ready = json.loads(self.get("/-/readyz").body)
            served[ready["pid"]] = ready["channels"]["production"]["release"]
        assert len(served) == WORKERS, served
        return served

    def wait_for_release(self, number: int) -> float:
        """Wait until every worker serves release `number`; return how many seconds it took."""
        start = time.monotonic()
        while set(self.releases_by_worker().values()) != {number}:
            assert time.monotonic() < start + 30, f"not every worker serves release {number}"
        return time.monotonic() - start

    def _ask(self, port: int, method: str, path: str, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, received, response.read())
        finally:
            connection.close()

    def _wait_until_ready(self, process: subprocess.Popen[str], log: Path) -> None:
        deadline = time.monotonic() + self.start_seconds
        while "Press Ctrl+C to stop" not in log.read_text():
            if process.poll() is not None:
                raise AssertionError(f"scripts/run ended with {process.returncode}:\n{log.read_text()}")
            assert time.monotonic() < deadline, f"scripts/run does not get ready:\n{log.read_text()}"
            time.sleep(0.05)
