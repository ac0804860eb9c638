"""The index of hosts in storage, as a node follows it: written by `apps.releases.services.channel_index`."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.assets import store
from apps.delivery.files import FileFault, StorageDown, current_files
from apps.releases.channels.hosts import INDEX_FORMAT, INDEX_NAME
from apps.releases.history.signing import verified

logger = logging.getLogger(__name__)


class BrokenIndex(ValueError):
    """An index that cannot be read, or that nobody who is trusted has signed; hosts stay as they are."""


class HostIndex:
    """What one node knows of the index. `look` says what it has not been told to `follow` yet."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing, as at the beginning."""
        self._followed: tuple[object, bytes] = (None, b"")
        self._found: tuple[object, bytes] = (None, b"")

    def look(self) -> dict[str, str] | None:
        """Return hosts and their channels, None where there is nothing new or no index yet.

        Raises `StorageDown`, `BrokenIndex`, and `FileFault` where an index is gone.
        """
        local = store.local_path(INDEX_NAME)
        try:
            self._found = self._ask() if local is None else self._read(local)
        except FileNotFoundError as error:
            self._miss(error)
            return None
        words = self._found[1]
        return None if words == self._followed[1] else parse_index(words)

    def follow(self) -> None:
        """Take what was found for known, and keep it for a start while storage is down."""
        words = self._found[1]
        self._followed = self._found
        try:
            if words and current_files().kept(INDEX_NAME) != words:
                current_files().keep(INDEX_NAME, words)
        except OSError as error:
            logger.warning(
                "%s cannot be kept: a start while storage is down would lack it. %s", INDEX_NAME, error
            )

    def recall(self) -> dict[str, str] | None:
        """Return what was followed last on this machine, where nothing is followed yet; or None."""
        words = None if self._followed[1] else current_files().kept(INDEX_NAME)
        if words is None:
            return None
        self._found = (None, words)
        return parse_index(words)

    def _read(self, file: Path) -> tuple[object, bytes]:
        try:
            with file.open("rb") as stream:
                status = os.fstat(stream.fileno())
                signature = (status.st_mtime_ns, status.st_ino, status.st_size)
                return self._followed if signature == self._followed[0] else (signature, stream.read())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StorageDown(str(error)) from error

    def _ask(self) -> tuple[object, bytes]:
        tag, words = self._followed
        try:
            new_words, new_tag = store.read_unless(INDEX_NAME, str(tag or ""))
        except FileNotFoundError:
            raise
        except Exception as error:  # what a storage raises is its client library's own
            raise StorageDown(str(error)) from error
        return (tag, words) if new_words is None else (new_tag, new_words)

    def _miss(self, error: FileNotFoundError) -> None:
        root = store.local_path("")
        if root is not None and not root.is_dir():
            raise StorageDown(f"{root} is not there") from error
        if self._followed[1] or current_files().kept(INDEX_NAME) is not None:
            raise FileFault(f"{INDEX_NAME} is not there any more") from error


def parse_index(words: bytes) -> dict[str, str]:
    """Read an index as host → channel. Raises `BrokenIndex` unless somebody who is trusted has signed it."""
    try:
        document: Mapping[str, Any] = verified(words, name=INDEX_NAME)
        form, hosts = document["format"], dict(document["hosts"])
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenIndex(f"it cannot be read: {error}") from error
    if form != INDEX_FORMAT:
        raise BrokenIndex(f"its format is {form}, this program reads {INDEX_FORMAT}")
    return {str(host): str(channel) for host, channel in hosts.items()}
