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
from contextlib import suppress
from functools import cache
from pathlib import Path

from django.conf import settings

from apps.assets import store
from apps.delivery.files import FileFault, StorageDown, current_files
from apps.delivery.host_index import BrokenIndex, HostIndex
from apps.delivery.indexes import Indexes
from apps.delivery.opening import open_live, open_manifest, pointer_name, refuse_unsigned
from apps.delivery.pointer import BrokenPointer, StoredManifest, parse_pointer
from apps.delivery.release import LiveRelease
from apps.delivery.routes import Routes
from apps.delivery.tally import CountedPublication
from apps.refusals import Refusal
from apps.releases.channels.hosts import INDEX_NAME
from apps.releases.manifest import ManifestFault

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1  # a local file is opened for each channel
REMOTE_POLL_SECONDS = 1.0  # another machine is asked for each channel
PAUSE_SECONDS = 10.0  # after something that nobody expected
SILENCE_SECONDS = 15.0  # without an answer for so long, storage hangs
FIRST_LOOK_SECONDS = 3.0  # a start waits for so long before it serves what was kept
FAULTS = (OSError, BrokenPointer, ManifestFault, Refusal)  # of a pointer, or of what it names

type Signature = tuple[int, int, int]


class Node:
    """What a process serves: for each host a channel, for each channel its live release.

    `hosts` gives host names, in lower case and without a port, to channels; `*` is any other host. It
    counts until storage has an index of hosts, `pinned` whatever that says. `live` has what is served,
    `faults` why a channel's pointer, or the index, is not followed, in words. `counted` has what is served
    and was lately, with what it was asked for.
    """

    def __init__(self, hosts: Mapping[str, str], *, pinned: Mapping[str, str] | None = None) -> None:
        self.routes = Routes(hosts)
        self._pinned = dict(pinned or {})
        self._index = HostIndex()
        self._leaving: set[str] = set()  # channels that have no host any more, since the look before
        self.live: dict[str, LiveRelease] = {}
        self.counted: list[CountedPublication] = []
        self.faults: dict[str, str] = {}
        self._storage_fault = ""
        self._looked_at = time.monotonic()
        self._seen: dict[str, Signature] = {}
        self._asked: dict[str, tuple[bytes, str]] = {}  # words and tag of what a storage elsewhere said
        self._names: dict[str, StoredManifest | None] = {}  # of earlier publications, as the pointer says
        self._files: dict[str, str] = {}  # SHA-256 of the manifest that each channel is served from
        self._indexes = Indexes(Path(settings.DATA_DIR) / "node" / "indexes")
        self._process = 0
        self._starting = threading.Lock()

    @property
    def hosts(self) -> dict[str, str]:
        """Which channel each host has now."""
        return self.routes.hosts

    def channel_of(self, host: str) -> str | None:
        """Return the channel of a Host header's value, or None if no channel has that host."""
        return self.routes.channel_of(host)

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
        self._leave()
        storage_fault = self._follow_index()
        for channel in self.routes.channels:
            try:
                self._refresh_channel(channel, pointer_name(channel))
                self._complete(channel)
            except StorageDown as fault:
                storage_fault = str(fault)
                self._cannot_follow(channel, f"storage does not answer: {fault}")
            except FAULTS as fault:
                self._cannot_follow(channel, str(fault))
            else:
                self.faults.pop(channel, None)
        self._storage_fault = storage_fault
        self._looked_at = time.monotonic()

    def index(self) -> None:
        """Give the manifests that are served what makes them quicker, as far as it is there."""
        self._indexes.give((live.reader, self._files[channel]) for channel, live in list(self.live.items()))

    def recheck(self) -> None:
        """Serve nothing from a manifest that was taken for good and is damaged after all, or since."""
        readers = [reader for live in list(self.live.values()) for reader in live.readers]
        files = set(current_files().recheck())
        damaged = {reader for reader in readers if reader.file in files} | {*current_files().changed(readers)}
        for channel, live in list(self.live.items()):
            if live.reader in damaged:
                del self.live[channel]
                self._seen.pop(channel, None)
                self._asked.pop(channel, None)
                self._note(channel, f"the manifest of {live.tag} was found damaged")
            elif live.retained in damaged:
                self.live[channel] = live.with_names(None)

    def _start(self) -> None:
        if self._process == os.getpid():
            return
        self._seen.clear()
        self._asked.clear()
        self._index.forget()
        has_looked = threading.Event()
        thread = threading.Thread(target=_follow, args=(weakref.ref(self), has_looked), daemon=True)
        thread.name = "assetsite-pointers"
        thread.start()
        if not has_looked.wait(FIRST_LOOK_SECONDS):
            self._recall_index()
            for channel in self.routes.channels:
                self._recall(channel)
        self._process = os.getpid()

    def _follow_index(self) -> str:
        """Serve the hosts that the index in storage has; return what is wrong with storage, "" if nothing."""
        try:
            hosts = self._index.look()
            if hosts is not None:
                self._route(hosts)
        except (BrokenIndex, *FAULTS) as fault:
            is_down = isinstance(fault, StorageDown)
            self._recall_index()
            self._note(INDEX_NAME, f"storage does not answer: {fault}" if is_down else str(fault))
            return str(fault) if is_down else ""
        self.faults.pop(INDEX_NAME, None)
        return ""

    def _route(self, hosts: Mapping[str, str]) -> None:
        """Switch to these hosts at once, with what their channels serve opened before.

        Raises what stands in the way where a host would lose what it serves.
        """
        routes = Routes({**hosts, **self._pinned})
        for channel in set(routes.channels) - set(self.routes.channels):
            try:
                self._refresh_channel(channel, pointer_name(channel))
            except FAULTS:
                moved = (host for host, to in routes.hosts.items() if to == channel)
                if any(self.hosts.get(host) in self.live for host in moved):
                    raise
        self._leaving = set(self.routes.channels) - set(routes.channels)
        self.routes = routes
        self._index.follow()

    def _recall_index(self) -> None:
        with suppress(BrokenIndex, *FAULTS):
            hosts = self._index.recall()
            if hosts is not None:
                self._route(hosts)

    def _leave(self) -> None:
        """Let go of channels that had no host at the last look: who asked for them then has an answer."""
        for channel in self._leaving - set(self.routes.channels):
            live = self.live.pop(channel, None)
            for known in (self.faults, self._seen, self._asked, self._names, self._files):
                known.pop(channel, None)
            if live:
                threading.Thread(target=live.let_go, name="assetsite-let-go", daemon=True).start()
        self._leaving = set()

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
            self._take(channel, words)
            self._keep(pointer_name(channel), words)
            self._seen[channel] = signature

    def _ask(self, channel: str, name: str) -> None:
        """Ask a storage elsewhere for a pointer, unless it is the one that is known."""
        known, tag = self._asked.get(channel, (b"", ""))
        try:
            words, tag = store.read_unless(name, tag)
        except FileNotFoundError:
            self._miss(channel, name)
            return
        except Exception as error:  # what a storage raises is its client library's own
            raise StorageDown(str(error)) from error
        if words is None:
            return
        if words != known:
            self._take(channel, words)
            self._keep(name, words)
        self._asked[channel] = words, tag

    def _keep(self, name: str, words: bytes) -> None:
        """Keep what was followed: a start while storage is down, or says what nobody signed, serves that."""
        try:
            if current_files().kept(name) != words:
                current_files().keep(name, words)
        except OSError as error:
            logger.warning("%s cannot be kept: a start while storage is down would lack it. %s", name, error)

    def _recall(self, channel: str) -> None:
        """Serve what was followed last, where nothing is served yet and storage says nothing of use."""
        with suppress(*FAULTS):
            words = None if channel in self.live else current_files().kept(pointer_name(channel))
            if words is not None:
                self._take(channel, words)
                self._asked[channel] = words, ""

    def _miss(self, channel: str, name: str) -> None:
        """A channel that has never had a publication has no pointer; any other has lost it."""
        root = store.local_path("")
        if root is not None and not root.is_dir():
            raise StorageDown(f"{root} is not there")
        if channel in self.live or current_files().kept(pointer_name(channel)) is not None:
            raise FileFault(f"{name} is not there any more")

    def _take(self, channel: str, words: bytes) -> None:
        """Open what a pointer names, compare it with its words, and serve it from then on."""
        refuse_unsigned(channel, words)
        pointer = parse_pointer(words)
        if pointer.channel != channel:
            raise BrokenPointer(f"it is the pointer of {pointer.channel}")
        before = self.live.get(channel)
        live = open_live(pointer)
        if pointer.retained is not None:
            # No roll back waits for the names of earlier publications: `_complete` says what is wrong.
            with suppress(*FAULTS):
                live = live.with_names(open_manifest(pointer.retained))
        self.live[channel] = live
        self.counted.append(CountedPublication(channel, live.sequence, live.tallies))
        self._names[channel] = pointer.retained
        self._files[channel] = pointer.manifest.sha256
        logger.info("%s serves release %s (%s).", channel, pointer.release, pointer.tag)
        if before and before.sequence > pointer.sequence:
            logger.warning(
                "%s goes back from publication %d to %d, as its pointer says: was a backup restored?",
                channel,
                before.sequence,
                pointer.sequence,
            )
        if before:  # in a thread of its own, since it takes its time and the next pointer does not wait
            current_files().note_use(*(reader.file for reader in before.readers))
            threading.Thread(target=before.let_go, name="assetsite-let-go", daemon=True).start()

    def _complete(self, channel: str) -> None:
        """Open the names of earlier publications, where they could not be opened with their pointer."""
        live, names = self.live.get(channel), self._names.get(channel)
        if live is None or names is None or live.retained is not None:
            return
        try:
            self.live[channel] = live.with_names(open_manifest(names))
        except FAULTS as fault:
            raise FileFault(f"all is served but the names of earlier publications: {fault}") from fault

    def _cannot_follow(self, channel: str, fault: str) -> None:
        self._recall(channel)
        self._note(channel, fault)

    def _note(self, channel: str, fault: str) -> None:
        if self.faults.get(channel) != fault:
            self.faults[channel] = fault
            if channel == INDEX_NAME:
                logger.error("The index of hosts cannot be followed; hosts stay as they are: %s", fault)
                return
            live = self.live.get(channel)
            serves = f"it goes on with {live.tag}" if live else "it serves nothing"
            logger.error("The pointer of %s cannot be followed, %s: %s", channel, serves, fault)


@cache
def current_node() -> Node:
    """Return this process's node."""
    return Node(settings.CHANNEL_HOSTS, pinned=settings.PINNED_HOSTS)


def _follow(reference: weakref.ref[Node], has_looked: threading.Event) -> None:
    seconds = POLL_SECONDS if store.local_path("") is not None else REMOTE_POLL_SECONDS
    while (node := reference()) is not None:
        pause = seconds
        try:
            node.refresh()
            has_looked.set()
            node.recheck()
            node.index()
            current_files().tidy()
        except Exception:  # the thread must outlive whatever a storage's library raises
            logger.exception("The pointers could not be looked at; it is tried again.")
            pause = PAUSE_SECONDS
        del node
        time.sleep(pause)
