"""The servers that are compared, each in processes of its own on the servers' core."""

import http.client
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.scenarios import Request, Wrong, ask
from tests.serving import PROJECT, Gunicorn, free_port

OURS, WHITENOISE, NGINX = "Assetsite", "WhiteNoise", "nginx"
TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]
_GUNICORN = (
    "-k",
    "gthread",
    "-w",
    "1",
    "--threads",
    "4",
    "--keep-alive",
    "75",
    "--http-parser",
    "fast",
    "--timeout",
    "0",
)
# Without tcp_nopush: on the loopback interface it keeps the end of a range back for 40 ms.
_NGINX = """
{user} worker_processes 1; daemon off; pid {work}/nginx.pid; error_log {work}/log crit;
events {{ worker_connections 1024; }}
http {{
  include /etc/nginx/mime.types; access_log off; sendfile on;
  keepalive_timeout 75; keepalive_requests 1000000000;
  open_file_cache max={files} inactive=60s; open_file_cache_valid 60s; gzip_static on; gzip_vary on;
  client_body_temp_path {work}/1; proxy_temp_path {work}/2; fastcgi_temp_path {work}/3;
  uwsgi_temp_path {work}/4; scgi_temp_path {work}/5;
  server {{ listen 127.0.0.1:{port} sndbuf=1m; root {folder}; index index.html; }}
}}
"""


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this program, and what it starts meanwhile, to one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass
class Server:
    """One server. Its processes have a session of their own, by which they are found."""

    name: str
    command: list[str]
    port: int
    work: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, request: Request, *, most_seconds: float = 600) -> float:
        """Start it; return the seconds until its first right answer. Raises `Wrong` where none comes."""
        begun = time.monotonic()
        with pinned(SERVER_CORE), (self.work / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=PROJECT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                ask(connection, request)
                return time.monotonic() - begun
            except Wrong as fault:
                if self._process.poll() is not None or time.monotonic() > begun + most_seconds:
                    self.stop()
                    raise Wrong(
                        f"did not start: {fault}\n{(self.work / 'log').read_text()[-500:]}"
                    ) from fault
                time.sleep(0.01)
            finally:
                connection.close()

    def stop(self) -> None:
        """Ask it to end, and insist after ten seconds."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def cpu_seconds(self) -> float:
        """Return the processor time of its processes (utime and stime, man 5 proc)."""
        return sum(int(stat[11]) + int(stat[12]) for stat in self._stats().values()) / TICKS

    def memory_megabytes(self) -> float:
        """Return what its processes hold in memory; a page that they share counts once (PSS)."""
        kilobytes = 0
        for process in self._stats():
            with suppress(OSError):
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
                kilobytes += int(rollup.partition("\nPss:")[2].split()[0])
        return kilobytes / 1024

    def _stats(self) -> dict[int, list[str]]:
        """Return what the kernel says of each of its processes, from `state` on."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                stat = path.read_text().rpartition(")")[2].split()
                if int(stat[3]) == self._process.pid:
                    found[int(path.parent.name)] = stat
        return found


def assetsite(data: Path) -> Server:
    """One worker with deploy/gunicorn.conf.py; `data` is its DATA_DIR."""
    served = Gunicorn(data, workers=1)
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
    return Server(OURS, command, served.public_port, data, served._environment())


def whitenoise(work: Path, folder: Path) -> Server:
    """WhiteNoise alone under gunicorn: one worker, its threads and its parser in C."""
    port = free_port()
    heartbeat = ("--worker-tmp-dir", "/dev/shm") if Path("/dev/shm").is_dir() else ()
    command = [sys.executable, "-m", "gunicorn", *_GUNICORN, *heartbeat, "--no-control-socket"]
    command += ["-b", f"127.0.0.1:{port}", "tests.bench.peer:app"]
    return Server(WHITENOISE, command, port, work, {"PEER_FOLDER": str(folder)})


def nginx(work: Path, folder: Path) -> Server | None:
    """nginx with one worker and its cache of open files, where it is installed."""
    program = find("nginx")
    if not program:
        return None
    port = free_port()
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2, 100_000)  # each that it keeps is open
    user = "" if os.geteuid() else "user root;"
    config = work / "nginx.conf"
    config.write_text(_NGINX.format(user=user, work=work, port=port, folder=folder, files=files))
    return Server(NGINX, [program, "-e", f"{work}/log", "-p", str(work), "-c", str(config)], port, work)


def find(program: str) -> str:
    """Return the path of a program, "" where it is not installed."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
