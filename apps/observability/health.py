"""Is it up: what a load balancer and an operator at night ask first."""

import os
from dataclasses import dataclass
from typing import TypedDict

from django.db import DatabaseError, connection

from apps.delivery.node import Node


class ChannelState(TypedDict):
    release: int
    sequence: int
    digest: str
    tag: str


class Readiness(TypedDict):
    status: str
    pid: int
    channels: dict[str, ChannelState]
    storage: str
    database: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether this process can do its work, and the words on it."""

    is_ready: bool
    report: Readiness


def readiness(node: Node) -> Health:
    """Say whether this process can serve visitors: a release is loaded and storage answers.

    The database is named and does not count, since no visitor's request needs it.
    """
    channels: dict[str, ChannelState] = {
        channel: {"release": live.number, "sequence": live.sequence, "digest": live.digest, "tag": live.tag}
        for channel, live in sorted(node.live.items())
    }
    storage = "; ".join(sorted(set(node.faults.values())))
    is_ready = bool(channels) and not storage
    return Health(
        is_ready,
        {
            "status": "ready" if is_ready else "not ready",
            "pid": os.getpid(),
            "channels": channels,
            "storage": f"down: {storage}" if storage else "up",
            "database": _database(),
        },
    )


def _database() -> str:
    """Ask the database for nothing; settings bound how long a connection may take."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"down: {str(error).strip().splitlines()[0]}"
    return "up"
