"""What caches are told to forget after a publication: each changed path under each host of its channel.

A cache that is told keys hears those of the paths that had some, in place of these paths.
"""

from collections.abc import Iterator
from itertools import batched, chain, islice
from typing import NamedTuple

from django.conf import settings

from apps.caching.purging.configured import UnknownCache, purgers
from apps.caching.purging.contract import Address, Key, Purger, Word
from apps.releases.channels.hosts import ANY_HOST
from apps.releases.exceptions import CannotPurge
from apps.releases.models import Channel, Purge, Receipt
from apps.releases.selectors.receipts import listed_urls, listed_with_keys
from apps.releases.services.hosts import all_hosts


def caches() -> list[Purger]:
    """Return the caches in front that PURGE_URLS names. Raises `CannotPurge`."""
    try:
        return purgers(settings.PURGE_URLS)
    except UnknownCache as fault:
        raise CannotPurge(
            f"PURGE_URLS {fault}.", next_step="docs/caches.md shows the address of each kind of cache."
        ) from fault


def hosts_of(channel: Channel) -> list[str]:
    """Return the hosts under which caches know a channel. `*` has no name, so its visitors' are not known."""
    return sorted(host for host, served in all_hosts().items() if served == channel.name and host != ANY_HOST)


class Amount(NamedTuple):
    """How many surrogate keys a cache is told, and how many addresses beside them."""

    keys: int
    addresses: int

    @property
    def words(self) -> int:
        return self.keys + self.addresses

    def __str__(self) -> str:
        keys = f"{self.keys} surrogate key{'' if self.keys == 1 else 's'} and " if self.keys else ""
        return f"{keys}{self.addresses} address{'' if self.addresses == 1 else 'es'}"


def amount(receipt: Receipt, purger: Purger) -> Amount:
    """Return how much there is to tell a cache."""
    hosts = len(hosts_of(receipt.publication.channel))
    if not purger.tells_keys:
        return Amount(0, (receipt.url_count or 0) * hosts)
    left = (receipt.url_count or 0) - (receipt.keyed_url_count or 0)
    return Amount(len(receipt.surrogate_keys or ()), left * hosts)


def amount_of(purge: Purge) -> Amount:
    """Return how much a cache had to be told when its purge began."""
    keys = purge.key_count or 0
    return Amount(keys, purge.total - keys)


def addresses(receipt: Receipt) -> Iterator[Address]:
    """Yield every address that is to be forgotten, always in the same order. Raises `ReceiptIncomplete`."""
    hosts = hosts_of(receipt.publication.channel)
    return (Address(host, path) for path in listed_urls(receipt) for host in hosts)


def words(receipt: Receipt, purger: Purger) -> Iterator[Word]:
    """Yield what a cache is told, keys first, always in the same order. Raises `ReceiptIncomplete`."""
    if not purger.tells_keys:
        return addresses(receipt)
    hosts = hosts_of(receipt.publication.channel)
    keys = (Key(name) for name in sorted(receipt.surrogate_keys or ()))
    left = (
        Address(host, listed.url) for listed in listed_with_keys(receipt) if not listed.keys for host in hosts
    )
    return chain(keys, left)


def batches(receipt: Receipt, purger: Purger, *, done: int) -> Iterator[tuple[Word, ...]]:
    """Yield what is still to be told, as many words at once as the cache takes."""
    return batched(islice(words(receipt, purger), done, None), purger.batch_size)
