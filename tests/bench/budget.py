"""Where the time of one request goes: the real functions, timed apart and together, without a socket.

    python -m tests.bench.budget FOLDER     prints JSON; FOLDER is DATA_DIR, where a release is written

What the event loop and the kernel do is not in it: that is the rest of the CPU time in the comparison.
"""

import asyncio
import json
import sys
import timeit
from collections.abc import Callable, Mapping
from functools import cache
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import brotli  # type: ignore[import-untyped]
import gunicorn_h1c as h1c

from apps.delivery.answers import answer
from apps.delivery.connection import PublicConnection
from apps.delivery.front import Front
from apps.delivery.parsing import fields_of
from apps.delivery.release import RECENT_PATHS, LiveRelease
from apps.delivery.resource import Representation, Resource, head
from apps.delivery.respond import Request
from tests.bench.content import many
from tests.bench.scenarios import Wrong
from tests.bench.tables import STEPS
from tests.serving import Published

PATHS = RECENT_PATHS + 1_000  # asked for in turn, none of them is remembered
PAGE, TARGET = "page.css", b"/page.css"
CODINGS = "gzip, deflate, br, zstd"
REPEATS, REPEAT_SECONDS = 50, 0.002  # short ones: a busy machine leaves some of them alone
BROWSERS = (
    ("Host", "localhost"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/css,*/*;q=0.1"),
    ("Accept-Language", "en-GB,en;q=0.5"),
    ("Accept-Encoding", CODINGS),
    ("Referer", "https://www.example.org/"),
    ("Sec-Fetch-Dest", "style"),
    ("Sec-Fetch-Mode", "no-cors"),
    ("Sec-Fetch-Site", "same-origin"),
)

type Step = Callable[[], object]
type Budget = dict[str, float]  # step → microseconds


class Silent:
    """A transport that sends nothing, and keeps how the last answer began."""

    def __init__(self) -> None:
        self.last = b""

    def write(self, data: bytes) -> None:
        self.last = data

    def writelines(self, parts: Any) -> None:
        self.last = b"".join(parts)

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> None:
        return None

    def is_closing(self) -> bool:
        return False


class Bench:
    """One connection of a worker's front, with a browser's request for one path and its resource."""

    def __init__(self) -> None:
        cfg = SimpleNamespace(keepalive=75, timeout=60)
        worker = SimpleNamespace(cfg=cfg, max_requests=sys.maxsize, alive=True, nr=0, nr_conns=0)
        self.front = Front(worker, asyncio.new_event_loop())
        self.transport = Silent()
        self.connection = PublicConnection(self.front)
        transport: Any = self.transport
        self.connection.connection_made(transport)
        self.front.node.follow()
        self.front.note_host(b"localhost")

    def budgets(self) -> dict[str, Budget]:
        """Return the budget of each kind of request."""
        resource = self._resource(TARGET)
        return {
            "a GET of what was asked for lately": self._whole(resource.choose(CODINGS)),
            "a 304": self._not_modified(resource.choose(CODINGS)),
            "a range": self._range(resource.identity),
            "a GET of a path that is looked up in the manifest": self._looked_up(),
            "a HEAD, by way of `respond`": self._general(),
        }

    def _whole(self, chosen: Representation) -> Budget:
        data = wire(PAGE)
        return self._measured(data, b"200", self._steps(data, lambda: self._write(chosen)))

    def _not_modified(self, chosen: Representation) -> Budget:
        data = wire(PAGE, ("If-None-Match", chosen.etag))
        steps = self._steps(data, lambda: self.transport.write(chosen.not_modified_head + self.front.date))
        return self._measured(data, b"304", steps)

    def _range(self, identity: Representation) -> Budget:
        data = wire(PAGE, ("Range", "bytes=1000-1999"), codings="identity")

        def write() -> None:
            body = self.front.bodies.part(identity.digest, 1000, 2000) or b""
            self.transport.writelines((identity.partial_head(1000, 2000) + self.front.date, body))

        return self._measured(data, b"206", self._steps(data, write, codings="identity"))

    def _looked_up(self) -> Budget:
        """More paths than are remembered, in turn; their contents are few and at hand."""
        paths = list(many(PATHS))
        for path in paths:
            self._ask(wire(path), b"200")
        in_turn = cycle([(wire(path), f"/{path}".encode()) for path in paths])
        resource = self._resource(next(in_turn)[1])
        steps = self._steps(wire(paths[0]), lambda: self._write(resource.identity)) | {
            "look up": lambda: self._live.find_target(next(in_turn)[1]),
            "choose": lambda: resource.identity,
        }
        return self._measured(wire(paths[0]), b"200", steps, following=lambda: next(in_turn)[0])

    def _general(self) -> Budget:
        """All that `respond` decides counts as choosing, but for the look up."""
        data = wire(PAGE, method="HEAD")
        asked = Request("HEAD", f"/{PAGE}", fields_of(h1c.parse_request_fast(data, 0)))
        response = answer(asked, protocol="HTTP/1.1")

        def parse() -> object:
            parsed = h1c.parse_request_fast(data, 0)
            fields = dict(parsed.asgi_headers)
            return fields, Request(
                parsed.method.decode("latin-1"), parsed.path.decode("latin-1"), fields_of(parsed)
            )

        def write() -> None:
            self.transport.writelines((head(response.status, response.headers) + self.front.date,))

        steps: dict[str, Step] = self._steps(data, write) | {
            "parse": parse,
            "look up": lambda: self._live.find(PAGE),
            "choose": lambda: answer(asked, protocol="HTTP/1.1"),
        }
        found = self._measured(data, b"200", steps)
        return found | {"choose": max(found["choose"] - found["look up"], 0)}

    def _steps(self, data: bytes, write: Step, *, codings: str = CODINGS) -> dict[str, Step]:
        """Return the steps of a plain GET of `TARGET`."""
        resource, accept = self._resource(TARGET), codings.encode()
        return {
            "parse": lambda: dict(h1c.parse_request_fast(data, 0).asgi_headers),
            "look up": lambda: self._live.find_target(TARGET),
            "choose": lambda: resource.choose(accept.decode("latin-1")),
            "write": write,
            "count": self.front.count,
        }

    def _write(self, chosen: Representation) -> None:
        body = self.front.bodies.whole(chosen.digest, chosen.size) or b""
        self.transport.write(b"".join((chosen.whole_head, self.front.date, body)))

    def _measured(
        self,
        data: bytes,
        status: bytes,
        steps: Mapping[str, Step],
        *,
        following: Callable[[], bytes] | None = None,
    ) -> Budget:
        """Time the steps of a request, and all of it; `following` gives the next one, if not the same.

        Raises `Wrong` where the connection answers with another status.
        """
        self._ask(data, status)
        receive = self.connection.data_received
        whole: Step = (lambda: receive(following())) if following else (lambda: receive(data))
        found = {step: microseconds(steps[step]) for step in STEPS} | {"whole": microseconds(whole)}
        self._compare(data, status)
        return found

    def _ask(self, data: bytes, status: bytes) -> None:
        """Send a request twice, so that what it needs is at hand."""
        for _ in range(2):
            self.connection.data_received(data)
        self._compare(data, status)

    def _compare(self, data: bytes, status: bytes) -> None:
        if self.transport.last[9:12] != status:
            raise Wrong(f"{data!r} was answered {self.transport.last[:200]!r}")

    @property
    def _live(self) -> LiveRelease:
        release = self.front.release_at(b"localhost")
        if release is None:
            raise Wrong("nothing is live")
        return release

    def _resource(self, target: bytes) -> Resource:
        found = self._live.find_target(target)
        if found is None:
            raise Wrong(f"{target!r} is not served")
        return found


def wire(path: str, *more: tuple[str, str], method: str = "GET", codings: str = CODINGS) -> bytes:
    """Return a browser's request, with `more` header fields."""
    named = [(name, codings if name == "Accept-Encoding" else value) for name, value in (*BROWSERS, *more)]
    fields = "".join(f"{name}: {value}\r\n" for name, value in named)
    return f"{method} /{path} HTTP/1.1\r\n{fields}\r\n".encode()


def microseconds(step: Step) -> float:
    """Return the shortest time that a call of `step` takes: what is longer was somebody else's."""
    return max(_seconds(step) - _call_seconds(), 0) * 1e6


@cache
def _call_seconds() -> float:
    return _seconds(lambda: None)


def _seconds(step: Step) -> float:
    timer = timeit.Timer(step)
    number = 1
    while timer.timeit(number) < REPEAT_SECONDS:
        number *= 2
    return min(timer.repeat(REPEATS, number)) / number


def main(data: Path) -> None:
    content = b"p { order: 1 } " * 680
    published = Published(data / "storage")
    published.publish(1, many(PATHS) | {PAGE: content}, coded={PAGE: {"br": brotli.compress(content)}})
    print(json.dumps(Bench().budgets()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
