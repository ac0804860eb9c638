"""Path indexes of the large manifests that are served: made once a machine, kept with its other copies.

A release is served before its index is there: SQLite answers meanwhile. A process of its own makes it,
since reading a million rows here would hold up the visitors of this one. docs/adr/0038 has the reasons.
"""

import logging
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic

from django.conf import settings

from apps.releases.manifest import ManifestFault, ManifestReader, PathIndex

logger = logging.getLogger(__name__)

LEAST_PATHS = 10_000  # with fewer, SQLite and `recent` keep most of them at hand
LOOK_AGAIN_SECONDS = 3.0  # where another process may be making it
REST_SECONDS = 600.0  # after it could not be made, and before one that is not needed is removed


class Indexes:
    """What one process knows of its machine's indexes, which lie in `folder`. For one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._maker: subprocess.Popen[bytes] | None = None
        self._rest_until = 0.0
        self._kept: frozenset[str] | None = None
        self._tidy_at = 0.0

    def give(self, served: Iterable[tuple[ManifestReader, str]]) -> None:
        """Give each manifest its index if it has one by now; let what is missing be made.

        `served` are all the manifests that this process serves, each with its file's SHA-256 (hex).
        """
        needed = {sha256: reader for reader, sha256 in served if reader.path_count >= LEAST_PATHS}
        for sha256, reader in needed.items():
            if reader.index is None:
                self._give(reader, sha256)
        self._tidy(frozenset(needed))

    def _give(self, reader: ManifestReader, sha256: str) -> None:
        file = self._folder / f"{sha256}.index"
        try:
            reader.index = PathIndex(file, sha256=sha256)
        except FileNotFoundError:
            self._make(reader.file, file, sha256)
        except ManifestFault as fault:
            logger.warning("A path index is made again: %s.", fault)
            file.unlink(missing_ok=True)
        except OSError as fault:
            self._give_up(fault)

    def _make(self, manifest: Path, file: Path, sha256: str) -> None:
        """Let a process make an index, one at a time."""
        if self._maker is not None:
            code = self._maker.poll()
            if code is None:
                return
            self._maker = None
            self._rest_until = monotonic() + (REST_SECONDS if code else LOOK_AGAIN_SECONDS)
        if monotonic() < self._rest_until:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "apps.releases.manifest", str(manifest), str(file), sha256]
            self._maker = subprocess.Popen(command, cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL)
        except OSError as fault:
            self._give_up(fault)

    def _give_up(self, fault: OSError) -> None:
        """Say once in a while why there is no index."""
        if monotonic() >= self._rest_until:
            logger.warning("A large manifest is served without its path index: %s.", fault)
            self._rest_until = monotonic() + REST_SECONDS

    def _tidy(self, needed: frozenset[str]) -> None:
        """Remove the indexes of what is not served any more, and were made a while ago.

        Who still reads one has it open. What is left is looked at again until all of it is gone.
        """
        if monotonic() < self._tidy_at or (needed == self._kept and not self._tidy_at):
            return
        others = [file for file in self._files() if file.stem not in needed]
        left = [file for file in others if not _removed_if_old(file)]
        self._kept, self._tidy_at = needed, monotonic() + REST_SECONDS if left else 0.0

    def _files(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except OSError:  # it is not there, or no folder: who writes into it says so
            return []


def _removed_if_old(file: Path) -> bool:
    with suppress(FileNotFoundError):
        if time.time() - file.stat().st_mtime <= REST_SECONDS:
            return False
        file.unlink()
    return True
