"""What a probe makes of an answer, and how it finds the public door."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.releases.channels.expected_answers import Answer
from apps.releases.channels.probing import MAX_BODY_BYTES, NoAnswer, Probe, ask, host_of, look
from apps.releases.models import Channel, ChannelHost

BLOB = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of hello
DIGEST = "Repr-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"
HELLO = Answer(200, BLOB, 5)
OK = f"HTTP/1.1 200 OK\r\n{DIGEST}\r\nAssetsite-Release: 3\r\nContent-Length: 5\r\n\r\n"
GONE = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
MOVED = "HTTP/1.1 308 Permanent Redirect\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n"


class Wire:
    """Answers each connection with the same words, and keeps what was asked."""

    def __init__(self, listener: socket.socket, said: bytes) -> None:
        self.asked = b""
        self._listener, self._said = listener, said
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self.asked += connection.recv(65536)
            connection.sendall(self._said)


@pytest.fixture
def listener(settings: Settings) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.PUBLIC_BIND = f"0.0.0.0:{listener.getsockname()[1]}"
        yield listener


@pytest.mark.parametrize(
    ("expected", "said", "words"),
    [
        (HELLO, OK + "hello", ""),
        (HELLO, OK + "HELLO", "sent bytes with the digest 3733cd977ff8"),
        (HELLO, OK.replace(DIGEST, "X: y") + "hello", "says that its digest is none"),
        (HELLO, OK.replace("Release: 3", "Release: 2") + "hello", "names release 2, expected 3"),
        (HELLO, GONE, "answered 404, expected 200 with 5 bytes"),
        (Answer(404), GONE, ""),
        (Answer(308, location="/a"), MOVED, ""),
        (Answer(308, location="/b"), MOVED, "leads to /a, expected /b"),
    ],
)  # fmt: skip
def test_an_answer_is_compared_with_the_manifest(
    listener: socket.socket, expected: Answer, said: str, words: str
) -> None:
    wire = Wire(listener, said.encode())
    seen = look(Probe("/hello.txt", expected, 3), host="www.example.com")
    assert seen.is_as_expected == (not words)
    assert words in seen.words
    assert wire.asked.startswith(b"GET /hello.txt HTTP/1.1\r\n")
    assert b"Host: www.example.com\r\n" in wire.asked


def test_of_what_is_large_only_the_digest_is_asked(listener: socket.socket) -> None:
    wire = Wire(listener, OK.encode())
    assert look(Probe("/large.bin", Answer(200, BLOB, MAX_BODY_BYTES + 1), None), host="x").is_as_expected
    assert wire.asked.startswith(b"HEAD ")


def test_a_door_that_says_nonsense_has_not_answered(listener: socket.socket) -> None:
    Wire(listener, b"nonsense\r\n\r\n")
    with pytest.raises(NoAnswer, match="does not answer"):
        look(Probe("/", HELLO, None), host="x")


def test_the_door_may_be_a_unix_socket(settings: Settings, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "door"))
        listener.listen()
        settings.PUBLIC_BIND = f"unix:{tmp_path / 'door'}"
        Wire(listener, OK.encode() + b"hello")
        assert look(Probe("/", HELLO, 3), host="x").is_as_expected


def test_a_channel_is_asked_for_by_a_name_that_it_has(production: Channel, settings: Settings) -> None:
    staging = Channel.objects.get(name="staging")
    ChannelHost.objects.all().delete()
    settings.PINNED_HOSTS = {"*": "production", "staging.example.com": "staging"}
    assert host_of(production) == "localhost"
    assert host_of(staging) == "staging.example.com"
    ChannelHost.objects.create(channel=production, host="www.example.com")
    assert host_of(production) == "www.example.com"
    settings.PINNED_HOSTS = {}
    assert host_of(staging) is None


def test_what_no_database_keeps_is_not_in_what_was_seen(listener: socket.socket) -> None:
    Wire(listener, b"HTTP/1.1 200 OK\r\nX-Odd: a\0b\r\nx-odd: c\r\n\r\n")
    assert ask("/", host="www.example.com", headers={}).headers == {"x-odd": "a\N{REPLACEMENT CHARACTER}b, c"}


def test_what_is_no_answer_is_told_in_a_short_line(listener: socket.socket) -> None:
    Wire(listener, b"\0" * 1000 + b"HTTP/0.9\r\n\r\n")
    with pytest.raises(NoAnswer, match=r"does not answer: ") as fault:
        ask("/", host="www.example.com", headers={})
    assert len(str(fault.value)) < 300
    assert str(fault.value).isprintable()
