"""Cloudflare: `POST /client/v4/zones/{zone}/purge_cache` (developers.cloudflare.com/api, cache, purge)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from apps.caching.purging.asking import Conversation, Server, said_in
from apps.caching.purging.contract import BY_KEYS, PurgeFailed, Word, sorted_out


@dataclass(frozen=True, slots=True)
class Cloudflare:
    """A zone. Every plan takes 30 URLs or tags a request; what is below a folder goes by prefix.

    Surrogate keys are tags here, which Cloudflare reads in Cache-Tag, in whatever case.
    """

    server: Server
    zone: str
    token: str = field(repr=False)
    scheme: str = "https"
    batch_size: int = 30
    tells_keys: bool = False

    @property
    def name(self) -> str:
        return f"Cloudflare zone {self.zone}{BY_KEYS if self.tells_keys else ''}"

    def purge(self, words: Sequence[Word], *, reference: str) -> None:
        tags, addresses = sorted_out(words)
        files = [f"{self.scheme}://{one.host}{one.path}" for one in addresses if not one.is_wildcard]
        prefixes = [f"{one.host}{one.path[:-1]}" for one in addresses if one.is_wildcard]
        with Conversation(self.server) as conversation:
            for kind, listed in (("tags", tags), ("files", files), ("prefixes", prefixes)):
                if listed:
                    self._ask(conversation, {kind: listed})

    def _ask(self, conversation: Conversation, body: dict[str, list[str]]) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        target = f"/client/v4/zones/{self.zone}/purge_cache"
        answer = conversation.ask("POST", target, headers, json.dumps(body).encode(), fine=(200,))
        if said_in(answer).get("success") is not True:
            raise PurgeFailed(f"{self.name} did not say that it has purged.")
