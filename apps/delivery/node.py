"""The node: what this process serves. It follows the pointers in storage and opens no database.

A request asks `release_for` and gets a release that is open already: no lock, no file, no wait. The
pointers are looked at by a thread of its own, which opens a new release first and then changes one
reference; who is answering from the old one finishes with it.
"""

import logging
import os
import threading
import time
import weakref
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from django.conf import settings

from apps.assets import store
from apps.delivery.files import FileFault, local_file, node_folder
from apps.delivery.pointer import BrokenPointer, Pointer, parse_pointer
from apps.delivery.release import LiveRelease
from apps.releases.manifest import ManifestFault, ManifestReader

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1  # a stat of a local file for each channel
REMOTE_POLL_SECONDS = 1.0  # a request to another machine for each channel
ANY_HOST = "*"

type Signature = tuple[int, int, int] | bytes


class Node:
    """What a process serves: for each host a channel, for each channel its live release.

    `hosts` gives host names, in lower case and without a port, to channels; `*` is any other host.
    """

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self.hosts = dict(hosts)
        self.live: dict[str, LiveRelease] = {}
        self.faults: dict[str, str] = {}
        self._seen: dict[str, Signature] = {}
        self._process = 0

    def channel_of(self, host: str) -> str | None:
        """Return the channel of a Host header's value, or None if no channel has that host."""
        name = _without_port(host.lower())
        return self.hosts.get(name) or self.hosts.get(ANY_HOST)

    def follow(self) -> None:
        """Follow the pointers from now on, in a thread that ends with the node or its process.

        Each request says so again, which costs a comparison: a server may fork after it has loaded the
        application, and a thread does not survive that.
        """
        if self._process != os.getpid():
            self._process = os.getpid()
            self.refresh()
            thread = threading.Thread(target=_follow, args=(weakref.ref(self),), daemon=True)
            thread.name = "assetsite-pointers"
            thread.start()

    def refresh(self) -> None:
        """Look at every channel's pointer once; switch where it names another release.

        Nothing that goes wrong takes away what is served: it is logged once, kept in `faults`, and
        tried again the next time.
        """
        for channel in sorted(set(self.hosts.values())):
            try:
                self._refresh_channel(channel)
                self.faults.pop(channel, None)
            except (OSError, BrokenPointer, ManifestFault) as fault:
                self._note(channel, str(fault))

    def _refresh_channel(self, channel: str) -> None:
        name = f"channels/{channel}.json"
        local = store.local_path(name)
        content = _changed_file(local, self._seen.get(channel)) if local else self._fetched(name, channel)
        if content is None:
            return
        signature, words = content
        pointer = parse_pointer(words)
        if pointer.channel != channel:
            raise BrokenPointer(f"{name} is the pointer of {pointer.channel}")
        self._switch(channel, pointer)
        self._seen[channel] = signature
        if local is None:
            _keep(name, words)

    def _switch(self, channel: str, pointer: Pointer) -> None:
        """Open what `pointer` names, compare it with its words, and serve it from then on."""
        file = local_file(pointer.manifest_name, sha256=pointer.manifest_sha256)
        if not file.is_file() or file.stat().st_size != pointer.manifest_size:
            raise FileFault(f"{pointer.manifest_name} is missing from storage, or damaged")
        reader = ManifestReader(file)
        if reader.digest != pointer.digest:
            reader.close()
            raise ManifestFault(f"{pointer.manifest_name} is not the manifest {pointer.digest}")
        self.live[channel] = LiveRelease(
            channel=channel,
            sequence=pointer.sequence,
            number=pointer.release,
            digest=pointer.digest,
            tag=pointer.tag,
            released_at=pointer.released_at,
            reader=reader,
        )
        logger.info("%s serves release %s (%s).", channel, pointer.release, pointer.tag)

    def _fetched(self, name: str, channel: str) -> tuple[Signature, bytes] | None:
        """Return the pointer of a storage elsewhere if it changed; the one kept where that is down."""
        try:
            words = store.read(name)
        except Exception as error:  # what a storage raises is its client library's own
            if channel in self.live:
                raise FileFault(f"storage does not answer: {error}") from error
            self._note(channel, f"storage does not answer: {error}")
            words = _kept(name)
        if words is None or words == self._seen.get(channel):
            return None
        return words, words

    def _note(self, channel: str, fault: str) -> None:
        if self.faults.get(channel) != fault:
            self.faults[channel] = fault
            serves = (
                f"it goes on with {self.live[channel].tag}" if channel in self.live else "it serves nothing"
            )
            logger.error("The pointer of %s cannot be followed, %s: %s", channel, serves, fault)


@cache
def current_node() -> Node:
    """Return this process's node."""
    return Node(settings.CHANNEL_HOSTS)


def _follow(reference: weakref.ref[Node]) -> None:
    seconds = POLL_SECONDS if store.local_path("") is not None else REMOTE_POLL_SECONDS
    while (node := reference()) is not None:
        try:
            node.refresh()
        except Exception:  # the thread must outlive whatever a storage's library raises
            logger.exception("The pointers could not be looked at; it is tried again.")
        del node
        time.sleep(seconds)


def _changed_file(file: Path, seen: Signature | None) -> tuple[Signature, bytes] | None:
    """Return a pointer's signature and content, or None if it is the one that was seen, or none yet."""
    try:
        with file.open("rb") as stream:
            status = os.fstat(stream.fileno())
            signature = status.st_mtime_ns, status.st_ino, status.st_size
            return None if signature == seen else (signature, stream.read())
    except FileNotFoundError:
        return None


def _keep(name: str, words: bytes) -> None:
    kept = node_folder() / name
    kept.parent.mkdir(parents=True, exist_ok=True)
    unfinished = kept.with_name(f".{kept.name}.{os.getpid()}")
    unfinished.write_bytes(words)
    unfinished.replace(kept)


def _kept(name: str) -> bytes | None:
    kept = node_folder() / name
    return kept.read_bytes() if kept.exists() else None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")
