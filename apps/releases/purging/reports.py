"""What became of purges, for programs and for people."""

from typing import TypedDict

from apps.releases.models import Publication, Purge, Receipt
from apps.releases.purging.addresses import amount_of


class PurgeReport(TypedDict):
    """One cache: how much of how much it was told, and when (ISO 8601) that was over.

    Of `total`, `keys` are surrogate keys, which come first, and the others are addresses.
    """

    cache: str
    state: str
    done: int
    total: int
    keys: int
    words: str
    finished_at: str | None
    in_words: str


def purges_of(publication: Publication) -> list[PurgeReport]:
    """Return a report on each cache that was told after a publication."""
    return [purge_report(purge) for purge in Purge.objects.filter(publication=publication)]


def counted_keys(receipt: Receipt) -> list[tuple[str, int]]:
    """Return the surrogate keys of what changed, each with its number of addresses, most of them first."""
    return sorted((receipt.surrogate_keys or {}).items(), key=lambda each: (-each[1], each[0]))


def keys_in_words(receipt: Receipt, *, most: int = 20) -> str:
    """Say under which surrogate keys caches held what changed: `js (3), css (1)`; "" where under none.

    The first `most` are named, and how many more there are.
    """
    keys = counted_keys(receipt)
    named = [f"{key} ({count})" for key, count in keys[:most]]
    return ", ".join([*named, f"and {len(keys) - most} more"] if len(keys) > most else named)


def purge_report(purge: Purge) -> PurgeReport:
    return {
        "cache": purge.cache,
        "state": purge.state,
        "done": purge.done,
        "total": purge.total,
        "keys": purge.key_count or 0,
        "words": purge.words,
        "finished_at": purge.finished_at.isoformat() if purge.finished_at else None,
        "in_words": _in_words(purge),
    }


def _in_words(purge: Purge) -> str:
    everything = amount_of(purge)
    if purge.state == Purge.State.DONE:
        return f"forgot {everything}"
    told = f"was told {purge.done} of {everything}"
    if purge.key_count:
        told = f"was told {purge.done} of {purge.total} ({everything})"
    if purge.state == Purge.State.FAILED:
        return f"failed, {told}: {purge.words}"
    return f"{told}{f'; it said: {purge.words}' if purge.words else ''}"
