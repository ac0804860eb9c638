"""Caches that know a request by which they forget what it names: Varnish with our VCL, and others."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.caching.purging.asking import Conversation, Server
from apps.caching.purging.by_key import header_values
from apps.caching.purging.contract import BY_KEYS, Word, sorted_out

_DONE = (200, 202, 204)
_NOTHING_KEPT = (404, 410, 412)  # ngx_cache_purge, Squid: there was none


@dataclass(frozen=True, slots=True)
class MethodPurger:
    """A request for each address: `PURGE /path`, with the Host header that visitors send.

    Keys go many a request: `PURGE /` with a Surrogate-Key header.
    """

    server: Server
    method: str = "PURGE"
    batch_size: int = 500
    tells_keys: bool = False

    @property
    def name(self) -> str:
        return f"{self.method} {self.server.place}{BY_KEYS if self.tells_keys else ''}"

    def purge(self, words: Sequence[Word], *, reference: str) -> None:
        keys, addresses = sorted_out(words)
        with Conversation(self.server) as conversation:
            for value in header_values(keys):
                # "Not found" would be about `/`: such a cache has not read the keys.
                conversation.ask(self.method, "/", {"Surrogate-Key": value}, fine=_DONE)
            for address in addresses:
                fine = (*_DONE, *_NOTHING_KEPT)
                conversation.ask(self.method, address.path, {"Host": address.host}, fine=fine)
