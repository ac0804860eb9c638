"""Where bytes lie: content-addressed blobs, manifests and pointers in the storage `STORAGES["blobs"]`.

The storage is Django's: a folder by default, S3 through django-storages. What this module adds is
what Django's interface does not promise: a name appears only when all its bytes are there and on
disk, and a blob is read back and compared with its name before anybody can refer to it. Whatever is
interrupted, even by a power cut, leaves nothing under a final name, at most `unfinished-…` files
(`remove_unfinished`). docs/adr/0020 has the reasons and figures.
"""

import hashlib
import io
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Protocol, cast, runtime_checkable

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from apps.assets.disk import in_parallel, make_folders, sync_all
from apps.assets.exceptions import BlobDamaged
from apps.assets.room import refusing_full

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
TEMPORARY_PREFIX = "unfinished-"
_READ_ONLY = 0o444

on_use: list[Callable[[Iterable[str]], Iterable[str]]] = []
"""Who is told which names are going to be referred to, and says which of them were about to be removed."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob that lies in storage: SHA-256 in hex, and how many bytes."""

    digest: str
    size_bytes: int


def storage() -> Storage:
    """Return the storage that holds blobs, manifests and pointers."""
    return storages["blobs"]


def blob_name(digest: str) -> str:
    """Return the name in storage of the blob with this SHA-256 (hex)."""
    return f"blobs/sha256/{digest[:2]}/{digest[2:4]}/{digest}"


def local_path(name: str) -> Path | None:
    """Return where `name` lies on this machine, or None if the storage is elsewhere."""
    place = storage()
    return Path(place.path(name)) if isinstance(place, FileSystemStorage) else None


class Batch:
    """Blobs that are written one by one and appear in storage together (see `writing`)."""

    def __init__(self) -> None:
        self._files: dict[str, _Finished] = {}
        self._reused: dict[str, int] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._files)

    def add(self, chunks: Iterable[bytes]) -> StoredBlob:
        """Hash bytes and write them to a temporary file; return what their name and size will be.

        Of what storage has already nothing is kept, and if it is small nothing is written meanwhile.
        Raises what `chunks` raises, `StorageFull`, `StorageNotWritable`; what was added before stays.
        """
        digest = hashlib.sha256()
        pieces = _hashing(chunks, digest)
        held = list(_up_to(CHUNK_BYTES, pieces))
        blob = StoredBlob(digest.hexdigest(), sum(map(len, held)))
        is_whole = blob.size_bytes < CHUNK_BYTES
        if is_whole and self._has(blob):
            return blob
        file = _new_temporary_file()
        try:
            size_bytes = _write(file, chain(held, pieces))
            if not is_whole and self._has(blob := StoredBlob(digest.hexdigest(), size_bytes)):
                file.unlink()
                return blob
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        self._files[blob.digest] = _Finished(blob_name(blob.digest), file, blob.digest)
        self.size_bytes += blob.size_bytes
        return blob

    def take_out(self, digest: str) -> None:
        """Forget a blob that was added and is not wanted after all."""
        if finished := self._files.pop(digest, None):
            self.size_bytes -= finished.file.stat().st_size
            finished.file.unlink()

    def finish(self) -> None:
        """Bring what was added to storage.

        Raises `BlobDamaged` where something else is read back, and where what storage had is gone again.
        """
        noted = _say_used(each.name for each in self._files.values()) | _say_used(self._reused)
        _put(list(self._files.values()))
        self._files.clear()
        _refuse_gone({name: size for name, size in self._reused.items() if name in noted})

    def discard(self) -> None:
        """Remove the temporary files that are left."""
        for finished in self._files.values():
            finished.file.unlink(missing_ok=True)

    def _has(self, blob: StoredBlob) -> bool:
        name = blob_name(blob.digest)
        is_there = is_stored(name, size_bytes=blob.size_bytes)
        if is_there:
            self._reused[name] = blob.size_bytes
        return is_there or blob.digest in self._files


@contextmanager
def writing() -> Iterator[Batch]:
    """Give a batch to add blobs to; when the block ends they are in storage, durably, or none is left.

    A batch makes many small files fast: their syncs overlap. Keep it to some hundred files.
    """
    batch = Batch()
    try:
        yield batch
        batch.finish()
    finally:
        batch.discard()


def put_blob(chunks: Iterable[bytes]) -> StoredBlob:
    """Store bytes under their SHA-256, hashing while they are written; return their name and size.

    Bytes that are there already are not written again. Raises what `chunks` raises, `StorageFull`,
    `StorageNotWritable`, and `BlobDamaged` where what is read back differs; nothing is left behind then.
    """
    with writing() as batch:
        return batch.add(chunks)


def put_file(name: str, file: Path, *, sha256: str) -> None:
    """Move a finished temporary file to `name`, durably and at once, unless `name` exists already.

    Raises as `put_blob` does: `BlobDamaged` if the file does not have the given SHA-256.
    """
    _say_used([name])
    if not is_stored(name, size_bytes=file.stat().st_size):
        file.chmod(_READ_ONLY)
        _put([_Finished(name, file, sha256)])


def is_stored(name: str, *, size_bytes: int) -> bool:
    """Say whether `name` is in storage with that size.

    A name appears only when its bytes are complete, so another size means that something else has
    damaged them since: that is logged, and whoever has the bytes may put them there again. Damage
    that leaves the size is not looked for here, since that takes reading everything.
    """
    stored = _size_of(name)
    if stored is None or stored == size_bytes:
        return stored is not None
    logger.error("%s has %d bytes in storage instead of %d: it is replaced.", name, stored, size_bytes)
    return False


def replace(name: str, content: bytes) -> None:
    """Give `name` this content, durably: a reader sees the old content or the new, never a part.

    Raises `StorageFull`, `StorageNotWritable`, or what the storage raises; the old content stays then.
    """
    target = local_path(name)
    if target is None:
        place = storage()
        place.save(name, ContentFile(content))
        return
    with refusing_full(target.parent), temporary_file() as file:
        with file.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        changed = make_folders(target.parent)
        file.replace(target)
        sync_all([*changed, target.parent], below=target.parent)


def remove(name: str) -> None:
    """Take `name` out of storage, if it is there. Blobs and manifests are for `leftovers` to remove."""
    storage().delete(name)


def read(name: str) -> bytes | None:
    """Return the content of `name`, or None if there is no such name."""
    try:
        with storage().open(name, "rb") as stream:
            return cast("bytes", stream.read())
    except FileNotFoundError:
        return None


def read_unless(name: str, tag: str) -> tuple[bytes | None, str]:
    """Return the content of `name`, and a tag that another content would not have.

    The content is None where it still has the given tag ("" is no content's). Costs no transfer then,
    where the storage can be asked so. Raises `FileNotFoundError` where there is no such name.
    """
    place = storage()
    if isinstance(place, _Conditional):
        return place.read_unless(name, tag)
    with place.open(name, "rb") as stream:
        content = cast("bytes", stream.read())
    found = hashlib.sha256(content).hexdigest()
    return (None if found == tag else content), found


def download(name: str, file: Path) -> str:
    """Copy `name` from storage to a file, in pieces; return the SHA-256 (hex) of what came."""
    digest = hashlib.sha256()
    with storage().open(name, "rb") as stream:
        _write(file, _hashing(chunks_of(cast("BinaryIO", stream)), digest))
    return digest.hexdigest()


def open_blob(digest: str) -> BinaryIO:
    """Open a blob for reading. Raises `FileNotFoundError` where storage lacks it."""
    return cast("BinaryIO", storage().open(blob_name(digest), "rb"))


def read_blob(digest: str) -> bytes:
    """Return a whole blob; for small ones."""
    with open_blob(digest) as stream:
        return stream.read()


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """Yield a stream's bytes in pieces of at most 1 MiB."""
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


@contextmanager
def temporary_file() -> Iterator[Path]:
    """Give a path for a file that is not finished; it is gone afterwards unless it was moved."""
    file = _new_temporary_file()
    try:
        yield file
    finally:
        with suppress(FileNotFoundError):
            file.unlink()


def temporary_folder() -> Path:
    """Return the folder of unfinished files, on the same file system as a local storage."""
    root = local_path("unfinished")
    return root if root is not None else Path(settings.DATA_DIR) / "unfinished"


def remove_unfinished(*, older_than_seconds: float = 0) -> list[Path]:
    """Remove what interrupted work left in the temporary folder; return what was removed.

    A file's name says which process writes it: while that runs, the file stays.
    """
    removed = []
    newest = time.time() - older_than_seconds
    for file in temporary_folder().glob(TEMPORARY_PREFIX + "*"):
        with suppress(FileNotFoundError):
            if file.stat().st_mtime <= newest and not _is_being_written(file):
                file.unlink()
                removed.append(file)
    return removed


@runtime_checkable
class _Conditional(Protocol):
    """A storage that can be asked for a content unless it is known."""

    def read_unless(self, name: str, tag: str) -> tuple[bytes | None, str]: ...


@dataclass(frozen=True, slots=True)
class _Finished:
    """A temporary file that has all its bytes, and the name and SHA-256 (hex) that it shall have."""

    name: str
    file: Path
    sha256: str


def _say_used(names: Iterable[str]) -> set[str]:
    """Say that these names will be referred to; return those that were to be removed, and may be gone."""
    used = list(names)
    return {noted for say in on_use for noted in say(used)}


def _refuse_gone(reused: Mapping[str, int]) -> None:
    for name, size_bytes in reused.items():
        if not is_stored(name, size_bytes=size_bytes):
            raise BlobDamaged(
                f"{name} was removed from storage this moment, since nothing referred to it.",
                next_step="Do the same again: it is written anew.",
            )


def _is_being_written(file: Path) -> bool:
    """Say whether the process that a temporary file is named after runs, and is not this one."""
    process, dash, _ = file.name.removeprefix(TEMPORARY_PREFIX).partition("-")
    if not (dash and process.isdigit()) or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)  # no signal: only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs as somebody else
    return True


def _new_temporary_file() -> Path:
    folder = temporary_folder()
    with refusing_full(folder):
        make_folders(folder)
        handle, name = tempfile.mkstemp(prefix=f"{TEMPORARY_PREFIX}{os.getpid()}-", dir=folder)
    os.close(handle)
    return Path(name)


def _hashing(chunks: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    """Pass `chunks` on and into `digest`."""
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _up_to(size_bytes: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Take from `chunks` what there is, or the first of them that have `size_bytes` together."""
    taken = 0
    while taken < size_bytes and (chunk := next(chunks, None)) is not None:
        taken += len(chunk)
        yield chunk


def _write(file: Path, chunks: Iterable[bytes]) -> int:
    """Write to `file`; return how many bytes."""
    size = 0
    # Unbuffered, so that closing cannot fail on bytes that the disk has refused already.
    with io.FileIO(file, "wb") as target:
        os.fchmod(target.fileno(), _READ_ONLY)
        for chunk in chunks:
            size += len(chunk)
            rest = memoryview(chunk)
            with refusing_full(file.parent):
                while rest:
                    rest = rest[target.write(rest) :]
    return size


def _put(finished: Sequence[_Finished]) -> None:
    """Bring finished files to storage; each name appears only when its bytes are safe."""
    root = local_path("")
    if root is None:
        in_parallel(_upload, finished)
        return
    with refusing_full(root):
        sync_all([each.file for each in finished], below=root)
        in_parallel(_verify, finished)
        sync_all(list(_rename(root, finished)), below=root)


def _verify(finished: _Finished) -> None:
    """Read a file from disk, past the memory that it was written from."""
    with finished.file.open("rb", buffering=0) as written:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(written.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if hashlib.file_digest(written, "sha256").hexdigest() != finished.sha256:
            raise _damaged(finished.name, "disk")


def _rename(root: Path, finished: Sequence[_Finished]) -> set[Path]:
    """Give files their final names; return the folders whose entries have to be synced."""
    changed: set[Path] = set()
    for each in finished:
        target = root / each.name
        changed |= {target.parent, *make_folders(target.parent)}
        each.file.rename(target)
    return changed


def _upload(finished: _Finished) -> None:
    place = storage()
    with finished.file.open("rb") as stream:
        place.save(finished.name, File(stream, name=finished.name))
    with place.open(finished.name, "rb") as stored:
        digest = hashlib.sha256()
        for chunk in chunks_of(cast("BinaryIO", stored)):
            digest.update(chunk)
    if digest.hexdigest() != finished.sha256:
        place.delete(finished.name)
        raise _damaged(finished.name, "storage")
    finished.file.unlink()


def _damaged(name: str, medium: str) -> BlobDamaged:
    return BlobDamaged(
        f"{name} was not read back as it was written.", next_step=f"Check the {medium}, then try again."
    )


def _size_of(name: str) -> int | None:
    place = storage()
    try:
        if isinstance(place, FileSystemStorage):
            return Path(place.location, name).stat().st_size
        return place.size(name)
    except FileNotFoundError:
        return None
