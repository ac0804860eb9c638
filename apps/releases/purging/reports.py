"""What became of purges, for programs and for people."""

from typing import TypedDict

from apps.releases.models import Publication, Purge


class PurgeReport(TypedDict):
    """One cache: how many addresses of how many it was told, and when (ISO 8601) that was over."""

    cache: str
    state: str
    done: int
    total: int
    words: str
    finished_at: str | None
    in_words: str


def purges_of(publication: Publication) -> list[PurgeReport]:
    """Return a report on each cache that was told after a publication."""
    return [purge_report(purge) for purge in Purge.objects.filter(publication=publication)]


def purge_report(purge: Purge) -> PurgeReport:
    return {
        "cache": purge.cache,
        "state": purge.state,
        "done": purge.done,
        "total": purge.total,
        "words": purge.words,
        "finished_at": purge.finished_at.isoformat() if purge.finished_at else None,
        "in_words": _in_words(purge),
    }


def _in_words(purge: Purge) -> str:
    if purge.state == Purge.State.DONE:
        return f"forgot {purge.total} addresses"
    told = f"was told {purge.done} of {purge.total} addresses"
    if purge.state == Purge.State.FAILED:
        return f"failed, {told}: {purge.words}"
    return f"{told}{f'; it said: {purge.words}' if purge.words else ''}"
