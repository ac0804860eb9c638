"""What a disk that takes no more, or may not be written to, is told as."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.assets.exceptions import StorageFull, StorageNotWritable

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def refusing_full(folder: Path) -> Iterator[None]:
    """Turn what a disk, or SQLite on it, says into a refusal that names the folder and the next step.

    Raises `StorageFull`, `StorageNotWritable`, and all else as it is.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        raise _full(folder, os.strerror(errno.ENOSPC)) from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise _full(folder, str(error.strerror)) from error
        if error.errno in _NOT_WRITABLE:
            raise StorageNotWritable(
                f"{folder} cannot be written to: {error.strerror}.",
                next_step="Give it to the user that the site runs as, or set DATA_DIR to another folder.",
            ) from error
        raise


def _full(folder: Path, reason: str) -> StorageFull:
    return StorageFull(
        f"There is no room in {folder}: {reason}.",
        next_step=f"Free some (`df -h {folder}` shows what is left), then try again.",
    )
