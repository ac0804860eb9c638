"""What is asked for, and what must come back."""

import gzip
import http.client
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import accumulate

import brotli  # type: ignore[import-untyped]
import zstandard

from tests.bench.content import Files

SLOW = "slow"
SPAN_BYTES, CHECKED, MOST_REQUESTS = 65_536, 100, 200_000
IDENTITY, CODED = ("Accept-Encoding", "identity"), ("Accept-Encoding", "gzip, br, zstd")
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is measured. `content` says of which files, `unit` in what, `pause_ms` is before each request."""

    name: str
    content: str
    title: str
    connections: int = 32
    unit: str = "req/s"
    pause_ms: int = 0


SCENARIOS = (
    Scenario("small", "basic", "one file of 10 KB, 32 connections, identity"),
    Scenario("ranges", "basic", "64 KiB at random offsets of a file of 50 MB, 32 connections"),
    Scenario("large", "basic", "a file of 50 MB whole, 8 connections", 8, "MB/s"),
    Scenario(
        "latency", "basic", "the file of 10 KB, 4 connections that pause before each request", 4, "ms", 6
    ),
    Scenario(SLOW, "basic", "the file of 10 KB, a connection each time, beside 200 clients that are slow"),
    Scenario("site", "site", "400 files by popularity, gzip, br and zstd accepted, 30 % conditional"),
    Scenario("million", "many", "random paths of a release of {paths:,}, 32 connections, identity"),
    Scenario("switch", "many", "the same while the pointer goes to and fro between two releases"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A GET and its right answer. `span` has the first and the last byte of a range."""

    path: str
    content: bytes
    headers: tuple[tuple[str, str], ...] = (IDENTITY,)
    status: int = 200
    span: tuple[int, int] | None = None
    is_conditional: bool = False  # to be sent with the ETag that its server gives

    @property
    def body(self) -> bytes:
        if self.status == 304:
            return b""
        return self.content[self.span[0] : self.span[1] + 1] if self.span else self.content

    @property
    def wire(self) -> bytes:
        fields = "".join(f"{name}: {value}\r\n" for name, value in (("Host", "localhost"), *self.headers))
        return f"GET {self.path} HTTP/1.1\r\n{fields}\r\n".encode()


class Wrong(Exception):
    """A server's answer is not what the request asks for: there is no figure of that server."""


def requests(scenario: Scenario, files: Files) -> list[Request]:
    """Return the requests of a scenario, the same for all servers."""
    rng = random.Random(5)
    if scenario.content == "site":
        return _by_popularity(files, 20_000)
    if scenario.content == "many":
        return [
            Request(f"/{path}", files[path])
            for path in rng.sample(list(files), min(len(files), MOST_REQUESTS))
        ]
    if scenario.name == "ranges":
        large = files["large.bin"]
        starts = rng.choices(range(len(large) - SPAN_BYTES), k=20_000)
        return [_range("/large.bin", large, start, start + SPAN_BYTES - 1) for start in starts]
    path = "large.bin" if scenario.name == "large" else "small.css"
    return [Request(f"/{path}", files[path])]


def check(port: int, asked: list[Request]) -> tuple[list[Request], float]:
    """Compare answers with the files; return the requests with this server's ETags, and a body's mean length.

    Raises `Wrong` where an answer is not right.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        if not any(request.is_conditional for request in asked):
            sample = random.Random(6).sample(asked, min(len(asked), CHECKED))
            return asked, sum(ask(connection, request)[1] for request in sample) / len(sample)
        return _fit(connection, asked)
    finally:
        connection.close()


def ask(connection: http.client.HTTPConnection, request: Request) -> tuple[str, int]:
    """Send a request and compare the answer; return its ETag and its body's length on the wire."""
    try:
        connection.request("GET", request.path, headers={"Host": "localhost", **dict(request.headers)})
        response = connection.getresponse()
        headers, sent = response.headers, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise Wrong(f"{request.path}: {error!r}") from error
    if response.status != request.status:
        raise Wrong(f"{request.path}: status {response.status}, not {request.status}")
    if request.span:
        due = f"bytes {request.span[0]}-{request.span[1]}/{len(request.content)}"
        if headers["Content-Range"] != due:
            raise Wrong(f"{request.path}: Content-Range {headers['Content-Range']}, not {due}")
    if _decoded(headers["Content-Encoding"], sent) != request.body:
        raise Wrong(f"{request.path}: the {len(sent):,} bytes sent are not the file's")
    return headers["ETag"] or "", len(sent)


def _decoded(coding: str | None, sent: bytes) -> bytes:
    try:
        return DECODERS[coding or "identity"](sent)
    except (OSError, EOFError, KeyError, zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise Wrong(f"a body coded {coding} does not decode") from error


def _fit(connection: http.client.HTTPConnection, asked: list[Request]) -> tuple[list[Request], float]:
    """Ask for every path once, and for some with a condition."""
    plain = {request.path: replace(request, is_conditional=False) for request in asked}
    learnt = {path: ask(connection, request) for path, request in plain.items()}
    fitted = [
        replace(request, headers=(CODED, ("If-None-Match", learnt[request.path][0])), status=304)
        if request.is_conditional and learnt[request.path][0]
        else request
        for request in asked
    ]
    for request in [request for request in fitted if request.status == 304][:CHECKED]:
        ask(connection, request)
    return fitted, sum(learnt[request.path][1] for request in fitted if request.status == 200) / len(fitted)


def _range(path: str, content: bytes, start: int, last: int) -> Request:
    return Request(path, content, (IDENTITY, ("Range", f"bytes={start}-{last}")), 206, (start, last))


def _by_popularity(files: Files, count: int) -> list[Request]:
    """Popularity falls as 1/rank; an index goes by its folder's address."""
    rng = random.Random(4)
    found = [Request(f"/{path.removesuffix('index.html')}", files[path], (CODED,)) for path in sorted(files)]
    rng.shuffle(found)
    weights = list(accumulate(1 / rank for rank in range(1, len(found) + 1)))
    drawn = rng.choices(found, cum_weights=weights, k=count)
    return [replace(request, is_conditional=True) if rng.random() < 0.3 else request for request in drawn]
