"""Is it up: what a load balancer and an operator at night ask first."""

import os
from dataclasses import dataclass
from typing import TypedDict

from apps.delivery.files import current_files
from apps.delivery.node import Node
from apps.delivery.release import LiveRelease
from apps.observability.database import DatabaseProbe


class ChannelState(TypedDict):
    release: int
    sequence: int
    digest: str
    tag: str


class FilesState(TypedDict):
    """`faulty`: what is missing or damaged, by its name in storage; `replaced`: how many copies."""

    faulty: list[str]
    replaced: int


class Readiness(TypedDict):
    """What `/-/readyz` says. `faults`: channel → why its pointer is not followed.

    `without_release`: channels to which a host is given, and that have nothing to serve.
    """

    status: str
    pid: int
    channels: dict[str, ChannelState]
    without_release: list[str]
    faults: dict[str, str]
    storage: str
    files: FilesState
    database: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether this process can do its work, and the words on it."""

    is_ready: bool
    report: Readiness


def readiness(node: Node, database: DatabaseProbe) -> Health:
    """Say whether this process can serve visitors: a release is loaded and storage answers.

    The database is named and does not count, since no visitor's request needs it. Nor does a channel
    whose pointer is broken, while it goes on with what it had, nor a file that nobody can be given.
    """
    storage_fault, files = node.storage_fault, current_files()
    is_ready = bool(node.live) and not storage_fault
    return Health(
        is_ready,
        {
            "status": "ready" if is_ready else "not ready",
            "pid": os.getpid(),
            "channels": {channel: _state(live) for channel, live in sorted(node.live.items())},
            "without_release": [name for name in node.routes.channels if name not in node.live],
            "faults": dict(sorted(node.faults.items())),
            "storage": f"down: {storage_fault}" if storage_fault else "up",
            "files": {"faulty": files.faulty, "replaced": files.replaced},
            "database": database.state(),
        },
    )


def _state(live: LiveRelease) -> ChannelState:
    return {"release": live.number, "sequence": live.sequence, "digest": live.digest, "tag": live.tag}
