"""Fastly: `POST /purge/{host}{path}` and, for keys, `POST /service/{service}/purge`.

Read: fastly.com/documentation/reference/api/purging.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.caching.purging.asking import Conversation, Server, said_in
from apps.caching.purging.by_key import header_values
from apps.caching.purging.contract import BY_KEYS, PurgeFailed, Word, sorted_out


@dataclass(frozen=True, slots=True)
class Fastly:
    """A service. URLs go one a request; Fastly has no word for all that is below a folder.

    Keys go many a request, 256 at most, of the service that is named.
    """

    server: Server
    token: str = field(repr=False)
    batch_size: int = 100
    service: str = ""
    tells_keys: bool = False

    @property
    def name(self) -> str:
        return f"Fastly {self.server.place}{f' service {self.service}{BY_KEYS}' if self.tells_keys else ''}"

    def purge(self, words: Sequence[Word], *, reference: str) -> None:
        keys, addresses = sorted_out(words)
        headers = {"Fastly-Key": self.token, "Accept": "application/json"}
        with Conversation(self.server) as conversation:
            for value in header_values(keys):
                target = f"/service/{self.service}/purge"
                answer = conversation.ask("POST", target, headers | {"Surrogate-Key": value}, fine=(200,))
                self._refuse_unless(has_said_so=bool(said_in(answer)))  # a number for each key
            for address in addresses:
                if not address.is_wildcard:
                    target = f"/purge/{address.host}{address.path}"
                    answer = conversation.ask("POST", target, headers, fine=(200,))
                    self._refuse_unless(has_said_so=said_in(answer).get("status") == "ok")
        if left := [address.path for address in addresses if address.is_wildcard]:
            raise PurgeFailed(f"Fastly cannot purge {left[0]}: it has no word for all below a folder.")

    def _refuse_unless(self, *, has_said_so: bool) -> None:
        if not has_said_so:
            raise PurgeFailed(f"{self.name} did not say that it has purged.")
