"""What caches have to forget after a publication: each changed path under each host of its channel."""

from collections.abc import Iterator
from itertools import batched, islice

from django.conf import settings

from apps.caching.purging.configured import UnknownCache, purgers
from apps.caching.purging.contract import Address, Purger
from apps.releases.channels.hosts import ANY_HOST
from apps.releases.exceptions import CannotPurge
from apps.releases.models import Channel, Receipt
from apps.releases.selectors.receipts import listed_urls
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


def addresses(receipt: Receipt) -> Iterator[Address]:
    """Yield what is to be forgotten, always in the same order. Raises `ReceiptIncomplete`."""
    hosts = hosts_of(receipt.publication.channel)
    return (Address(host, path) for path in listed_urls(receipt) for host in hosts)


def batches(receipt: Receipt, purger: Purger, *, done: int) -> Iterator[tuple[Address, ...]]:
    """Yield what is still to be told, as many addresses at once as the cache takes."""
    return batched(islice(addresses(receipt), done, None), purger.batch_size)
