"""Caches that know a request by which they forget what it names: Varnish with our VCL, and others."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.caching.purging.asking import Conversation, Server
from apps.caching.purging.contract import Address

_NOTHING_KEPT = (404, 410, 412)  # ngx_cache_purge, Squid: there was none


@dataclass(frozen=True, slots=True)
class MethodPurger:
    """A request for each address: `PURGE /path`, with the Host header that visitors send."""

    server: Server
    method: str = "PURGE"
    batch_size: int = 500

    @property
    def name(self) -> str:
        return f"{self.method} {self.server.place}"

    def purge(self, addresses: Sequence[Address], *, reference: str) -> None:
        with Conversation(self.server) as conversation:
            for address in addresses:
                fine = (200, 202, 204, *_NOTHING_KEPT)
                conversation.ask(self.method, address.path, {"Host": address.host}, fine=fine)
