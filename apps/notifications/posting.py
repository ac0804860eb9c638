"""One POST to an address that a person has typed: the name is looked up once, and that address is called.

No redirect is followed, no answer is read beyond its head, and it is over when its time is, however
slowly the other side drips.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from ipaddress import ip_address

from apps.notifications.addresses import Address, Network, Target, is_allowed, target_of

SECONDS = 10.0


class NotDelivered(Exception):
    """The other side was not reached, or did not answer in time; the message says which."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    networks: Iterable[Network],
    seconds: float = SECONDS,
) -> int:
    """Return the status of the answer to a POST. Raises `NotDelivered` and `WrongAddress`."""
    target = target_of(url)
    deadline = time.monotonic() + seconds
    try:
        with _connection(target, _address(target, networks), deadline) as connection:
            return _answer(connection, target, body, headers, deadline)
    except TimeoutError as error:
        raise NotDelivered(f"No answer within {seconds:.0f} s.") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}") from error


def _address(target: Target, networks: Iterable[Network]) -> Address:
    """Look the name up once; return an address that may be called. Raises `NotDelivered`."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered(f"There is no host {target.host}: {error}.") from error
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    allowed = [address for address in addresses if is_allowed(address, networks)]
    if not target.is_tls:
        allowed = [address for address in allowed if address.is_loopback]
    if not allowed:
        named = ", ".join(sorted({str(address) for address in addresses}))
        raise NotDelivered(
            f"{target.host} is at {named}, to which nothing is sent. WEBHOOK_NETWORKS names exceptions."
        )
    return allowed[0]


def _connection(target: Target, address: Address, deadline: float) -> socket.socket:
    plain = socket.create_connection((str(address), target.port), timeout=_left(deadline))
    if not target.is_tls:
        return plain
    try:
        plain.settimeout(_left(deadline))
        return tls_context().wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


def _answer(
    connection: socket.socket, target: Target, body: bytes, headers: Mapping[str, str], deadline: float
) -> int:
    client = http.client.HTTPConnection(target.host, target.port)
    client.default_port = 443 if target.is_tls else 80
    client.sock = connection
    connection.settimeout(_left(deadline))
    over = threading.Event()
    with _cut_off(connection, _left(deadline), over):
        try:
            client.request("POST", target.path, body, {**headers, "Connection": "close"})
            return client.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            if over.is_set():
                raise TimeoutError from error
            raise


@contextmanager
def _cut_off(connection: socket.socket, seconds: float, over: threading.Event) -> Iterator[None]:
    """Shut the connection down after so long: a socket's own timeout begins anew with each byte."""

    def cut() -> None:
        over.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@cache
def tls_context() -> ssl.SSLContext:
    """Return what a server has to prove: its name, to one of the authorities that this machine trusts."""
    return ssl.create_default_context()
