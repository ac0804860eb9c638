"""Which files have been compared with their SHA-256, for as long as they are the same files.

A file is the same as long as device, inode, time of change and size are. It is compared once in a
process, before the first of its bytes is sent, and what was found damaged is not read again at each
request.
"""

import hashlib
import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from apps.delivery.recent import Recent

logger = logging.getLogger(__name__)

_KNOWN_FILES = 8_192
_FAULTY_FILES = 1_000
_RECORDS = 64

type Identity = tuple[int, int, int, int]

_MISSING: Identity = (0, 0, 0, 0)


def identity_of(status: os.stat_result) -> Identity:
    """Return what tells a file from another under the same name, and from itself after a change."""
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


class Checked:
    """What a process knows of its files. Safe for use by several threads.

    `replaced` counts the damaged copies that were removed.
    """

    def __init__(self) -> None:
        self._known: Recent[str, Identity] = Recent(_KNOWN_FILES)
        self._faulty: dict[Path, Identity] = {}
        self.replaced = 0

    @property
    def faulty(self) -> list[Path]:
        """The files that were found missing or damaged, and are so still."""
        return sorted(file for file, found in list(self._faulty.items()) if _identity_now(file) == found)

    def is_faulty(self, file: Path, identity: Identity) -> bool:
        """Say whether this very file was found damaged."""
        return self._faulty.get(file) == identity

    def is_known(self, sha256: str, identity: Identity) -> bool:
        """Say whether this very file was found to have this digest."""
        return self._known.get(sha256) == identity

    def is_good(self, sha256: str, identity: Identity, body: bytes) -> bool:
        """Say whether the file from which `body` was read has this digest."""
        if self.is_known(sha256, identity):
            return True
        is_good = hashlib.sha256(body).hexdigest() == sha256
        if is_good:
            self._known.put(sha256, identity)
        return is_good

    def trust(self, file: Path, sha256: str, identity: Identity) -> None:
        """Take it as compared."""
        self._faulty.pop(file, None)
        self._known.put(sha256, identity)

    def compare(self, file: Path, sha256: str, size: int, *, is_anew: bool = False) -> bool:
        """Say whether a file has this digest and size; read it where that is not known, or `is_anew`.

        Raises `OSError` where it cannot be read.
        """
        with file.open("rb") as stream:
            identity = identity_of(os.fstat(stream.fileno()))
            if self.is_known(sha256, identity) and not is_anew:
                return True
            if self._faulty.get(file) == identity:
                return False
            if identity[-1] == size and hashlib.file_digest(stream, "sha256").hexdigest() == sha256:
                self.trust(file, sha256, identity)
                return True
        self._known.put(sha256, _MISSING)
        self._report(file, identity, f"is damaged: it does not have its {size} bytes with SHA-256 {sha256}")
        return False

    def miss(self, file: Path) -> None:
        """Note that a file is not there, although it ought to be."""
        if self._faulty.get(file) != _MISSING:
            self._report(file, _MISSING, "is missing")

    def replace(self, file: Path) -> None:
        """Remove a damaged copy: another will take its place, unless that has been done."""
        if self._faulty.pop(file, None) != _identity_now(file):
            return
        file.unlink(missing_ok=True)
        self.replaced += 1
        logger.error("%s is removed, and fetched again.", file)

    def _report(self, file: Path, identity: Identity, words: str) -> None:
        if len(self._faulty) >= _FAULTY_FILES:
            self._faulty.clear()
        self._faulty[file] = identity
        logger.error("%s %s.", file, words)


class Records:
    """The manifests that this machine has compared, in a file: the next start need not wait for it.

    To compare a large manifest can take as long as all the rest of a start.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def has(self, sha256: str, file: Path, identity: Identity) -> bool:
        """Say whether this very file was compared with this digest."""
        return self._read().get(sha256) == [str(file), *identity]

    def add(self, sha256: str, file: Path, identity: Identity) -> None:
        """Remember a comparison. Where that cannot be written, the next start compares again."""
        latest = list(self._others(sha256).items())[1 - _RECORDS :]
        self._write(dict(latest) | {sha256: [str(file), *identity]})

    def forget(self, sha256: str) -> None:
        """Compare anew at the next start."""
        self._write(self._others(sha256))

    def _others(self, sha256: str) -> dict[str, list[str | int]]:
        return {key: record for key, record in self._read().items() if key != sha256}

    def _write(self, records: dict[str, list[str | int]]) -> None:
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(records))  # cut short it is no JSON, and says nothing

    def _read(self) -> dict[str, list[str | int]]:
        try:
            records = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return records if isinstance(records, dict) else {}


def _identity_now(file: Path) -> Identity:
    try:
        return identity_of(file.stat())
    except OSError:
        return _MISSING
