"""Host names as a channel has them: what people type becomes what browsers send. No Django."""

import ipaddress
import re
from dataclasses import dataclass

ANY_HOST = "*"
INDEX_NAME = "hosts.json"  # in storage: which channel each host has; no channel's pointer can be called that
INDEX_FORMAT = 1
MAX_HOST_CHARACTERS = 253
# Of these Python's codec (IDNA 2003) makes other names than browsers do (UTS 46, section 7).
_DEVIATIONS = frozenset("\N{LATIN SMALL LETTER SHARP S}\N{GREEK SMALL LETTER FINAL SIGMA}\u200c\u200d")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class HostFault(Exception):
    """Why something is no host name, continuing "It …"."""

    words: str


def host_of(typed: str) -> str:
    """Return a host name as the Host header has it: lower case, IDNA, no port, no dot at the end.

    An IPv6 address keeps its brackets; `*` stands for every other host. Raises `HostFault`.
    """
    host = typed.strip().rstrip(".").lower()
    if host == ANY_HOST:
        return host
    if not host:
        raise HostFault("is empty")
    if "/" in host or "@" in host:
        raise HostFault("is an address; leave only the name between // and the next /")
    if host.startswith("["):
        return _ipv6(host)
    if ":" in host:
        raise HostFault("names a port; a channel has its host at every port")
    return _name(host)


def _ipv6(host: str) -> str:
    try:
        return f"[{ipaddress.IPv6Address(host.removeprefix('[').removesuffix(']')).compressed}]"
    except ValueError as error:
        raise HostFault("is no IPv6 address") from error


def _name(host: str) -> str:
    if _DEVIATIONS & set(host):
        raise HostFault("has a letter that DNS is given in two ways; type the name as xn--…")
    try:
        name = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise HostFault("cannot be written in the letters that DNS has") from error
    if len(name) > MAX_HOST_CHARACTERS:
        raise HostFault(f"is longer than {MAX_HOST_CHARACTERS} characters")
    if ANY_HOST in name:
        raise HostFault("has a * in it; only * alone is understood, for every host that no channel has")
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise HostFault("has a part that is empty, too long, or has other signs than letters, digits and -")
    if labels[-1].isdigit() and not _is_ipv4(name):
        raise HostFault("is no IPv4 address")
    return name


def _is_ipv4(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
