"""Where a cache stands: names that an operator gives, checked before they become configuration."""

import re
from dataclasses import dataclass
from ipaddress import ip_network

from apps.caching.exports.source import Unsayable

_PLACE = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_LISTEN = re.compile(r"(?:(?:[A-Za-z0-9.*-]+|\[[0-9A-Fa-f:.]+\]):)?[0-9]{1,5}")
_FOLDER = re.compile(r"(?:/[A-Za-z0-9._-]+)+")


@dataclass(frozen=True, slots=True)
class Placement:
    """The origin's `host:port`, where the cache listens, where it keeps copies, and who may purge."""

    origin: str = "127.0.0.1:8000"
    listen: str = "80"
    folder: str = "/var/cache/nginx/assetsite"
    purge_from: tuple[str, ...] = ("127.0.0.1", "::1")
    has_xkey: bool = False

    def __post_init__(self) -> None:
        for value, form, example in (
            (self.origin, _PLACE, "127.0.0.1:8000"),
            (self.listen, _LISTEN, "80 or 127.0.0.1:8080"),
            (self.folder, _FOLDER, "/var/cache/nginx/assetsite"),
        ):
            if not form.fullmatch(value):
                raise Unsayable(f"{value!r} is no place for a cache: write it as {example}.")
        for network in self.purge_from:
            try:
                ip_network(network)
            except ValueError as error:
                raise Unsayable(f"{network!r} is no address or network: {error}.") from error

    @property
    def origin_host(self) -> str:
        return self.origin.rpartition(":")[0].strip("[]")

    @property
    def origin_port(self) -> str:
        return self.origin.rpartition(":")[2]
