"""Which files this machine has read whole, and found to be what they should be: no page reads them again.

What is remembered goes with the file's identity on the disk, which writing to it, replacing it or moving it
changes. What rots on the disk without a write is not seen by that: before a switch every byte is read anew.
"""

import json
import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from apps.assets.exceptions import AssetRefusal
from apps.releases.local_files import keep_file, kept_file

logger = logging.getLogger(__name__)


def verified_at(file: Path, sha256: str) -> datetime | None:
    """Return when `file`, as it lies there now, was read and had this SHA-256 (hex); None for never."""
    with suppress(OSError, ValueError, KeyError):
        if kept := kept_file(_name(sha256)):
            found = json.loads(kept.read_text())
            if found["identity"] == _identity(file):
                return datetime.fromisoformat(found["at"])
    return None


def note_verified(file: Path, sha256: str) -> None:
    """Remember that `file` was just read and has this SHA-256 (hex); where that fails it is read again."""
    words = json.dumps({"identity": _identity(file), "at": datetime.now(tz=UTC).isoformat()})
    try:
        keep_file(_name(sha256), lambda kept: kept.write_text(words))
    except (OSError, AssetRefusal):
        logger.warning("That %s was verified could not be remembered.", file, exc_info=True)


def _identity(file: Path) -> list[int]:
    found: os.stat_result = file.stat()
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _name(sha256: str) -> str:
    return f"verified-{sha256}.json"
