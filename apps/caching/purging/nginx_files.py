"""nginx's own copies, on this machine: its purge is a paid part, so the files of an address are removed.

A copy's file is named by a digest of its key and of what it varies by, which cannot be computed for every
visitor, but it begins with a line `KEY: …`. So the folder is gone through once a batch. nginx takes a file
that is gone for a copy that it does not have. What it is still fetching has a number behind the name of its
file, and would be a copy of before once it is whole: it is removed as well, and nothing is kept of it.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from apps.caching.purging.contract import PurgeFailed, Word, sorted_out

_HEAD_BYTES = 4096  # nginx's own header, then KEY and the key; our keys are shorter than addresses may be
_MARK = b"\nKEY: "
# No other file is opened: closing it drops a database's locks.
_NAME = re.compile(r"[0-9a-f]{32}(?:\.[0-9]{10})?")


@dataclass(frozen=True, slots=True)
class NginxFiles:
    """The folder of `proxy_cache_path`, with the key that the export says: host, then path."""

    folder: Path
    batch_size: int = 1_000_000
    tells_keys: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return f"nginx {self.folder}"

    def purge(self, words: Sequence[Word], *, reference: str) -> None:
        _, addresses = sorted_out(words)
        if not self.folder.is_dir():
            raise PurgeFailed(f"{self.folder} is no folder: name that of proxy_cache_path.")
        keys = {f"{one.host}{one.path}".encode() for one in addresses if not one.is_wildcard}
        beginnings = tuple(f"{one.host}{one.path[:-1]}".encode() for one in addresses if one.is_wildcard)
        try:
            for file in self.folder.rglob("*"):
                key = _key(file) if _NAME.fullmatch(file.name) else None
                if key is not None and (key in keys or key.startswith(beginnings)):
                    file.unlink(missing_ok=True)
        except OSError as error:
            raise PurgeFailed(f"{self.folder} cannot be cleared: {error.strerror}.") from error


def _key(file: Path) -> bytes | None:
    """Return the key of the copy in a file, None for what is none or has just gone."""
    with suppress(FileNotFoundError, IsADirectoryError), file.open("rb") as copy:
        head = copy.read(_HEAD_BYTES)
        _, mark, rest = head.partition(_MARK)
        key, end, _ = rest.partition(b"\n")
        return key if mark and end else None
    return None
