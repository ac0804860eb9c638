"""What is served, without a database: blobs, manifests and pointers written directly, and a real gunicorn.

`Published` prepares a storage folder; `Gunicorn` serves one on free ports with deploy/gunicorn.conf.py.
"""

import hashlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from apps.assets.media_types import media_type_of
from apps.assets.store import blob_name
from apps.caching.headers import HeaderCompiler
from apps.caching.rules import HeaderSet, Match, Policy, Rule
from apps.releases.history.signatures import MEMBER, SigningKey, sign
from apps.releases.manifest import ManifestWriter, Redirect, Representation
from apps.releases.manifest.writer import file_sha256
from tests.acceptance.site import Answer, free_port

__all__ = ["FIRST_RELEASED", "HOUR", "Answer", "Gunicorn", "Published", "free_port", "sha256"]

SIGNING_KEY = SigningKey(b"a key that everybody may know ..")
PROJECT = Path(__file__).resolve().parents[1]
FIRST_RELEASED = 1_790_000_000  # the first publication of a prepared site; each other comes an hour later
HOUR = 3600
_NOT_INHERITED = {"FORWARDED_ALLOW_IPS", "PREVIEW_DOMAIN", "STAFF_URL", "STORAGE_URL"}
RULES = HeaderCompiler(
    [
        Rule("lost", 1, Match(paths=("lost.html",)), Policy(browser_ttl_seconds=60, cdn_ttl_seconds=86_400)),
        Rule(
            "pages",
            1,
            Match(media_types=("text/html",)),
            Policy(browser_ttl_seconds=0, must_revalidate=True, is_trusted_active_content=True),
        ),
        Rule(
            "fonts",
            1,
            Match(extensions=("woff2", "json")),
            Policy(
                browser_ttl_seconds=3600,
                extra_headers=(
                    ("access-control-allow-origin", "*"),
                    ("access-control-allow-headers", "X-Part"),
                    ("vary", "Origin"),
                ),
            ),
        ),
        Rule("everything", 1, Match(), Policy(browser_ttl_seconds=300)),
    ]
)
FINGERPRINTED = HeaderSet(
    "fingerprinted",
    1,
    (("content-type", "text/css"), ("cache-control", "max-age=31536000, immutable")),
    "f" * 64,
)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file_of(pointer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's file that a pointer names, as a pointer says it."""
    manifest: dict[str, Any] = pointer["manifest"]
    return manifest


@dataclass
class Published:
    """A storage folder with a channel whose releases are written without services."""

    folder: Path
    channel: str = "production"
    sequence: int = 0
    pointers: dict[int, dict[str, Any]] = field(default_factory=dict)
    manifests: str = "manifests"  # the folder of its manifests, below `folder`

    @property
    def pointer(self) -> Path:
        return self.folder / "channels" / f"{self.channel}.json"

    def blob(self, content: bytes) -> Path:
        """Write a blob, if it is not there, and return its file."""
        file = self.folder / blob_name(sha256(content))
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return file

    def publish(
        self,
        release: int,
        files: Mapping[str, bytes],
        *,
        coded: Mapping[str, Mapping[str, bytes]] | None = None,
        kept_from: Mapping[str, int] | None = None,
        links: Mapping[str, str] | None = None,
        redirects: Sequence[Redirect] = (),
        fingerprints: Mapping[str, str] | None = None,
    ) -> None:
        """Serve `files` (path → content) as a release of this number.

        `coded` gives path → coding → bytes, `kept_from` the release that brought a path if not this one,
        `links` path → value of its Link header, `fingerprints` path → its fingerprint.
        """
        name = f"{self.manifests}/{release}.sqlite"
        manifest = self.folder / name
        manifest.parent.mkdir(parents=True, exist_ok=True)
        with ManifestWriter(manifest) as writer:
            for path, content in files.items():
                since = (kept_from or {}).get(path, release)
                self._put(writer, path, content, since, fingerprint=(fingerprints or {}).get(path, ""))
                for coding, encoded in (coded or {}).get(path, {}).items():
                    self.blob(encoded)
                    kept = Representation(coding, sha256(encoded), len(encoded))
                    writer.add_representations(sha256(content), [kept])
            for redirect in redirects:
                writer.put_redirect(redirect, release=release)
            for path, value in (links or {}).items():
                writer.set_page_link(path, value)
            for earlier, pointer in self.pointers.items():
                writer.set_released(earlier, pointer["released_at"])
            digest = writer.finish(rules_digest=RULES.digest)
        self.pointers[release] = {
            "format": 1,
            "channel": self.channel,
            "release": release,
            "digest": digest,
            "manifest": {
                "name": name,
                "sha256": file_sha256(manifest),
                "size": manifest.stat().st_size,
            },
            "released_at": FIRST_RELEASED + HOUR * self.sequence,
        }
        self.point_at(release)

    def point_at(self, release: int) -> None:
        """Append a publication of a release that there is: publish it, or roll back to it."""
        published_at = datetime.fromtimestamp(FIRST_RELEASED + HOUR * self.sequence, UTC)
        self.sequence += 1
        self.write(
            self.pointers[release]
            | {
                "sequence": self.sequence,
                "kind": "publish",
                "tag": f"{self.channel}-{self.sequence}",
                "published_at": published_at.isoformat(),
            }
        )

    def set_options(self, **options: object) -> None:
        """Answer with these options of the channel from now on, and the usual others."""
        self.write(json.loads(self.pointer.read_bytes()) | {"options": options})

    def write(self, pointer: Mapping[str, Any] | bytes) -> None:
        """Replace the pointer's file at once, as `apps.assets.store` does; sign it unless it is bytes."""
        self.pointer.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.pointer.with_suffix(".new")
        unfinished.write_bytes(pointer if isinstance(pointer, bytes) else self.signed(pointer))
        unfinished.replace(self.pointer)

    def signed(self, pointer: Mapping[str, Any]) -> bytes:
        """Return a pointer with a signature of its own, whether it had one or not."""
        words = {key: value for key, value in pointer.items() if key != MEMBER}
        return sign(words, name=f"channels/{self.channel}.json", key=SIGNING_KEY)

    def _put(
        self, writer: ManifestWriter, path: str, content: bytes, release: int, *, fingerprint: str = ""
    ) -> None:
        self.blob(content)
        media_type = media_type_of(path, content[:512])
        writer.put(
            path,
            blob=sha256(content),
            size=len(content),
            media_type=media_type,
            header_set=RULES.header_set(path, media_type, len(content)),
            release=release,
            fingerprint=fingerprint,
            named_header_set=FINGERPRINTED if fingerprint else None,
        )


@dataclass
class Gunicorn:
    """A real gunicorn with deploy/gunicorn.conf.py; used as a context manager.

    `data` is its DATA_DIR. The database is one that nobody runs, unless `environment` says otherwise.
    """

    data: Path
    workers: int = 3
    environment: dict[str, str] = field(default_factory=dict)
    public_port: int = field(default_factory=free_port)
    staff_port: int = field(default_factory=free_port)

    @property
    def storage(self) -> Path:
        """The folder that `Published` writes to."""
        return self.data / "storage"

    def __enter__(self) -> Self:
        self.log = self.data / "gunicorn.log"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"],
                cwd=PROJECT,
                env=self._environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def ask(
        self,
        target: str,
        *,
        method: str = "GET",
        port: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request over a connection of its own; the target goes out as it is."""
        fields = {"host": "localhost", "connection": "close", **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        raw = self.exchange(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1"), port=port)
        return read_answer(raw, method)

    def exchange(self, sent: bytes, *, port: int | None = None) -> bytes:
        """Send bytes and return everything that comes back until the server closes."""
        with self.connect(port=port) as connection:
            connection.sendall(sent)
            received = b""
            while piece := connection.recv(1 << 16):
                received += piece
            return received

    def connect(self, *, port: int | None = None) -> socket.socket:
        """Open a connection, to the public door unless `port` is another's."""
        return socket.create_connection(("127.0.0.1", port or self.public_port), timeout=30)

    def reload(self) -> None:
        """Have gunicorn start new workers and end the old ones (SIGHUP)."""
        self._process.send_signal(signal.SIGHUP)

    def ready(self) -> dict[str, Any]:
        """Return what one of the workers says of itself."""
        document: dict[str, Any] = json.loads(self.ask("/-/readyz").body)
        return document

    def by_worker(self, *, apart_from: frozenset[int] = frozenset()) -> dict[int, dict[str, Any]]:
        """Ask until each worker has said what it serves; those in `apart_from` have ended."""
        answers: dict[int, dict[str, Any]] = {}
        deadline = time.monotonic() + 60
        while len(answers) < self.workers:
            assert time.monotonic() < deadline, f"only {sorted(answers)} of {self.workers} workers answer"
            ready = self.ready()
            if ready["pid"] not in apart_from:
                answers[ready["pid"]] = ready
        return answers

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        return inherited | {
            "DATA_DIR": str(self.data),
            "DATABASE_URL": f"postgres://nobody@127.0.0.1:{free_port()}/nothing",
            "SECRET_KEY": "for-tests-only",
            "SIGNING_KEY": b64encode(SIGNING_KEY.seed).decode(),
            "PUBLIC_BIND": f"127.0.0.1:{self.public_port}",
            "STAFF_BIND": f"127.0.0.1:{self.staff_port}",
            "CHANNEL_HOSTS": "production=localhost,127.0.0.1",
            "WEB_CONCURRENCY": str(self.workers),
            "LOG_LEVEL": "WARNING",
            **self.environment,
        }

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            try:
                self.ask("/-/healthz")
            except OSError:
                time.sleep(0.05)
            else:
                return


def read_answer(raw: bytes, method: str = "GET") -> Answer:
    """Read one HTTP answer from bytes. Raises `AssertionError` where it is not whole."""
    response = http.client.HTTPResponse(_Bytes(raw), method=method)  # type: ignore[arg-type]
    response.begin()
    body = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


class _Bytes:
    """Bytes where http.client wants a socket."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def makefile(self, mode: str) -> Any:
        return io.BytesIO(self.content)
