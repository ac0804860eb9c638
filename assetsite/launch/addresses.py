"""Where the site is to be found: for people to click, and for the start to ask whether it is ready."""

import socket
from collections.abc import Mapping

from assetsite.environment import Bind

# Loading the standard library's client takes longer than an answer.
_QUESTION = b"GET /-/readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_YES = b"HTTP/1.1 200 "
_LONGEST_LINE = 256
_ASK_SECONDS = 2.0
_EVERY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound


def public_url(bind: Bind, channel_hosts: Mapping[str, str], *, channel: str) -> str:
    """Return the address of `channel` in a browser on this machine: a host of it, and the public port."""
    if bind.socket_path:
        return f"unix:{bind.socket_path}"
    hosts = [host for host, name in channel_hosts.items() if name == channel and host != "*"]
    host = "localhost" if "localhost" in hosts or not hosts else hosts[0]
    return f"http://{host}{'' if bind.port == 80 else f':{bind.port}'}/"


def is_ready(bind: Bind) -> bool:
    """Ask the public door whether it has a release to serve."""
    try:
        with _connect(bind) as connection:
            connection.sendall(_QUESTION)
            return connection.makefile("rb").readline(_LONGEST_LINE).startswith(_YES)
    except OSError:
        return False


def _connect(bind: Bind) -> socket.socket:
    if not bind.socket_path:
        host = _EVERY_ADDRESS.get(bind.host, bind.host)
        return socket.create_connection((host, bind.port), timeout=_ASK_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_ASK_SECONDS)
    connection.connect(bind.socket_path)
    return connection
