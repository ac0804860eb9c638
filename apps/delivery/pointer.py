"""Pointers: what storage says a channel serves. Written by `apps.releases.services.pointers`."""

import json
from dataclasses import dataclass
from datetime import datetime

FORMAT = 1


class BrokenPointer(ValueError):
    """A pointer that cannot be read; what is served stays as it is."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """The words of a pointer. Digests are SHA-256 in hex; moments count seconds since 1970.

    `released_at` is when the release first went live on the channel, `published_at` when it was last
    switched to.
    """

    channel: str
    sequence: int
    release: int
    digest: str
    tag: str
    released_at: int
    published_at: int
    manifest_name: str
    manifest_sha256: str
    manifest_size: int


def parse_pointer(content: bytes) -> Pointer:
    """Read a pointer. Raises `BrokenPointer` for anything that was not written as one."""
    try:
        words = json.loads(content)
        if words["format"] != FORMAT:
            raise BrokenPointer(f"its format is {words['format']}, this program reads {FORMAT}")
        return Pointer(
            channel=str(words["channel"]),
            sequence=int(words["sequence"]),
            release=int(words["release"]),
            digest=str(words["digest"]),
            tag=str(words["tag"]),
            released_at=int(words["released_at"]),
            published_at=int(datetime.fromisoformat(words["published_at"]).timestamp()),
            manifest_name=str(words["manifest"]["name"]),
            manifest_sha256=str(words["manifest"]["sha256"]),
            manifest_size=int(words["manifest"]["size"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BrokenPointer(f"it is not a pointer: {error!r}") from error
