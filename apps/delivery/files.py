"""Manifests and blobs as files on this machine.

Where the storage is a folder they are its files. Where it is elsewhere, they are fetched once, compared
with their digest, and kept in the node's own folder, so that what was served once is served again
with the storage down.
"""

import hashlib
import os
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

from django.conf import settings

from apps.assets import store


class FileFault(OSError):
    """A file that is missing, or is not what its name says."""


_fetching: dict[str, Lock] = {}
_fetching_guard = Lock()


def node_folder() -> Path:
    """Return where this machine keeps what it fetched from storage."""
    return Path(settings.DATA_DIR) / "node"


def ready_blob(digest: str, size: int) -> Path | None:
    """Return the file of a blob that is on this machine, None where it has to be fetched first."""
    name = store.blob_name(digest)
    file = store.local_path(name) or node_folder() / name
    return file if store.local_path(name) is not None or _is_whole(file, size) else None


def fetch_blob(digest: str, size: int) -> Path:
    """Return the file of a blob, fetched if need be. Raises `OSError` where it cannot be had."""
    return local_file(store.blob_name(digest), sha256=digest, size=size)


def open_blob(digest: str, size: int) -> BinaryIO:
    """Open a blob for reading. Raises `OSError`, a `FileFault` where it has another size."""
    file = local_file(store.blob_name(digest), sha256=digest, size=size).open("rb")
    if os.fstat(file.fileno()).st_size != size:
        file.close()
        raise FileFault(f"blob {digest} does not have its {size} bytes")
    return file


def local_file(name: str, *, sha256: str, size: int) -> Path:
    """Return the file that holds `name` of the storage. Raises `OSError` where it cannot be had.

    What was fetched is fetched again where it has not its `size` any more.
    """
    local = store.local_path(name)
    if local is not None:
        return local
    kept = node_folder() / name
    if not _is_whole(kept, size):
        _fetch_once(name, kept, sha256, size)
    return kept


def keep(name: str, content: bytes) -> None:
    """Keep what storage says under `name`, for a start while it is down."""
    with store.temporary_file() as unfinished:
        unfinished.write_bytes(content)
        _give_name(unfinished, node_folder() / name)


def kept(name: str) -> bytes | None:
    """Return what was kept of `name`, None if nothing was."""
    file = node_folder() / name
    return file.read_bytes() if file.exists() else None


def _is_whole(kept: Path, size: int) -> bool:
    try:
        return kept.stat().st_size == size
    except FileNotFoundError:
        return False


def _fetch_once(name: str, kept: Path, sha256: str, size: int) -> None:
    """Fetch a file, or wait for who is fetching it already."""
    with _fetching_guard:
        lock = _fetching.setdefault(name, Lock())
    with lock:
        if not _is_whole(kept, size):
            _fetch(name, kept, sha256)
    with _fetching_guard:
        _fetching.pop(name, None)


def _fetch(name: str, kept: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with store.temporary_file() as unfinished:
        try:
            with store.storage().open(name, "rb") as source, unfinished.open("wb") as target:
                for chunk in store.chunks_of(cast("BinaryIO", source)):
                    digest.update(chunk)
                    target.write(chunk)
        except OSError:
            raise
        except Exception as error:  # what a storage raises is its client library's own
            raise FileFault(f"{name} cannot be fetched from storage: {error}") from error
        if digest.hexdigest() != sha256:
            raise FileFault(f"{name} in storage is damaged: it does not have the digest {sha256}")
        _give_name(unfinished, kept)


def _give_name(unfinished: Path, file: Path) -> None:
    with unfinished.open("rb") as written:
        os.fsync(written.fileno())  # else a power cut could leave the name and not the bytes
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(file)
