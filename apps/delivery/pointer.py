"""Pointers: what storage says a channel serves. Written by `apps.releases.services.pointers`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FORMAT = 1


class BrokenPointer(ValueError):
    """A pointer that cannot be read; what is served stays as it is."""


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest's file: its name in storage, its SHA-256 in hex, and its size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """How a channel answers, whatever its release.

    With `clean_urls`, `/about` serves `about.html`. `not_found_page` is the path of the page that a
    404 shows, "" for none. `names_release` sends Assetsite-Release and Assetsite-Rule, `early_hints` a
    103 before pages whose parts are known.
    """

    clean_urls: bool = False
    not_found_page: str = "404.html"
    names_release: bool = True
    early_hints: bool = False


USUAL_OPTIONS = ChannelOptions()


@dataclass(frozen=True, slots=True)
class Pointer:
    """The words of a pointer. Digests are SHA-256 in hex; moments count seconds since 1970.

    `released_at` is when the release first went live on the channel, `published_at` when it was last
    switched to. `retained` holds the fingerprinted names of earlier publications.
    """

    channel: str
    sequence: int
    release: int
    digest: str
    tag: str
    released_at: int
    published_at: int
    manifest: StoredManifest
    options: ChannelOptions = USUAL_OPTIONS
    retained: StoredManifest | None = None


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
            manifest=_stored(words["manifest"]),
            options=_options(words.get("options", {})),
            retained=_stored(words["retained"]) if words.get("retained") else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise BrokenPointer(f"it is not a pointer: {error!r}") from error


def _stored(words: Mapping[str, Any]) -> StoredManifest:
    return StoredManifest(str(words["name"]), str(words["sha256"]), int(words["size"]))


def _options(words: Mapping[str, Any]) -> ChannelOptions:
    """Read what a pointer says of its channel; one that was written before an option has its default."""
    usual = USUAL_OPTIONS
    return ChannelOptions(
        clean_urls=bool(words.get("clean_urls", usual.clean_urls)),
        not_found_page=str(words.get("not_found_page", usual.not_found_page)),
        names_release=bool(words.get("names_release", usual.names_release)),
        early_hints=bool(words.get("early_hints", usual.early_hints)),
    )
