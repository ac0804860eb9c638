"""The node: what this process serves. It follows the pointers in storage and opens no database.

A request asks for a channel's live release and gets one that is open already: no lock, no file, no
wait. The pointers are looked at by a thread of its own, which opens a new release first and then
changes one reference; who is answering from the old one finishes with it.
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
from apps.delivery.files import FileFault, keep, kept, local_file
from apps.delivery.pointer import BrokenPointer, Pointer, StoredManifest, parse_pointer
from apps.delivery.release import LiveRelease
from apps.refusals import Refusal
from apps.releases.manifest import ManifestFault, ManifestReader

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1  # a local file is opened for each channel
REMOTE_POLL_SECONDS = 1.0  # another machine is asked for each channel
PAUSE_SECONDS = 10.0  # after something that nobody expected
SILENCE_SECONDS = 15.0  # without an answer for so long, storage hangs
ANY_HOST = "*"

type Signature = tuple[int, int, int] | bytes


class StorageDown(Exception):
    """Storage does not answer, or does not let this process read."""


class Node:
    """What a process serves: for each host a channel, for each channel its live release.

    `hosts` gives host names, in lower case and without a port, to channels; `*` is any other host.
    `live` has what is served, `faults` why a channel's pointer is not followed, in words.
    """

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self.hosts = dict(hosts)
        self.live: dict[str, LiveRelease] = {}
        self.faults: dict[str, str] = {}
        self._storage_fault = ""
        self._looked_at = time.monotonic()
        self._seen: dict[str, Signature] = {}
        self._process = 0
        self._starting = threading.Lock()

    def channel_of(self, host: str) -> str | None:
        """Return the channel of a Host header's value, or None if no channel has that host."""
        name = _without_port(host.lower())
        return self.hosts.get(name) or self.hosts.get(ANY_HOST)

    def release_for(self, host: str) -> LiveRelease | None:
        """Return what is live under a Host header's value, or None if nothing is."""
        channel = self.channel_of(host)
        return self.live.get(channel) if channel else None

    @property
    def storage_fault(self) -> str:
        """What is wrong with storage as a whole; "" where it answers."""
        silence_seconds = time.monotonic() - self._looked_at
        if self._process and silence_seconds > SILENCE_SECONDS:
            return f"it has not answered for {silence_seconds:.0f} s"
        return self._storage_fault

    def follow(self) -> None:
        """Follow the pointers from now on, in a thread that ends with the node or its process.

        Each request says so again, which costs a comparison: a server may fork after it has loaded the
        application, and neither a thread nor an open SQLite file may be used in another process.
        """
        if self._process != os.getpid():
            with self._starting:  # who comes second waits for the first look, rather than find nothing
                self._start()

    def refresh(self) -> None:
        """Look at every channel's pointer once; switch where it names another release.

        Nothing that goes wrong takes away what is served: it is logged once, kept in `faults`, and
        tried again the next time.
        """
        storage_fault = ""
        for channel in sorted(set(self.hosts.values())):
            try:
                self._refresh_channel(channel, f"channels/{channel}.json")
            except StorageDown as fault:
                storage_fault = str(fault)
                self._note(channel, f"storage does not answer: {fault}")
            except (OSError, BrokenPointer, ManifestFault, Refusal) as fault:
                self._note(channel, str(fault))
            else:
                self.faults.pop(channel, None)
        self._storage_fault = storage_fault
        self._looked_at = time.monotonic()

    def _start(self) -> None:
        if self._process == os.getpid():
            return
        self._seen.clear()
        self.refresh()
        thread = threading.Thread(target=_follow, args=(weakref.ref(self),), daemon=True)
        thread.name = "assetsite-pointers"
        thread.start()
        self._process = os.getpid()

    def _refresh_channel(self, channel: str, name: str) -> None:
        local = store.local_path(name)
        if local is None:
            self._ask(channel, name)
        else:
            self._look(channel, local)

    def _look(self, channel: str, pointer: Path) -> None:
        """Look at a pointer in a folder, and read it if it is not the file that was seen."""
        try:
            with pointer.open("rb") as stream:
                status = os.fstat(stream.fileno())
                signature = status.st_mtime_ns, status.st_ino, status.st_size
                if signature == self._seen.get(channel):
                    return
                words = stream.read()
        except FileNotFoundError:
            self._miss(channel, str(pointer))
        except OSError as error:
            raise StorageDown(str(error)) from error
        else:
            self._take(channel, signature, words)

    def _ask(self, channel: str, name: str) -> None:
        """Ask a storage elsewhere; while it is down, a start goes on with what was kept of it."""
        try:
            words = store.read(name)
        except Exception as error:  # what a storage raises is its client library's own
            remembered = kept(name)
            if remembered and channel not in self.live:
                self._take(channel, remembered, remembered)
            raise StorageDown(str(error)) from error
        if words is None:
            self._miss(channel, name)
        elif words != self._seen.get(channel):
            self._take(channel, words, words)
            keep(name, words)

    def _miss(self, channel: str, name: str) -> None:
        """A channel that has never had a publication has no pointer; any other has lost it."""
        root = store.local_path("")
        if root is not None and not root.is_dir():
            raise StorageDown(f"{root} is not there")
        if channel in self.live:
            raise FileFault(f"{name} is not there any more")

    def _take(self, channel: str, signature: Signature, words: bytes) -> None:
        """Open what a pointer names, compare it with its words, and serve it from then on."""
        pointer = parse_pointer(words)
        if pointer.channel != channel:
            raise BrokenPointer(f"it is the pointer of {pointer.channel}")
        before = self.live.get(channel)
        self.live[channel] = _open(pointer)
        self._seen[channel] = signature
        logger.info("%s serves release %s (%s).", channel, pointer.release, pointer.tag)
        if before and before.sequence > pointer.sequence:
            logger.warning(
                "%s goes back from publication %d to %d, as its pointer says: was a backup restored?",
                channel,
                before.sequence,
                pointer.sequence,
            )
        if before:  # in a thread of its own, since it takes its time and the next pointer does not wait
            threading.Thread(target=before.let_go, name="assetsite-let-go", daemon=True).start()

    def _note(self, channel: str, fault: str) -> None:
        if self.faults.get(channel) != fault:
            self.faults[channel] = fault
            live = self.live.get(channel)
            serves = f"it goes on with {live.tag}" if live else "it serves nothing"
            logger.error("The pointer of %s cannot be followed, %s: %s", channel, serves, fault)


@cache
def current_node() -> Node:
    """Return this process's node."""
    return Node(settings.CHANNEL_HOSTS)


def _open(pointer: Pointer) -> LiveRelease:
    """Open the manifest that a pointer names. Raises `OSError` or `ManifestFault` where it is another."""
    reader = _open_manifest(pointer.manifest)
    if reader.meta.get("digest") != pointer.digest:
        reader.close()
        raise ManifestFault(f"{pointer.manifest.name} is not the manifest {pointer.digest}")
    return LiveRelease(
        channel=pointer.channel,
        sequence=pointer.sequence,
        number=pointer.release,
        digest=pointer.digest,
        tag=pointer.tag,
        released_at=pointer.released_at,
        published_at=pointer.published_at,
        reader=reader,
        options=pointer.options,
        retained=_open_manifest(pointer.retained) if pointer.retained else None,
    )


def _open_manifest(stored: StoredManifest) -> ManifestReader:
    file = local_file(stored.name, sha256=stored.sha256, size=stored.size)
    if not file.is_file() or file.stat().st_size != stored.size:
        raise FileFault(f"{stored.name} is missing from storage, or damaged")
    return ManifestReader(file, is_mapped=False)


def _follow(reference: weakref.ref[Node]) -> None:
    seconds = POLL_SECONDS if store.local_path("") is not None else REMOTE_POLL_SECONDS
    while (node := reference()) is not None:
        pause = seconds
        try:
            node.refresh()
        except Exception:  # the thread must outlive whatever a storage's library raises
            logger.exception("The pointers could not be looked at; it is tried again.")
            pause = PAUSE_SECONDS
        del node
        time.sleep(pause)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")
