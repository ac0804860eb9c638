"""The previews of this process: found by their host, opened when somebody asks, closed to everybody else.

No database, and no thread: who asks for a preview looks whether its pointer has changed, once in a poll at
most. A host that was not signed here costs an HMAC and nothing else; what is known is bounded.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from django.conf import settings

from apps.assets import store
from apps.delivery.answers import STORAGE_FAULTS
from apps.delivery.files import FileFault, StorageDown, current_files
from apps.delivery.node import POLL_SECONDS, REMOTE_POLL_SECONDS
from apps.delivery.pointer import BrokenPointer, ChannelOptions
from apps.delivery.previews.pointer import PreviewPointer, read_pointer
from apps.delivery.recent import Recent
from apps.delivery.release import LiveRelease
from apps.releases.history.signing import verified
from apps.releases.manifest import ManifestFault, ManifestReader
from apps.releases.previews.hosts import PreviewHost, read_label

logger = logging.getLogger(__name__)

MOST_KNOWN = 64
FAULTS = (*STORAGE_FAULTS, ManifestFault)  # storage does not say, or does not have, what is shown


@dataclass(frozen=True, slots=True)
class Shown:
    """A preview that is there: what its pointer says, and the release to answer from."""

    pointer: PreviewPointer
    release: LiveRelease


@dataclass(slots=True)
class _Known:
    """What is known of a preview: what it shows, None where it has ended, and when that was looked at."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    looked_at: float | None = None
    tag: str = ""
    shown: Shown | None = None
    fault: Exception | None = None


class Previews:
    """The previews of a process. Safe for use by several threads."""

    def __init__(self) -> None:
        self._known: Recent[str, _Known] = Recent(MOST_KNOWN)

    def find(self, label: str) -> Shown | None:
        """Return the preview with this host label, None where there is none: forged, over, or revoked.

        Raises one of `FAULTS` where storage does not say.
        """
        host = read_label(label, settings.SECRET_KEY)
        if host is None or host.expires_at <= time.time():
            return None
        known = self._known.get(host.key)
        if known is None:
            known = _Known()
            self._known.put(host.key, known)
        with known.lock:
            return _look(known, host)


@cache
def current_previews() -> Previews:
    """Return this process's previews."""
    return Previews()


def _look(known: _Known, host: PreviewHost) -> Shown | None:
    """Look at a preview's pointer, unless that was done a moment ago; what cannot be asked is not shown."""
    pause = POLL_SECONDS if store.local_path("") is not None else REMOTE_POLL_SECONDS
    if known.looked_at is None or time.monotonic() - known.looked_at >= pause:
        known.fault = None
        try:
            _follow(known, host)
        except FAULTS as fault:
            known.fault, known.shown, known.tag = fault, None, ""
        known.looked_at = time.monotonic()
    if known.fault is not None:
        raise known.fault
    return known.shown


def _follow(known: _Known, host: PreviewHost) -> None:
    name = f"previews/{host.key}.json"
    try:
        words, tag = _read(name, known.tag)
    except FileNotFoundError:
        known.shown, known.tag = None, ""
        return
    if words is not None:
        known.shown = None
        known.shown = _opened(name, words, host)
        known.tag = tag
    elif known.shown is not None:
        _refuse_changed(known.shown.release.readers)


def _refuse_changed(in_use: Sequence[ManifestReader]) -> None:
    """Raise `FileFault` where somebody has written to a manifest that is shown: it is brought anew."""
    for damaged in current_files().changed(in_use):
        raise FileFault(f"the manifest {damaged.file} was found damaged")
    current_files().note_use(*(reader.file for reader in in_use))


def _read(name: str, tag: str) -> tuple[bytes | None, str]:
    root = store.local_path("")
    if root is not None and not root.is_dir():
        raise StorageDown(f"{root} is not there")
    try:
        return store.read_unless(name, tag)
    except FileNotFoundError:
        raise
    except Exception as error:  # what a storage raises is its client library's own
        raise StorageDown(str(error)) from error


def _opened(name: str, words: bytes, host: PreviewHost) -> Shown | None:
    """Open what a pointer names; nothing where nobody trusted has signed it, or for another host."""
    try:
        pointer = read_pointer(verified(words, name=name))
        if (pointer.key, pointer.release, pointer.expires_at) != (host.key, host.release, host.expires_at):
            raise BrokenPointer("it is another preview's")
    except ValueError:  # SignatureFault and BrokenPointer among them
        logger.exception("%s is not followed.", name)
        return None
    return Shown(pointer, _release_of(pointer))


def _release_of(pointer: PreviewPointer) -> LiveRelease:
    stored = pointer.manifest
    file = current_files().bring(stored.name, sha256=stored.sha256, size=stored.size)
    current_files().watched(file, stored.sha256, stored.size)
    reader = ManifestReader(file, is_mapped=False)
    if reader.meta.get("digest") != pointer.digest:
        reader.close()
        raise ManifestFault(f"{stored.name} is not the manifest {pointer.digest}")
    return LiveRelease(
        channel="",
        sequence=0,
        number=pointer.release,
        digest=pointer.digest,
        tag="",
        released_at=pointer.built_at,
        published_at=pointer.built_at,
        reader=reader,
        options=ChannelOptions(clean_urls=pointer.clean_urls, not_found_page=pointer.not_found_page),
    )
