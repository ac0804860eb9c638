"""How the staff's listener is told from the public one; the server needs to know before Django is loaded."""

import os
import socket
from dataclasses import dataclass
from typing import Any, Self

from django.core.exceptions import ImproperlyConfigured

from assetsite.environment import Bind

_EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class StaffSocket:
    """How the staff's listener is known: by its path, or by its port.

    Where both doors have the same port, on different addresses, the address decides; `addresses` is
    empty where the port is enough.
    """

    port: int = 0
    path: str = ""
    addresses: frozenset[str] = frozenset()

    @classmethod
    def between(cls, *, staff: Bind, public: Bind) -> Self:
        """Tell the staff's listener from the public one. Raises `ImproperlyConfigured` if nothing does."""
        if staff.socket_path and staff.socket_path != public.socket_path:
            return cls(path=os.path.normpath(staff.socket_path))
        if staff.port != public.port:
            return cls(port=staff.port)
        ours, theirs = _addresses(staff), _addresses(public)
        if ours & theirs or (ours | theirs) & _EVERY_ADDRESS:
            raise ImproperlyConfigured(
                "PUBLIC_BIND and STAFF_BIND would be one door."
                " Give the staff door a port of its own, such as STAFF_BIND=127.0.0.1:8001."
            )
        return cls(port=staff.port, addresses=ours)

    def is_own_name(self, name: str | bytes | tuple[Any, ...]) -> bool:
        """Say whether a connection whose own end has this name came in by the staff's listener."""
        if isinstance(name, tuple):
            return (
                bool(self.port) and name[1] == self.port and (not self.addresses or name[0] in self.addresses)
            )
        return bool(self.path) and os.path.normpath(os.fsdecode(name)) == self.path


def _addresses(bind: Bind) -> frozenset[str]:
    """Return the addresses that a bind's host stands for."""
    if bind.host in _EVERY_ADDRESS:
        return frozenset({bind.host})
    found = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM)
    return frozenset(str(address[0]) for *_, address in found)
