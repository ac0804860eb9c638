"""The seal of a publication: a sentence that says everything about it and cannot be changed unseen.

It is one line of JSON, its *statement*. Its SHA-256 is the seal's hash, which the next statement on the
channel repeats as `previous`: whoever has one hash can tell whether anything before it was changed. The
statement is signed as well. No Django; see docs/history.md.

A statement says of which form it is, and is compared with what that form has: what was sealed before a
form was added stays as it was signed.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from apps.releases.history.signatures import SignatureFault, canonical

FORM = "assetsite publication 2"
_EARLIER = {"assetsite publication 1": frozenset({"emergency", "freeze"})}  # form → what it does not say
_NAMES = ("actor_name", "asked_by_name", "confirmed_by_name")
PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class EmergencyFacts:
    """Who published without the approvals that were missing: ids, and names as they were at the time."""

    asked_by: int
    asked_by_name: str
    confirmed_by: int
    confirmed_by_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class FreezeFacts:
    """In which windows something was published although they are a freeze, in words, and why."""

    windows: str
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a publication is, in words that any database gives back as they were.

    `digest` is the manifest's, in hex; `returns_to` the number of the publication that a roll back
    serves again; `actor` an id, and `actor_name` how that person was called at the time. `emergency` and
    `freeze` are what it is marked with for ever.
    """

    channel: str
    sequence: int
    release: int
    digest: str
    kind: str
    returns_to: int | None
    actor: int
    actor_name: str
    reason: str
    tag: str
    published_at: str
    emergency: EmergencyFacts | None = None
    freeze: FreezeFacts | None = None


def moment(at: datetime) -> str:
    """Return a moment as facts have it: in UTC, with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def genesis(channel: str) -> str:
    """Return what the first statement of a channel repeats as the hash before it."""
    return sha256(f"assetsite history of {channel}, version 1".encode()).hexdigest()


def statement_of(facts: Facts, *, previous: str) -> str:
    """Return the statement that seals a publication after the one with the hash `previous`."""
    return canonical({"seal": FORM, **asdict(facts), PREVIOUS: previous})


def hash_of(statement: str) -> str:
    """Return the hash of a seal, in hex."""
    return sha256(statement.encode()).hexdigest()


def words_of(statement: str) -> dict[str, Any]:
    """Return what a statement says. Raises `ValueError` for what is none."""
    said: Any = json.loads(statement)
    if not isinstance(said, dict) or said.get("seal") not in (FORM, *_EARLIER):
        raise SignatureFault("it is no statement")
    return said


def differing(said: dict[str, Any], facts: Facts) -> list[str]:
    """Return the names of the facts that a statement says otherwise, in their order.

    What somebody was called at the time does not count: people may be renamed.
    """
    unsaid = _EARLIER.get(said.get("seal", ""), frozenset())
    known = {name: value for name, value in asdict(facts).items() if name not in unsaid}
    told = _without_names(said)
    return [name for name, value in _without_names(known).items() if told.get(name) != value]


def _without_names(said: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_names(value) if isinstance(value, dict) else value
        for name, value in said.items()
        if name not in _NAMES
    }
