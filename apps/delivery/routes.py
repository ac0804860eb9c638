"""Which channel each host has: one object that is replaced as a whole, so that nobody sees half a change."""

from collections.abc import Mapping

from django.conf import settings

from apps.delivery.recent import Recent
from apps.releases.channels.hosts import ANY_HOST
from apps.releases.previews.hosts import preview_label

HOSTS_KEPT = 1_000


class Routes:
    """Hosts and their channels at one time. `known` has the Host headers that were asked for lately."""

    __slots__ = ("hosts", "known")

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self.hosts = dict(hosts)
        self.known: Recent[bytes, str] = Recent(HOSTS_KEPT)

    @property
    def channels(self) -> list[str]:
        """The channels that have a host, by name."""
        return sorted(set(self.hosts.values()))

    def channel_of(self, host: str) -> str | None:
        """Return the channel of a Host header's value, or None if no channel has that host.

        `*` never stands for a preview's host, forged or not.
        """
        name = without_port(host.lower())
        channel = self.hosts.get(name)
        if channel is None and preview_label(name, settings.PREVIEW_DOMAIN) is None:
            return self.hosts.get(ANY_HOST)
        return channel

    def note(self, host: bytes) -> None:
        """Know a Host header from now on, if a channel has that host."""
        channel = self.channel_of(host.decode("latin-1"))
        if channel is not None:
            self.known.put(host, channel)


def without_port(host: str) -> str:
    """Return the name in a Host header's value, which is given in lower case."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")
