"""Where bytes lie: content-addressed blobs, manifests and pointers in the storage `STORAGES["blobs"]`.

The storage is Django's: a folder by default, S3 through django-storages. What this module adds is
what Django's interface does not promise: a name appears only when all its bytes are there and on
disk, and a blob is read back and compared with its name before anybody can refer to it.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from apps.assets.exceptions import BlobDamaged

CHUNK_BYTES = 1 << 20
TEMPORARY_PREFIX = "unfinished-"


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


def put_blob(chunks: Iterable[bytes]) -> StoredBlob:
    """Store bytes under their SHA-256, hashing while they are written; return their name and size.

    Bytes that are there already are not written again. Raises what `chunks` raises, `OSError` where
    the disk is full, and `BlobDamaged` where what is read back differs; nothing is left behind then.
    """
    with temporary_file() as file:
        digest, size = hashlib.sha256(), 0
        with file.open("wb") as target:
            for chunk in chunks:
                digest.update(chunk)
                target.write(chunk)
                size += len(chunk)
        name = digest.hexdigest()
        put_file(blob_name(name), file, sha256=name)
    return StoredBlob(name, size)


def put_file(name: str, file: Path, *, sha256: str) -> None:
    """Move a finished temporary file to `name`, durably and at once, unless `name` exists already.

    Raises `BlobDamaged` if what lies there afterwards does not have the given SHA-256.
    """
    target = local_path(name)
    if target is None:
        _upload(name, file, sha256=sha256)
        return
    if target.exists() and target.stat().st_size == file.stat().st_size:
        return
    with file.open("rb") as written:
        os.fsync(written.fileno())
        if hashlib.file_digest(written, "sha256").hexdigest() != sha256:
            raise BlobDamaged(
                f"{name} was not read back as it was written.", next_step="Check the disk, try again."
            )
    _make_folders(target.parent)
    file.chmod(0o444)
    file.rename(target)
    _sync_folder(target.parent)


def replace(name: str, content: bytes) -> None:
    """Give `name` this content, durably: a reader sees the old content or the new, never a part."""
    target = local_path(name)
    if target is None:
        place = storage()
        place.save(name, ContentFile(content))
        return
    with temporary_file() as file:
        with file.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        _make_folders(target.parent)
        file.replace(target)
        _sync_folder(target.parent)


def read(name: str) -> bytes | None:
    """Return the content of `name`, or None if there is no such name."""
    try:
        with storage().open(name, "rb") as stream:
            return cast("bytes", stream.read())
    except FileNotFoundError:
        return None


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
    folder = temporary_folder()
    _make_folders(folder)
    handle, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=folder)
    os.close(handle)
    file = Path(name)
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

    To be called when nothing writes, or with an age that no writer reaches.
    """
    removed = []
    newest = time.time() - older_than_seconds
    for file in temporary_folder().glob(TEMPORARY_PREFIX + "*"):
        with suppress(FileNotFoundError):
            if file.stat().st_mtime <= newest:
                file.unlink()
                removed.append(file)
    return removed


def _upload(name: str, file: Path, *, sha256: str) -> None:
    place = storage()
    if place.exists(name) and place.size(name) == file.stat().st_size:
        return
    with file.open("rb") as stream:
        place.save(name, File(stream, name=name))
    with place.open(name, "rb") as stored:
        digest = hashlib.sha256()
        for chunk in chunks_of(cast("BinaryIO", stored)):
            digest.update(chunk)
    if digest.hexdigest() != sha256:
        place.delete(name)
        raise BlobDamaged(
            f"{name} was not read back as it was written.", next_step="Check the storage, try again."
        )


def _make_folders(folder: Path) -> None:
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
