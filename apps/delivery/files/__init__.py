"""Manifests and blobs as files on this machine, whose bytes are what their digests say.

Where the storage is a folder they are its files. Where it is elsewhere, they are fetched once for all
processes of the machine and kept in the node's own folder, so that what was served once is served
again with the storage down. docs/adr/0036 has the reasons.
"""

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from django.conf import settings

from apps.assets import store
from apps.delivery.files.checked import Checked, Identity, Records, identity_of
from apps.delivery.files.faults import FileFault, StorageDown
from apps.delivery.files.fetching import Fetching, give_name
from apps.delivery.files.room import Room, note_use
from apps.delivery.recent import Recent
from apps.releases.manifest import ManifestReader

__all__ = ["FileFault", "LocalFiles", "StorageDown", "current_files"]

logger = logging.getLogger(__name__)

_MOST_OPENED = 1_024  # manifests of which it is known when they were compared
RECHECK_SECONDS = 30.0  # a start is over by then
TIDY_SECONDS = 300.0


@cache
def current_files() -> "LocalFiles":
    """Return this process's files."""
    return LocalFiles()


class LocalFiles:
    """The files of one process, and what it knows of them. Safe for use by several threads.

    `in_use` has functions which say the digests of the blobs that are kept in memory and used from there.
    """

    def __init__(self) -> None:
        storage = store.local_path("")
        self.is_elsewhere = storage is None
        self.in_use: list[Callable[[], Iterable[str]]] = []
        self._kept = Path(settings.DATA_DIR) / "node"
        self._folder = storage or self._kept
        self._checked = Checked()
        self._records = Records(self._kept / "verified.json")
        self._taken: dict[Path, _Taken] = {}
        self._opened: Recent[Path, _Opened] = Recent(_MOST_OPENED)
        self._fetching = Fetching(self._kept / "fetching")
        self._tidy_at = 0.0
        self._room = Room(self._kept, settings.NODE_CACHE_BYTES)

    @property
    def faulty(self) -> list[str]:
        """The names in storage of files that are missing there, or are not what their names say."""
        here = [str(file.relative_to(self._folder)) for file in self._checked.faulty]
        return sorted({*here, *self._fetching.failing})

    @property
    def replaced(self) -> int:
        """How many copies of this machine were found damaged and removed."""
        return self._checked.replaced

    def read_small(self, digest: str, size: int) -> bytes | None:
        """Read a blob that is on this machine; None where `bring` has to have a look at it first."""
        number = self._open(digest)
        if number is None:
            return None
        try:
            body, status = os.read(number, size + 1), os.fstat(number)
        finally:
            os.close(number)
        if len(body) != size or not self._checked.is_good(digest, identity_of(status), body):
            return None
        if self.is_elsewhere:
            note_use(self._file_of(digest), status)
        return body

    def open_compared(self, digest: str, size: int) -> int | None:
        """Open a blob that is on this machine and was compared; None where it has to be brought first."""
        number = self._open(digest)
        if number is None:
            return None
        status = os.fstat(number)
        if status.st_size == size and self._checked.is_known(digest, identity_of(status)):
            if self.is_elsewhere:
                note_use(number, status)
            return number
        os.close(number)
        return None

    def open_blob(self, digest: str, size: int) -> BinaryIO:
        """Open a blob for reading, brought first if need be. Raises `OSError` where it cannot be had."""
        number = self.open_compared(digest, size)
        if number is None:
            self.bring(store.blob_name(digest), sha256=digest, size=size)
            number = self.open_compared(digest, size)
        if number is None:
            raise FileFault(f"blob {digest} is gone again")
        return os.fdopen(number, "rb")

    def is_here(self, name: str, *, sha256: str, size: int) -> bool:
        """Compare a file on this machine; False where it has to be fetched. Raises `OSError`.

        A damaged copy is removed. Where the storage is a folder, what is missing or damaged is a `FileFault`.
        """
        file = self._folder / name
        try:
            if self._checked.compare(file, sha256, size):
                return True
        except FileNotFoundError as error:
            if self.is_elsewhere:
                return False
            self._checked.miss(file)
            raise FileFault(f"{file} is missing from storage") from error
        if not self.is_elsewhere:
            raise FileFault(f"{file} is damaged: it does not have its {size} bytes with SHA-256 {sha256}")
        self._checked.replace(file)
        return False

    def fetch(self, name: str, *, sha256: str, size: int) -> None:
        """Fetch a file, or wait for who is fetching it already. Raises `OSError` where it cannot be had."""
        file = self._folder / name
        with self._fetching.alone(sha256) as part:
            if self.is_here(name, sha256=sha256, size=size):
                return
            self._fetching.fetch(name, sha256, part, file)
            self._checked.trust(file, sha256, identity_of(file.stat()))
        self._room.add(size)

    def bring(self, name: str, *, sha256: str, size: int) -> Path:
        """Return the file that holds `name` of the storage, compared, and fetched if need be.

        Raises `OSError` where it cannot be had.
        """
        if not self.is_here(name, sha256=sha256, size=size):
            self.fetch(name, sha256=sha256, size=size)
        return self._folder / name

    def bring_manifest(self, name: str, *, sha256: str, size: int) -> Path:
        """Return what `bring` does, without reading a file that this machine has compared before.

        Of all processes one reads it; the others, and those that start later, take its word. `recheck`
        compares what was taken, `changed` what was written to since.
        """
        self._bring_manifest(name, sha256, size)
        return self.watched(self._folder / name, sha256, size)

    def watched(self, file: Path, sha256: str, size: int) -> Path:
        """Return a manifest that was brought, and is opened now: `changed` knows it from then on."""
        status = file.stat()
        is_what_was_compared = self._checked.is_known(sha256, identity_of(status))
        self._opened.put(file, _Opened(sha256, size, status.st_ctime_ns if is_what_was_compared else 0))
        return file

    def changed(self, in_use: Iterable[ManifestReader]) -> list[ManifestReader]:
        """Return those of the manifests in use that somebody has written to, and that are damaged since.

        So is one in whose place there is another file since: this process, or another one, has found it
        damaged. Called often: it asks when the inode was changed, which no program can set, and reads what
        was.
        """
        return [reader for reader in in_use if not self._is_still_good(reader)]

    def _bring_manifest(self, name: str, sha256: str, size: int) -> None:
        if self._is_recorded(name, sha256, size):
            return
        with ExitStack() as stack:
            with suppress(OSError):  # else two may read it, which is no harm
                stack.enter_context(self._fetching.alone(f"{sha256}-compared"))
            if not self._is_recorded(name, sha256, size):
                file = self.bring(name, sha256=sha256, size=size)
                self._records.add(sha256, file, identity_of(file.stat()))

    def recheck(self) -> list[Path]:
        """Compare what was taken as compared when that is a while ago; return what is damaged after all.

        So is a file in whose place there is another since: what was opened is not that.
        """
        damaged = []
        for file, taken in list(self._taken.items()):
            if monotonic() - taken.at >= RECHECK_SECONDS:
                del self._taken[file]
                with suppress(FileNotFoundError):  # it is open: whoever needs it next will see
                    if not self._is_good_after_all(file, taken):
                        damaged.append(file)
        return damaged

    def keep(self, name: str, content: bytes) -> None:
        """Keep what storage says under `name`, for a start while it is down. Raises `OSError`."""
        with self._fetching.alone(name.replace("/", "-")) as part:
            part.write_bytes(content)
            give_name(part, self._kept / name)

    def kept(self, name: str) -> bytes | None:
        """Return what was kept of `name`, None if nothing was."""
        try:
            return (self._kept / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def note_use(self, *files: Path) -> None:
        """Say that these files are used just now, so that they are not removed to make room."""
        if self.is_elsewhere:
            for file in files:
                with suppress(FileNotFoundError):
                    before = file.stat()
                    note_use(file, before)
                    self._take_for_unchanged(file, before.st_ctime_ns)

    def tidy(self) -> None:
        """Do what no request should have to, every few minutes: see what is used from memory, make room."""
        if not self.is_elsewhere or monotonic() < self._tidy_at:
            return
        self._tidy_at = monotonic() + TIDY_SECONDS
        try:
            self._fetching.clear()
            if self._room.is_tight:
                for digests in self.in_use:
                    self.note_use(*(Path(self._file_of(digest)) for digest in digests()))
            self._room.add(0)
        except OSError as error:
            logger.warning("Nothing more can be kept in %s: %s", self._kept, error)

    def _open(self, digest: str) -> int | None:
        try:
            return os.open(self._file_of(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None

    def _file_of(self, digest: str) -> str:
        return f"{self._folder}/{store.blob_name(digest)}"

    def _is_recorded(self, name: str, sha256: str, size: int) -> bool:
        """Say whether a file was compared; one of which only the records say so is compared later."""
        file = self._folder / name
        try:
            identity = identity_of(file.stat())
        except FileNotFoundError:
            return False
        if self._checked.is_known(sha256, identity):
            return True
        if identity[-1] != size or not self._records.has(sha256, file, identity):
            return False
        self._checked.trust(file, sha256, identity)
        self._taken[file] = _Taken(sha256, size, identity, monotonic())
        return True

    def _is_good_after_all(self, file: Path, taken: "_Taken") -> bool:
        is_same = identity_of(file.stat()) == taken.identity
        return self._is_good_anew(file, taken.sha256, taken.size) and is_same

    def _is_still_good(self, reader: ManifestReader) -> bool:
        file, opened = reader.file, self._opened.get(reader.file)
        try:
            status = file.stat()
            if status.st_ino != reader.inode:
                return False
            if opened is None or status.st_ctime_ns == opened.changed_at:
                return not self._checked.is_faulty(
                    file, identity_of(status)
                )  # as another user of it has seen
            is_good = self._is_good_anew(file, opened.sha256, opened.size)
        except FileNotFoundError:  # it is open: whoever needs it next will see
            return True
        self._opened.put(file, replace(opened, changed_at=status.st_ctime_ns))
        return is_good

    def _take_for_unchanged(self, file: Path, changed_at: int) -> None:
        """Take a manifest for what it was before its use was noted, which changes its inode as well."""
        opened = self._opened.get(file)
        if opened is not None and opened.changed_at == changed_at:
            self._opened.put(file, replace(opened, changed_at=file.stat().st_ctime_ns))

    def _is_good_anew(self, file: Path, sha256: str, size: int) -> bool:
        if self._checked.compare(file, sha256, size, is_anew=True):
            return True
        self._records.forget(sha256)
        if self.is_elsewhere:
            self._checked.replace(file)
        return False


@dataclass(frozen=True, slots=True)
class _Taken:
    """A file that was taken as compared, at a moment of the monotonic clock."""

    sha256: str
    size: int
    identity: Identity
    at: float


@dataclass(frozen=True, slots=True)
class _Opened:
    """A manifest that was opened; `changed_at` is the time of its inode's last change, in nanoseconds."""

    sha256: str
    size: int
    changed_at: int
