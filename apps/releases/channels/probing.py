"""Asks the public door, or a cache in front, what a visitor gets, and compares it with what a manifest says.

Bounded in time, in how much is read, and in how often: it is done for every publication.
"""

import hashlib
import http.client
import socket
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from apps.caching.patience import fault_in_words, hung_up_after
from apps.releases.channels.expected_answers import Answer
from apps.releases.channels.hosts import ANY_HOST
from apps.releases.channels.targets import OWN_AGENT
from apps.releases.models import Channel
from apps.releases.services.hosts import all_hosts
from apps.releases.tracing.seen import SeenAnswer

PATIENCE_SECONDS = 5.0
MOST_SECONDS = 15.0
MAX_BODY_BYTES = 4 << 20  # of what is larger the door's own word for its digest is taken
_ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on


class NoAnswer(Exception):
    """The public door was not to be reached, in words."""


class UnaskableRequest(Exception):
    """No request can be made of what it would have in it, in words."""


@dataclass(frozen=True, slots=True)
class Probe:
    """An address to ask for, what it has to answer, and the release that has to be named, None for none."""

    url: str
    expected: Answer
    release: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was answered, in words; `is_as_expected` is False where it is not what the manifest says."""

    is_as_expected: bool
    words: str


def hosts_of(channel: Channel) -> frozenset[str]:
    """Return the host names under which a channel is served."""
    return frozenset(host for host, served in all_hosts().items() if served == channel.name)


def host_of(channel: Channel) -> str | None:
    """Return a host name under which a channel is served, None where it has none."""
    hosts = [host for host, served in all_hosts().items() if served == channel.name]
    named = [host for host in hosts if host != ANY_HOST]
    return named[0] if named else ("localhost" if hosts else None)


def look(probe: Probe, *, host: str) -> Seen:
    """Ask the public door for an address as a visitor of `host` does. Raises `NoAnswer`."""
    expected = probe.expected
    method = "HEAD" if expected.size > MAX_BODY_BYTES else "GET"
    connection = _connect(settings.PUBLIC_BIND)
    try:
        headers = {"Host": host, "Accept-Encoding": "identity", "User-Agent": OWN_AGENT}
        connection.request(method, probe.url, headers=headers)
        response = connection.getresponse()
        body = response.read(MAX_BODY_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{settings.PUBLIC_BIND} does not answer: {fault_in_words(error)}") from error
    finally:
        connection.close()
    faults = list(_faults(probe, response, body if method == "GET" else None))
    return Seen(not faults, "; ".join(faults) or _in_words(expected))


def ask(target: str, *, host: str, headers: Mapping[str, str], where: str = "") -> SeenAnswer:
    """Return status and headers of an answer to a HEAD of `target`, as a visitor of `host` asks for it.

    `where` is asked, an address as PUBLIC_BIND or a URL has it, "" for the public door. Raises `NoAnswer`,
    and `UnaskableRequest`.
    """
    where = where or settings.PUBLIC_BIND
    named = {name.lower() for name in headers}
    usual = {"Accept-Encoding": "identity", "User-Agent": OWN_AGENT}
    sent = {name: value for name, value in usual.items() if name.lower() not in named}
    sent |= {**headers, "Host": host}
    try:
        connection = _connect(where)
        with closing(connection), hung_up_after(MOST_SECONDS, connection):
            connection.connect()
            response = _answered(connection, target, sent)
    except (OSError, http.client.HTTPException, UnicodeError) as error:  # that is of a host's name
        raise NoAnswer(f"{where} does not answer: {fault_in_words(error)}") from error
    received: dict[str, str] = {}
    for name, sent_value in response.getheaders():
        key, value = name.lower(), sent_value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        received[key] = f"{received[key]}, {value}" if key in received else value
    return SeenAnswer(response.status, received)


def _answered(
    connection: http.client.HTTPConnection, target: str, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    """Return the answer to a HEAD. Raises `UnaskableRequest` for what no request can have in it."""
    try:
        connection.request("HEAD", target, headers=headers)
    except (http.client.InvalidURL, ValueError) as fault:
        raise UnaskableRequest(str(fault)) from fault
    return connection.getresponse()


def _faults(probe: Probe, response: http.client.HTTPResponse, body: bytes | None) -> list[str]:
    expected, faults = probe.expected, []
    if response.status != expected.status:
        return [f"answered {response.status}, expected {_in_words(expected)}"]
    if expected.location and response.headers["Location"] != expected.location:
        faults.append(f"leads to {response.headers['Location']}, expected {expected.location}")
    if expected.status == 200:
        faults += _content_faults(expected, response.headers["Repr-Digest"], body)
    named = response.headers["Assetsite-Release"]
    if probe.release is not None and expected.status == 200 and named != str(probe.release):
        faults.append(f"names release {named or 'none'}, expected {probe.release}")
    return faults


def _content_faults(expected: Answer, said: str | None, body: bytes | None) -> list[str]:
    faults = []
    if said != f"sha-256=:{b64encode(bytes.fromhex(expected.blob)).decode()}:":
        faults.append(f"says that its digest is {said or 'none'}, expected {expected.blob[:12]}")
    if body is not None and (got := hashlib.sha256(body).hexdigest()) != expected.blob:
        faults.append(f"sent bytes with the digest {got[:12]}, expected {expected.blob[:12]}")
    return faults


def _in_words(answer: Answer) -> str:
    if answer.status == 200:
        return f"200 with {answer.size} bytes, digest {answer.blob[:12]}"
    return f"{answer.status} to {answer.location}" if answer.location else str(answer.status)


def _connect(bind: str) -> http.client.HTTPConnection:
    """Return a connection to where somebody listens: `host:port`, `unix:/path`, or an http(s) URL."""
    if bind.startswith("unix:"):
        return _UnixConnection(bind.removeprefix("unix:"))
    if bind.startswith(("http://", "https://")):
        parts = urlsplit(bind)
        is_secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port or (443 if is_secure else 80), timeout=PATIENCE_SECONDS)
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    return http.client.HTTPConnection(_ANYWHERE.get(host, host), int(port), timeout=PATIENCE_SECONDS)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
