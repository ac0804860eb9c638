"""Which addresses are sent to: public ones over TLS, and those of networks that the operator has named.

A webhook's address comes from a person, and is called from inside: without this it would reach what
only this machine may.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from apps.notifications.exceptions import WrongAddress

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

_MAPS_IPV4 = ip_network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a POST goes: to which host and port, with TLS or without, and to which path there."""

    host: str
    port: int
    is_tls: bool
    path: str


def target_of(url: str) -> Target:
    """Read the address of a webhook. Raises `WrongAddress` for what is never sent to."""
    parts = _parts(url)
    host = parts.hostname or ""
    if not host or parts.scheme not in _PORTS:
        raise _wrong(url, "it is no https:// address")
    if parts.username is not None or parts.password is not None:
        raise _wrong(url, "names and passwords do not belong into it")
    if parts.scheme == "http" and not _is_this_machine(host):
        raise _wrong(url, "only https:// is private on the way; http:// is for localhost alone")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(host, parts.port or _PORTS[parts.scheme], parts.scheme == "https", path)


def is_allowed(address: Address, networks: Iterable[Network]) -> bool:
    """Say whether this address may be connected to: a public one, or one of these networks."""
    real = _embedded(address)
    if any(real in network or address in network for network in networks):
        return True
    return real.is_global and not real.is_multicast


def _parts(url: str) -> SplitResult:
    if not url.isprintable() or not url.isascii() or set(url) & set(' \\"<>'):
        raise _wrong(url, "it has characters that no address has")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _wrong(url, str(error)) from error
    return parts


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _MAPS_IPV4:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _wrong(url: str, why: str) -> WrongAddress:
    return WrongAddress(
        f"Nothing is sent to {url!r}: {why}.", next_step="Write it as https://chat.example.com/hooks/42."
    )
