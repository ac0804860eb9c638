"""Real caches in front of a site: nginx and Varnish, started with what `rule export` writes."""

import http.client
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import pytest

from tests.acceptance.site import Answer, Site, free_port

_NGINX = """
{user} worker_processes 1; daemon off; pid {work}/pid; error_log {work}/log warn;
events {{ worker_connections 200; }}
http {{
  access_log off;
  client_body_temp_path {work}/1; proxy_temp_path {work}/2; fastcgi_temp_path {work}/3;
  uwsgi_temp_path {work}/4; scgi_temp_path {work}/5;
  include {exported};
}}
"""


def program(name: str) -> str:
    """Return where a server's program is; skip, or fail in CI, where it is not."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    return found or _missing(name)


def has_vmod(name: str) -> bool:
    file = f"varnish/vmods/libvmod_{name}.so"
    return any(any(Path("/usr").glob(f"{folder}/{file}")) for folder in ("lib/*", "lib", "local/lib"))


def require_vmod(name: str) -> None:
    """Skip, or fail in CI, where Varnish lacks a module."""
    if not has_vmod(name):
        _missing(f"Varnish's vmod {name}")


def _missing(name: str) -> NoReturn:
    if os.environ.get("REQUIRE_REAL_PARTS") == "1":
        pytest.fail(f"{name} is missing, and REQUIRE_REAL_PARTS=1 asks for it.")
    pytest.skip(f"{name} is missing.")


@dataclass
class Cache:
    """A cache in front of `origin_port`, configured by the export; used as a context manager.

    Varnish does `first`, as if somebody had written it into its configuration.
    """

    kind: str
    site: Site
    origin_port: int
    work: Path
    port: int = field(default_factory=free_port)
    exported_with: tuple[str, ...] = ()
    first: str = ""

    @property
    def copies(self) -> Path:
        """The folder in which nginx keeps what it keeps."""
        return self.work / "copies"

    def __enter__(self) -> Self:
        self.work.mkdir()
        exported = self.work / "exported"
        place = f"127.0.0.1:{self.port}"
        wanted = ("--listen", place, "--folder", self.copies) if self.kind == "nginx" else self.exported_with
        origin = f"127.0.0.1:{self.origin_port}"
        self.site.manage("rule", "export", self.kind, "--origin", origin, "--output", exported, *wanted)
        if self.first:
            exported.write_text(_doing_first(self.first, exported.read_text()))
        self._log = (self.work / "output").open("wb")
        command = self._nginx(exported) if self.kind == "nginx" else self._varnish(exported, place)
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        self._wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._log.close()

    def ask(self, target: str, *, method: str = "GET", host: str = "localhost", **headers: str) -> Answer:
        """Ask over a connection of its own; the target goes out as it is, `_` in names becomes a dash."""
        fields = {"Host": host}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask_with(target, fields, method=method)

    def ask_with(self, target: str, fields: Mapping[str, str], *, method: str = "GET") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        # Targets that no client sends.
        connection._validate_path = lambda url: None  # type: ignore[attr-defined]
        connection._encode_request = lambda line: line.encode("latin-1")  # type: ignore[attr-defined]
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in fields.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, received, response.read())
        finally:
            connection.close()

    @contextmanager
    def also(self, words: str) -> Iterator[None]:
        """Let Varnish do this first, as if somebody had written it into its configuration."""
        changed = self.work / "changed.vcl"
        changed.write_text(_doing_first(words, (self.work / "exported").read_text()))
        self._administer("vcl.load", "changed", str(changed))
        self._administer("vcl.use", "changed")
        try:
            yield
        finally:
            self._administer("vcl.use", "boot")

    def _administer(self, *words: str) -> None:
        subprocess.run(
            [program("varnishadm"), "-n", f"{self.work}/n", *words], check=True, capture_output=True
        )

    def _nginx(self, exported: Path) -> list[str]:
        configuration = self.work / "nginx.conf"
        user = "" if os.geteuid() else "user root;"
        configuration.write_text(_NGINX.format(user=user, work=self.work, exported=exported))
        return [program("nginx"), "-e", f"{self.work}/log", "-p", str(self.work), "-c", str(configuration)]

    def _varnish(self, exported: Path, place: str) -> list[str]:
        options = ["-j", "none", "-n", f"{self.work}/n", "-s", "malloc,64m", "-p", "http_gzip_support=off"]
        return [program("varnishd"), "-F", *options, "-a", place, "-f", str(exported)]

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.work / "output").read_text())
            time.sleep(0.02)


def _doing_first(words: str, exported: str) -> str:
    version, _, rest = exported.partition("vcl 4.1;\n")
    return f"{version}vcl 4.1;\n{words}\n{rest}"


def outcome(answer: Answer) -> str:
    """Return what the cache says that it did (RFC 9211): "hit", or why it asked the origin.

    "refused" where it has answered before it looked.
    """
    if "cache-status" not in answer.headers:
        assert answer.status == 400
        return "refused"
    said = re.fullmatch(
        r"assetsite-(?:nginx|varnish); (?:(hit)|fwd=([a-z-]+))(?:; .*)?", answer.headers["cache-status"]
    )
    assert said, answer.headers["cache-status"]
    return said[1] or said[2]
