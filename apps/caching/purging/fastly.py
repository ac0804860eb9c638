"""Fastly: `POST /purge/{host}{path}` (fastly.com/documentation/reference/api/purging)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.caching.purging.asking import Conversation, Server
from apps.caching.purging.contract import Address, PurgeFailed


@dataclass(frozen=True, slots=True)
class Fastly:
    """A service. URLs go one a request; Fastly has no word for all that is below a folder."""

    server: Server
    token: str = field(repr=False)
    batch_size: int = 100

    @property
    def name(self) -> str:
        return f"Fastly {self.server.place}"

    def purge(self, addresses: Sequence[Address], *, reference: str) -> None:
        headers = {"Fastly-Key": self.token, "Accept": "application/json"}
        with Conversation(self.server) as conversation:
            for address in addresses:
                if not address.is_wildcard:
                    target = f"/purge/{address.host}{address.path}"
                    conversation.ask("POST", target, headers, fine=(200,))
        if left := [address.path for address in addresses if address.is_wildcard]:
            raise PurgeFailed(f"Fastly cannot purge {left[0]}: it has no word for all below a folder.")
