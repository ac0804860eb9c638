"""What a delivery node says of itself in storage: which publication each of its workers serves, since when.

A node writes it (`apps.delivery.following`), the staff's side reads it; nobody who serves visitors waits
for either. The words of one worker are the same as those of a node with one worker.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

FORMAT = 1
FOLDER = "nodes"
HEARTBEAT = timedelta(seconds=30)  # of a node of which nothing has changed
SILENT_AFTER = timedelta(seconds=90)  # three heartbeats were missed


class BrokenStatus(ValueError):
    """Words that no node has written."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The publication of a channel that a worker serves, by number and digest, since the moment it does."""

    sequence: int
    digest: str
    since: datetime


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One process: for each channel that it has to serve what it does serve, None for nothing yet."""

    pid: int
    channels: Mapping[str, Serving | None]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The workers that share a machine and a data directory, as they were at the moment `at`."""

    node: str
    host: str
    at: datetime
    workers: tuple[WorkerStatus, ...]

    def is_silent(self, now: datetime) -> bool:
        """Say whether it has missed its heartbeats: it has ended, or storage does not take its words."""
        return now - self.at > SILENT_AFTER

    def says_more_than(self, other: "NodeStatus") -> bool:
        """Say whether anything but the moment is another."""
        return replace(self, at=other.at) != other


@dataclass(frozen=True, slots=True)
class NodeFollowing:
    """How many of a node's workers serve a publication or a later one, the last of them `since` then."""

    node: str
    host: str
    workers: int
    following: int
    since: datetime | None
    is_silent: bool

    @property
    def has_followed(self) -> bool:
        return self.following == self.workers


@dataclass(frozen=True, slots=True)
class Following:
    """Which nodes serve a publication. One that is silent is named, and nobody waits for it."""

    nodes: tuple[NodeFollowing, ...] = field(default=())

    @property
    def heard(self) -> list[NodeFollowing]:
        return [node for node in self.nodes if not node.is_silent]

    @property
    def workers(self) -> int:
        return sum(node.workers for node in self.heard)

    @property
    def following(self) -> int:
        return sum(node.following for node in self.heard)

    @property
    def is_complete(self) -> bool:
        """Whether there is a node that is heard of, and every worker of those follows."""
        return bool(self.heard) and all(node.has_followed for node in self.heard)

    @property
    def since(self) -> datetime | None:
        """When the last of the workers that follow began to."""
        return max((node.since for node in self.heard if node.since), default=None)


def following_of(statuses: Iterable[NodeStatus], channel: str, sequence: int, *, now: datetime) -> Following:
    """Return who serves publication `sequence` or a later one, of the nodes that serve `channel`."""
    found = (_node_following(status, channel, sequence, now) for status in statuses)
    return Following(tuple(sorted(filter(None, found), key=lambda node: (node.host, node.node))))


def dump(status: NodeStatus) -> bytes:
    """Return the words of a status: UTF-8 JSON."""
    words = {
        "format": FORMAT,
        "node": status.node,
        "host": status.host,
        "at": status.at.isoformat(),
        "workers": [
            {
                "pid": worker.pid,
                "channels": {name: _words(serving) for name, serving in worker.channels.items()},
            }
            for worker in status.workers
        ],
    }
    return json.dumps(words, indent=2).encode() + b"\n"


def parse(content: bytes) -> NodeStatus:
    """Read a status. Raises `BrokenStatus` for anything that was not written as one."""
    try:
        words = json.loads(content)
        if words["format"] != FORMAT:
            raise BrokenStatus(f"its format is {words['format']}, this program reads {FORMAT}")
        workers = tuple(
            WorkerStatus(
                int(worker["pid"]), {name: _serving(said) for name, said in worker["channels"].items()}
            )
            for worker in words["workers"]
        )
        return NodeStatus(str(words["node"]), str(words["host"]), _moment(words["at"]), workers)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise BrokenStatus(f"it is no status of a node: {error!r}") from error


def _node_following(status: NodeStatus, channel: str, sequence: int, now: datetime) -> NodeFollowing | None:
    served = [worker.channels[channel] for worker in status.workers if channel in worker.channels]
    if not served:
        return None
    following = [serving for serving in served if serving and serving.sequence >= sequence]
    return NodeFollowing(
        status.node,
        status.host,
        workers=len(served),
        following=len(following),
        since=max((serving.since for serving in following), default=None),
        is_silent=status.is_silent(now),
    )


def _words(serving: Serving | None) -> dict[str, Any] | None:
    if serving is None:
        return None
    return {
        "sequence": serving.sequence,
        "digest": serving.digest,
        "since": serving.since.isoformat(),
    }


def _serving(said: Mapping[str, Any] | None) -> Serving | None:
    if said is None:
        return None
    return Serving(int(said["sequence"]), str(said["digest"]), _moment(said["since"]))


def _moment(words: str) -> datetime:
    at = datetime.fromisoformat(words)
    if at.tzinfo is None:
        raise ValueError(f"{words} has no time zone")
    return at
