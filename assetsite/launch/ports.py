"""Are the two doors' addresses free, and if not, who sits there?"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assetsite.environment import Bind

PROC = Path("/proc")
_LISTEN = "0A"  # the state of a listening socket in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Door:
    """An address that the site wants to listen on, and the environment variable that says so."""

    variable: str
    bind: Bind


def faults(doors: list[Door]) -> list[str]:
    """Return a sentence for each door that cannot be opened: which address, which variable, why, and
    which process has it where that can be found out."""
    found = [fault for door in doors if (fault := _fault(door))]
    binds = [door.bind for door in doors]
    if len(set(binds)) < len(binds):
        found.append(f"{' and '.join(door.variable for door in doors)} name the same address.")
    return found


def _fault(door: Door) -> str | None:
    if door.bind.socket_path:
        folder = Path(door.bind.socket_path).parent
        is_fit = folder.is_dir() and os.access(folder, os.W_OK)
        return None if is_fit else f"No socket can be made in {folder} ({door.variable})."
    try:
        _try(door.bind)
    except OSError as error:
        return _in_words(door, error)
    return None


def _try(bind: Bind) -> None:
    """Listen there for a moment, as gunicorn will. Raises `OSError`."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        bind.host or None, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)


def _in_words(door: Door, error: OSError) -> str:
    place = f"{door.bind.host}:{door.bind.port} ({door.variable})"
    if error.errno == errno.EADDRINUSE:
        owner = listener_on(door.bind.port)
        return f"{place} is in use{f' by {owner}' if owner else ''}."
    if error.errno == errno.EACCES:
        return f"{place} is for the system's administrator only: ports below 1024 are."
    return f"{place} cannot be listened on: {error.strerror}."


def listener_on(port: int) -> str | None:
    """Return which process listens on a TCP port, as "process 123 (nginx)"; None where nobody can tell.

    Linux only, and only for processes that the user may look into.
    """
    inodes = set(_listening_inodes(port))
    for folder in PROC.glob("[0-9]*") if inodes else ():
        with suppress(OSError):
            if any(_inode(link) in inodes for link in (folder / "fd").iterdir()):
                return f"process {folder.name} ({(folder / 'comm').read_text().strip()})"
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if (
                    fields[3] == _LISTEN
                    and fields[1].rpartition(":")[2] == struct.pack(">H", port).hex().upper()
                ):
                    yield fields[9]


def _inode(link: Path) -> str:
    target = link.readlink().name
    return target.removeprefix("socket:[").removesuffix("]") if target.startswith("socket:[") else ""
