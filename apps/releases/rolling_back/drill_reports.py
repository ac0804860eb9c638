"""Rehearsals of a roll back as commands print them."""

from collections.abc import Iterator
from typing import TypedDict

from apps.releases.models import Drill


class DrillReport(TypedDict):
    release: int
    digest: str
    holds: bool
    channel: str
    actor: str
    started_at: str
    finished_at: str | None
    elapsed_seconds: float | None
    outcome: str | None
    words: str
    returns_to: str
    published: str
    rolled_back: str | None


def drill_report(drill: Drill) -> DrillReport:
    """Describe a rehearsal: of which digest, where, how it ended, and the publications that it made.

    `holds` is false once the release has another digest than the one that was rehearsed.
    """
    return {
        "release": drill.release_id,
        "digest": f"sha256:{drill.manifest_id}",
        "holds": drill.holds,
        "channel": drill.channel.name,
        "actor": drill.actor.get_username(),
        "started_at": drill.started_at.isoformat(),
        "finished_at": drill.finished_at.isoformat() if drill.finished_at else None,
        "elapsed_seconds": drill.elapsed_seconds,
        "outcome": drill.outcome or None,
        "words": drill.words,
        "returns_to": drill.earlier.tag,
        "published": drill.published.tag,
        "rolled_back": drill.rolled_back.tag if drill.rolled_back else None,
    }


def judged(drill: Drill) -> tuple[bool | None, str]:
    """Say whether a rehearsal counts as a proof, None while it is open or void, and how it went."""
    words = next(drill_lines(drill))[2:]
    return (drill.outcome == Drill.Outcome.PASSED if drill.outcome and drill.holds else None), words


def drill_lines(drill: Drill) -> Iterator[str]:
    """Yield the same as lines for people."""
    void = "" if drill.holds else " It is void: the release has another content by now."
    if drill.outcome == Drill.Outcome.PASSED:
        yield (
            f"✓ The roll back was rehearsed on {drill.channel}: back at {drill.earlier} "
            f"after {drill.elapsed_seconds:.1f} s.{void}"
        )
    elif drill.outcome == Drill.Outcome.FAILED:
        yield f"✕ Rehearsing the roll back on {drill.channel} failed: {drill.words}.{void}"
    else:
        yield f"◔ It is being rehearsed on {drill.channel} as {drill.published}."
    for publication in filter(None, (drill.published, drill.rolled_back)):
        yield f"  scripts/manage release receipt {publication}"
