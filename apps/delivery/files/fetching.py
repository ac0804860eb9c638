"""Brings files from a storage elsewhere: one at a time of a name, and not at once again after a failure."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.assets import store
from apps.assets.exceptions import AssetRefusal, StorageRefuses, StorageUnreachable
from apps.delivery.files.faults import FileFault, Pauses, StorageDown
from apps.delivery.files.locks import alone, alone_if_free

_MOST_PAUSE_SECONDS = 8.0  # for a file that storage lacks, or has damaged
_MOST_PAUSE_OF_STORAGE_SECONDS = 2.0
_ALL_OF_STORAGE = ""
_PART = ".part"


class Fetching:
    """What is fetched by the processes of this machine; `folder` has what is not finished, and locks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pauses = Pauses(most_seconds=_MOST_PAUSE_SECONDS)
        self._down = Pauses(most_seconds=_MOST_PAUSE_OF_STORAGE_SECONDS)

    @property
    def failing(self) -> list[str]:
        """The names of files that could not be fetched, or not be kept, when that was tried last."""
        return self._pauses.names

    @contextmanager
    def alone(self, key: str) -> Iterator[Path]:
        """Let one thread of one process at a time do what `key` says; give it a file to write to.

        What is not moved from there is removed at the end, or by the next one if this process is killed.
        """
        with alone(self._folder / key):
            part = self._folder / f"{key}{_PART}"
            part.unlink(missing_ok=True)
            try:
                yield part
            finally:
                part.unlink(missing_ok=True)

    def fetch(self, name: str, sha256: str, part: Path, file: Path) -> None:
        """Fetch `name` by way of `part`, and give it its place as `file` if it has this SHA-256.

        Raises `StorageDown` or another `FileFault`, and the same again for a second or more.
        """
        self._down.check(_ALL_OF_STORAGE)
        self._pauses.check(name)
        try:
            _download(name, sha256, part)
            _keep(name, part, file)
        except StorageDown as fault:
            self._down.failed(_ALL_OF_STORAGE, fault)
            raise
        except FileFault as fault:
            self._pauses.failed(name, fault)
            raise
        self._down.forget(_ALL_OF_STORAGE)
        self._pauses.forget(name)

    def clear(self) -> None:
        """Remove what was left by processes that were killed."""
        for left in self._folder.glob("*"):
            with alone_if_free(left.with_name(left.name.removesuffix(_PART))) as is_nobodys:
                if is_nobodys:
                    left.unlink(missing_ok=True)


def give_name(part: Path, file: Path) -> None:
    """Give what is finished its place, once its bytes are on disk."""
    with part.open("rb") as written:
        os.fsync(written.fileno())  # else a power cut could leave the name and not the bytes
    file.parent.mkdir(parents=True, exist_ok=True)
    part.replace(file)


def _download(name: str, sha256: str, part: Path) -> None:
    try:
        found = store.download(name, part)
    except FileNotFoundError as error:
        raise FileFault(f"{name} is missing from storage") from error
    except StorageUnreachable as error:
        raise StorageDown(f"{name} cannot be fetched. {error}") from error
    except StorageRefuses as error:  # this one: a bucket that may not be listed says so of what it lacks
        raise FileFault(f"{name} cannot be fetched. {error}") from error
    except (OSError, AssetRefusal) as error:
        raise FileFault(f"{name} cannot be kept here: {error}") from error
    except Exception as error:  # what another storage raises is its client library's own
        raise StorageDown(f"{name} cannot be fetched: {error}") from error
    if found != sha256:
        raise FileFault(f"{name} is damaged in storage: it does not have the SHA-256 {sha256}")


def _keep(name: str, part: Path, file: Path) -> None:
    try:
        give_name(part, file)
    except OSError as error:
        raise FileFault(f"{name} cannot be kept here: {error}") from error
