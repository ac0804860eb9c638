"""A real S3 server: SeaweedFS in a temporary folder, with keys that may do different things."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

BUCKET = "assets"
START_SECONDS = 60
_KEYS = {
    "site": ["Admin", "Read", "Write", "List", "Tagging"],
    "writer": ["Read", "Write", "List"],
    "reader": [f"Read:{BUCKET}", f"List:{BUCKET}"],
    "stranger": ["Read:another"],
}


def weed() -> str | None:
    """Return the program, which is installed beside Python or in the path; None where it is not."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@dataclass
class S3Server:
    """An S3 server with one bucket; used as a context manager.

    What stores and what speaks S3 are two processes: the second can be stopped and is back in a moment.
    """

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        self.ports = dict(zip(("master", "volume", "filer", "s3"), _free_ports(4), strict=True))
        self._keys.write_text(json.dumps({"identities": [_identity(*each) for each in _KEYS.items()]}))
        self._store = self._run(
            "server",
            filer=True,
            dir=self.folder / "data",
            ip="127.0.0.1",
            master_port=self.ports["master"],
            master_telemetry=False,
            master_volumeSizeLimitMB=64,
            volume_port=self.ports["volume"],
            volume_max=8,
            volume_preStopSeconds=0,
            filer_port=self.ports["filer"],
        )
        self.start()
        self._until_done(lambda client: client.create_bucket(Bucket=BUCKET))
        self._until_done(lambda client: client.put_object(Bucket=BUCKET, Key="ready", Body=b"yes"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        _end(self._store)

    @property
    def port(self) -> int:
        return self.ports["s3"]

    def url(self, prefix: str, *, key: str = "site", bucket: str = BUCKET, port: int | None = None) -> str:
        """Return a STORAGE_URL for a part of the bucket, by another way than straight if `port` is one's."""
        return f"s3://{key}:{key}-secret@127.0.0.1:{port or self.port}/{bucket}/{prefix}?tls=0"

    def upload(self, folder: Path, prefix: str) -> None:
        """Bring what lies below a folder to a part of the bucket."""
        client = self.client()
        for file in folder.rglob("*"):
            if file.is_file():
                client.put_object(
                    Bucket=BUCKET, Key=f"{prefix}/{file.relative_to(folder)}", Body=file.read_bytes()
                )

    def start(self) -> None:
        """Answer, on the port that it has, and wait until it does."""
        self._door = self._run(
            "s3",
            port=self.ports["s3"],
            port_iceberg=0,
            port_lance=0,
            ip_bind="127.0.0.1",
            filer=f"127.0.0.1:{self.ports['filer']}",
            config=self._keys,
            autoCreateBucket=False,
        )
        self._until_done(lambda client: client.list_buckets())

    def stop(self) -> None:
        """Answer nobody any more; what is stored stays."""
        _end(self._door)

    @property
    def has_stopped(self) -> bool:
        """Say whether nobody answers."""
        return self._door.poll() is not None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Take connections and say nothing."""
        self._door.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._door.send_signal(signal.SIGCONT)

    @property
    def _keys(self) -> Path:
        return self.folder / "keys.json"

    def _run(self, command: str, **options: object) -> subprocess.Popen[bytes]:
        program = weed()
        assert program
        words = [f"-{name.replace('_', '.')}={_word(value)}" for name, value in options.items()]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [program, command, *words], stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )

    def _until_done(self, ask: Callable[[Any], object]) -> None:
        client = self.client()
        deadline = time.monotonic() + START_SECONDS
        while True:
            said = (self.folder / "log").read_text()[-2000:]
            assert self._store.poll() is None, said
            assert self._door.poll() is None, said
            try:
                ask(client)
            except (BotoCoreError, ClientError):
                assert time.monotonic() < deadline, said
                time.sleep(0.1)
            else:
                return

    def client(self) -> Any:
        """Return a client that may do everything."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.ports['s3']}",
            aws_access_key_id="site",
            aws_secret_access_key="site-secret",
            region_name="us-east-1",
            config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}),
        )


def _identity(name: str, actions: list[str]) -> dict[str, object]:
    return {
        "name": name,
        "credentials": [{"accessKey": name, "secretKey": f"{name}-secret"}],
        "actions": actions,
    }


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # asked kindly it takes ten seconds
    process.wait()


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, nor 10,000 above: there each part speaks gRPC."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as probe, socket.socket() as above:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            try:
                above.bind(("127.0.0.1", port + 10_000))
            except (OSError, OverflowError):
                continue
            found.append(port)
    return found
