"""What RFC 9110 and 9112 ask of a connection, byte for byte, at every door that has one.

A case is what a client sends, and the statuses that come back. Behind it comes `NEXT`: only where the
connection is kept, and nobody has lost count of its bytes, is there a 200 for it at the end. Where gunicorn's
plain worker differs, docs/delivery.md says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pytest

from apps.releases.channels.answer_headers import SHORT_SHARED
from tests.delivery.doors import Answered, ServerDoor, read_answers
from tests.serving import Gunicorn

HOST = "Host: localhost"
NEXT = b"GET /docs/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
KEPT, CLOSED = 200, 0
WORKER, HANDED_OVER, THREADS = "worker", "handed over", "threads"

type Differs = Mapping[str, tuple[int, ...]]

_NOWHERE: Differs = MappingProxyType({})


def at_gunicorns(*statuses: int) -> Differs:
    """Expect this of every connection that is gunicorn's own."""
    return {HANDED_OVER: statuses, THREADS: statuses}


def ask(*fields: str, method: str = "GET", target: str = "/ten.txt", version: str = "1.1") -> bytes:
    return "\r\n".join((f"{method} {target} HTTP/{version}", *fields, "", "")).encode("latin-1")


def visit(*fields: str, method: str = "GET", target: str = "/ten.txt", version: str = "1.1") -> bytes:
    return ask(HOST, *fields, method=method, target=target, version=version)


def refused(section: str, sent: bytes, *, status: int = 400, differs: Differs = _NOWHERE) -> "Case":
    """Expect a refusal, after which nothing is read."""
    return Case(section, sent, (status,), CLOSED, differs)


@dataclass(frozen=True, slots=True)
class Case:
    """Bytes, and the statuses that they get; in `differs` all (NEXT's, too) at doors that say others."""

    section: str
    sent: bytes
    statuses: tuple[int, ...] = (200,)
    next_status: int = KEPT
    differs: Differs = _NOWHERE

    def expected_at(self, door: str) -> tuple[int, ...]:
        """Return every status that comes back there."""
        here = (*self.statuses, *([self.next_status] if self.next_status else []))
        return self.differs.get(door, here)


CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
LENGTH, CHUNKS = "Content-Length: 5", "Transfer-Encoding: chunked"
CASES = (
    # Messages and lines
    Case("9112-2.2 one empty line before a request", b"\r\n" + visit()),
    Case("9112-2.2 one empty line between requests", visit() + b"\r\n" + visit(), (200, 200)),
    refused("9112-2.2 a bare LF ends no line", b"GET /ten.txt HTTP/1.1\nHost: localhost\n\n"),
    refused("9112-2.2 a bare LF ends no head", b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\n\n"),
    refused("9112-2.2 a bare LF in a field", visit("A: b\nC: d")),
    refused("9112-2.2 a bare CR in a field", visit("A: b\rC: d")),
    refused("9112-2.2 a space before the first field", b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"),
    refused("9112-2.3 another major version", visit(version="2.0")),
    refused("9112-2.3 a version in small letters", visit().replace(b"HTTP/", b"http/")),
    refused("9112-3 no version", b"GET /ten.txt\r\n\r\n"),
    refused("9112-3 something after the version", visit(version="1.1 ")),
    refused("9112-3 a space before the method", b" " + visit()),
    refused("9112-3 tabs for spaces", visit().replace(b" ", b"\t", 2)),
    refused("9112-3 a request line that is too long", visit(target="/" + "a" * 9_000), status=414),
    refused("9110-9.1 a method is no token", visit(method="GE(T")),
    refused("9110-9.1 a method counts as it is spelled", visit(method="get")),
    refused("TLS is not spoken here", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    refused("HTTP/2 is not spoken here", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    # Targets
    refused("9112-3.2 a space in a target", visit(target="/ten .txt")),
    refused("9112-3.2 a control character in a target", visit(target="/ten\x01.txt")),
    refused("9112-3.2 NUL in a target", visit(target="/ten\0.txt")),
    refused("9112-3.2 a path without its slash", visit(target="ten.txt")),
    refused("9112-3.2.3 an authority without CONNECT", visit(target="localhost:80")),
    refused("9112-3.2.4 a star without OPTIONS", visit(target="*")),
    Case("9112-3.2.4 a star with OPTIONS", visit(target="*", method="OPTIONS"), (204,)),
    Case("9110-9.3.6 no tunnel to anywhere", visit(target="a:80", method="CONNECT"), (405,),
         differs=at_gunicorns(405)),
    Case("9110-9.3.8 nothing is sent back to who traces", visit(method="TRACE"), (405,)),
    Case("9110-15.6.2 a method that nobody knows", visit(method="BREW"), (405,)),
    Case("9112-3.2.2 a whole URL, whose host counts", ask("Host: a.example", target="http://localhost/ten.txt")),
    Case("9112-3.2.2 a whole URL of another host", visit(target="http://a.example/ten.txt"), (404,)),
    Case("9112-3.2.2 a whole URL of a page of Django's", visit(target="http://localhost/-/healthz")),
    Case("9112-3.2 a whole URL needs Host, too", ask(target="http://localhost/ten.txt"), (400,)),
    Case("9110-4.2.1 a URL without a host", visit(target="http:///ten.txt"), (400,)),
    Case("9110-4.2.4 a URL with a user", visit(target="http://localhost@a.example/ten.txt"), (400,)),
    Case("9110-4.2 another scheme", visit(target="ftp://localhost/ten.txt"), (400,)),
    # Host
    Case("9112-3.2 no Host", ask(), (400,)),
    Case("9112-3.2 no Host for OPTIONS either", ask(target="*", method="OPTIONS"), (400,)),
    refused("9112-3.2 two Hosts", visit("Host: localhost")),
    refused("9112-3.2 two Hosts, spelled differently", visit("hOST: a.example")),
    Case("9112-3.2 an empty Host is nobody's", ask("Host:"), (404,)),
    Case("9110-7.2 a Host with a port", ask("Host: localhost:8000")),
    Case("9110-7.2 a Host in capitals", ask("Host: LOCALHOST")),
    Case("9112-3.2 a Host with a path", ask("Host: localhost/a"), (400,)),
    Case("9112-3.2 a Host with a user", ask("Host: a@localhost"), (400,)),
    Case("9112-3.2 a list of Hosts", ask("Host: localhost, a.example"), (400,)),
    Case("9112-3.2 a Host beyond ASCII", ask("Host: localhost\xe9"), (400,)),
    Case("a field with an underscore is not the one with a hyphen", visit("Content_Length: 5", "Host_: a")),
    # Fields
    refused("9112-5.1 a space before the colon", visit("A : b")),
    refused("9112-5.1 a tab before the colon", visit("A\t: b")),
    refused("9112-5.1 a field without a colon", visit("abc")),
    refused("9112-5.1 a field without a name", visit(": b")),
    refused("9112-5.2 a folded field", visit("A: b\r\n c")),
    refused("9110-5.1 NUL in a name", visit("A\0: b")),
    refused("9110-5.1 a name beyond ASCII", visit("A\xe9: b")),
    refused("9110-5.5 NUL in a value", visit("A: b\0c")),
    refused("9110-5.5 a control character in a value", visit("A: b\x01c")),
    refused("9110-5.5 DEL in a value", visit("A: b\x7fc")),
    Case("9110-5.5 a value beyond ASCII", visit("A: b\xe9c")),
    Case("9110-5.5 spaces around a value", visit("Range: \t bytes=0-1 \t "), (206,)),
    Case("9110-5.1 names in any case", visit("rANGE: bytes=0-1"), (206,)),
    refused("6585-5 a field that is too large", visit("A: " + "b" * 9_000), status=431),
    refused("6585-5 too many fields", visit(*["A: b"] * 100), status=431),
    Case("6585-5 as many fields as may be", visit(*["A: b"] * 99)),
    # Bodies: a published path has no use for one
    Case("9112-6.3 a body on GET", visit(LENGTH) + b"hello", next_status=CLOSED,
         differs=at_gunicorns(200, 200)),
    Case("9112-6.3 chunks on GET", visit(CHUNKS) + CHUNKED, next_status=CLOSED,
         differs=at_gunicorns(200, 200)),
    Case("9112-6.3 a body on POST", visit(LENGTH, method="POST") + b"hello", (405,), CLOSED,
         differs=at_gunicorns(405, 200)),
    Case("9112-6.3 a body that looks like a request", visit(f"Content-Length: {len(visit())}") + visit(),
         next_status=CLOSED, differs=at_gunicorns(200, 200)),
    Case("9112-6.3 POST without a body", visit(method="POST"), (405,)),
    Case("9112-6.3 a body of no bytes", visit("Content-Length: 0")),
    Case("9112-6.3 a body for a page of Django's", visit(LENGTH, target="/-/healthz") + b"hello"),
    refused("9112-6.1 a length and chunks", visit(LENGTH, CHUNKS) + CHUNKED),
    refused("9112-6.1 no length and chunks", visit("Content-Length: 0", CHUNKS) + CHUNKED),
    refused("9112-6.1 chunks of HTTP/1.0", visit(CHUNKS, version="1.0") + CHUNKED),
    refused("9112-6.1 chunked twice", visit("Transfer-Encoding: chunked, chunked") + CHUNKED),
    refused("9112-6.1 chunked in two fields", visit(*[CHUNKS] * 2) + CHUNKED),
    refused("9112-6.1 a coding with a weight", visit("Transfer-Encoding: chunked;q=1") + CHUNKED),
    refused("9112-6.1 no coding", visit("Transfer-Encoding:")),
    refused("9112-6.1 a control character and a coding",
            visit("Transfer-Encoding: \x0bchunked") + CHUNKED),
    refused("9112-6.1 a space before its colon", visit("Transfer-Encoding : chunked") + CHUNKED),
    refused("9112-6.1 a coding that is not known", visit("Transfer-Encoding: gzip"), status=501,
            differs=at_gunicorns(400)),
    refused("9112-6.1 a coding that is not known, in chunks",
            visit("Transfer-Encoding: gzip, chunked") + CHUNKED, status=501, differs=at_gunicorns(200)),
    refused("9112-6.3 two lengths", visit(LENGTH, "Content-Length: 6") + b"hello"),
    refused("9112-6.3 the same length twice", visit(*["Content-Length: 0"] * 2)),
    refused("9112-6.3 a list of lengths", visit("Content-Length: 5, 5") + b"hello"),
    *(refused(f"9112-6.2 the length {said!r}", visit(f"Content-Length: {said}") + b"hello")
      for said in ("-1", "+5", "0x5", "5 5", "0_5", "5.0", "", "\xb2", "9" * 30, str(2**64 + 5))),
    refused("9110-8.3 two types of one body", visit("Content-Type: a/b", "Content-Type: c/d")),
    # Expectations
    Case("9110-10.1.1 nothing to continue with", visit("Expect: 100-continue"),
         differs={THREADS: (100, 200, 200)}),
    Case("9110-10.1.1 the last word at once",
         visit("Expect: 100-continue", LENGTH) + b"hello", next_status=CLOSED,
         differs={HANDED_OVER: (200, 200), THREADS: (100, 200, 200)}),
    Case("9110-10.1.1 HTTP/1.0 gets no 100",
         visit("Expect: 100-continue", "Connection: keep-alive", version="1.0")),
    Case("9110-10.1.1 what is expected otherwise", visit("Expect: a-miracle"), differs={THREADS: (417,)}),
    # Every kind of answer has a Date (9110-6.6.1) and leaves the connection in step
    Case("9110-15.4.5 a 304", visit("If-None-Match: *") + visit("If-None-Match: *"), (304, 304)),
    Case("9110-15.3.5 a 204", visit(method="OPTIONS"), (204,)),
    Case("9110-15.5.13 a 412", visit('If-Match: "other"'), (412,)),
    Case("9110-15.5.17 a 416", visit("Range: bytes=99-"), (416,)),
    Case("9110-14.6 several ranges", visit("Range: bytes=0-1,4-5"), (206,)),
    Case("9110-9.3.2 the head of many an answer",
         b"".join(visit(method="HEAD", target=f"/{a}") for a in ("", "large.bin", "no", "docs", "-/no")),
         (200, 200, 404, 308, 404)),
    # Connections
    Case("9112-9.3 a connection is kept", visit()),
    Case("9112-9.3 one of HTTP/1.0 is not", visit(version="1.0"), next_status=CLOSED),
    Case("9112-9.3 but for who asks", visit("Connection: Keep-Alive", version="1.0")),
    Case("9112-3.2 HTTP/1.0 needs no Host", ask(version="1.0"), (404,), CLOSED),
    Case("9112-9.6 who closes is closed", visit("Connection: close"), next_status=CLOSED),
    Case("9112-9.6 in any case", visit("connection: CLOSE"), next_status=CLOSED),
    Case("9110-7.6.1 close in a list", visit("Connection: te, Close"), next_status=CLOSED,
         differs={THREADS: (200, 200)}),
    Case("9112-9.3 close wins", visit("Connection: keep-alive", "Connection: close"), next_status=CLOSED,
         differs={THREADS: (200, 200)}),
    Case("9110-7.6.1 an empty list", visit("Connection:")),
    Case("9110-7.8 an upgrade is ignored", visit("Connection: Upgrade", "Upgrade: h2c")),
    Case("9110-7.8 WebSocket is not spoken here", visit("Connection: Upgrade", "Upgrade: websocket",
         "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")),
    Case("9112-9.3.2 answers come in the order of the requests",
         visit() + visit(target="/no") + visit("Range: bytes=0-1") + visit(method="HEAD")
         + visit(target="/docs"),
         (200, 404, 206, 200, 308)),
    Case("9112-9.3.2 a page of Django's among them",
         visit() + visit(target="/-/healthz") + visit("Range: bytes=0-1") + visit(target="/-/no") + visit(),
         (200, 200, 206, 404, 200)),
    Case("9112-9.3.2 nothing after what is refused", visit() + visit("A : b") + visit(), (200, 400), CLOSED),
)  # fmt: skip


@pytest.fixture(params=[WORKER, HANDED_OVER, THREADS])
def door(request: pytest.FixtureRequest) -> str:
    """Each door in turn; `handed over` is a connection of our worker on which Django has answered."""
    name: str = request.param
    return name


@pytest.fixture
def server(request: pytest.FixtureRequest, door: str) -> Gunicorn:
    found: ServerDoor = request.getfixturevalue("threads_door" if door == THREADS else "worker_door")
    return found.server


def send(server: Gunicorn, door: str, sent: bytes) -> list[Answered]:
    """Send bytes, and `NEXT`; return every answer until the connection is closed."""
    before = visit(target="/-/healthz") if door == HANDED_OVER else b""
    answers = read_answers(server.exchange(before + sent + NEXT), before + sent)
    return answers[1:] if before else answers


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.section)
def test_a_request_is_answered_or_refused_and_the_next_one_read_or_not(
    case: Case, door: str, server: Gunicorn
) -> None:
    answers = send(server, door, case.sent)
    assert tuple(answer.status for answer in answers) == case.expected_at(door)
    if door != THREADS:  # what gunicorn refuses there has neither a date nor a policy
        for answer in answers:
            assert len(answer.all_of("date")) == 1
            assert answer.status < 305 or answer.all_of("cache-control") in (["no-store"], [SHORT_SHARED])
    if not (case.next_status or door in case.differs):
        assert answers[-1].all_of("connection") == ["close"]
