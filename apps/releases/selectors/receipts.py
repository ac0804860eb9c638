import gzip
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from django.db.models import QuerySet

from apps.assets import store
from apps.releases.exceptions import ReceiptIncomplete, UnknownPublication
from apps.releases.models import Channel, Publication, Receipt
from apps.releases.selectors.channels import live_publication, publication_before, publication_undone_by
from apps.releases.selectors.tags import near


def publication_named(channel: Channel | None, words: str) -> Publication:
    """Return a publication by its number on `channel`, or by its tag. Raises `UnknownPublication`."""
    publications = Publication.objects.select_related("channel", "release", "manifest", "actor", "returns_to")
    if words.isdecimal() and channel is not None:
        found = publications.filter(channel=channel, sequence=int(words[:18])).first()
    else:
        found = publications.filter(tag=words).first()
    if found is None or (channel is not None and found.channel_id != channel.pk):
        where = f"{channel} has" if channel else "There is"
        raise UnknownPublication(
            f"{where} no publication {words}.",
            next_step=near(words)
            or f"`scripts/manage channel show {channel or 'CHANNEL'}` lists them by number and tag.",
        )
    return found


def receipt_of(publication: Publication) -> Receipt | None:
    """Return a publication's receipt, None where it is older than receipts."""
    return Receipt.objects.filter(publication=publication).first()


def open_receipts() -> QuerySet[Receipt]:
    """Return the receipts that are not finished, oldest first."""
    receipts = Receipt.objects.select_related("publication__channel", "publication__manifest")
    return receipts.filter(finished_at=None).order_by("publication")


def publication_replaced_by(publication: Publication) -> Publication | None:
    """Return what was live when `publication` took its place, None for a channel's first."""
    earlier = publication.channel.publications.select_related("manifest", "release")
    return earlier.filter(sequence=publication.sequence - 1).first()


def is_pointed_at(publication: Publication) -> bool:
    """Say whether storage has had the pointer to a publication."""
    return Receipt.objects.filter(publication=publication, pointer_at__isnull=False).exists()


class ListedUrl(NamedTuple):
    """An address that answers otherwise, and the surrogate keys under which caches held its answer before."""

    url: str
    keys: tuple[str, ...]


def listed_urls(receipt: Receipt) -> Iterator[str]:
    """Yield the addresses that answer otherwise since a publication. Raises `ReceiptIncomplete`."""
    return (listed.url for listed in listed_with_keys(receipt))


def listed_with_keys(receipt: Receipt) -> Iterator[ListedUrl]:
    """Yield the addresses that answer otherwise since a publication. Raises `ReceiptIncomplete`.

    A list from before keys were kept has none.
    """
    if receipt.url_count is None:
        raise ReceiptIncomplete(
            "Which addresses changed is not listed yet.",
            next_step="Look again in a moment; the background worker lists them once the nodes follow.",
        )
    try:
        stored = store.storage().open(receipt.urls_name, "rb")
    except FileNotFoundError as error:
        raise ReceiptIncomplete(
            f"The list of changed addresses, {receipt.urls_name}, is missing from storage.",
            next_step="Restore that file from a backup.",
        ) from error
    with stored, gzip.open(cast("BinaryIO", stored), "rt", encoding="ascii") as lines:
        for line in lines:
            url, _, keys = line.rstrip("\n").partition("\t")
            yield ListedUrl(url, tuple(keys.split()))


def roll_back_ends(
    channel: Channel, *, to: str | None = None, is_undo: bool = False
) -> tuple[Publication, Publication]:
    """Return what is live on `channel`, and what a roll back would go to. Raises `UnknownPublication`.

    That is the publication with this number or tag; or what the last roll back took away; or else what
    was served before.
    """
    live = live_publication(channel)
    if live is None:
        raise UnknownPublication(
            f"Nothing is live on {channel}, so there is nothing to roll back.",
            next_step="Publish a release first.",
        )
    if to is not None:
        return live, publication_named(channel, to)
    goal = publication_undone_by(live) if is_undo else publication_before(live)
    if goal is None:
        raise UnknownPublication(
            f"The last step on {channel}, {live}, was no roll back that could be undone."
            if is_undo
            else f"There is nothing to roll {channel} back to.",
            next_step="Name a publication with --to, or choose it in the channel's history.",
        )
    return live, goal
