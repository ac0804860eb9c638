"""Bodies at hand: small files in memory, large ones open. Both are bounded, and digests name both."""

import mmap
import os
from collections.abc import Iterator

from apps.delivery.files import FileFault, LocalFiles
from apps.delivery.recent import Recent
from apps.delivery.resource import BlobPart

# What is copied into memory. Above it a file is sent by the kernel, which costs the same however large it is.
SMALL_BYTES = 65_536
_OPEN_FILES = 512


class OpenFile:
    """A blob, open until nobody refers to it any more. `is_used` since it was last set to False."""

    __slots__ = ("_mapped", "_number", "_size", "is_used")

    def __init__(self, number: int, size: int) -> None:
        self._number = number
        self._size = size
        self._mapped: memoryview | None = None
        self.is_used = True

    def __del__(self) -> None:
        os.close(self._number)

    def fileno(self) -> int:
        self.is_used = True
        return self._number

    def part(self, start: int, end: int) -> memoryview:
        """Return the bytes from `start` up to, not including, `end`, without reading them.

        They are for the kernel alone, which copies them to a socket: a file that has become shorter is an
        error there, and would be the end of a process that touches them.
        """
        self.is_used = True
        if self._mapped is None:
            self._mapped = memoryview(mmap.mmap(self._number, self._size, prot=mmap.PROT_READ))
        return self._mapped[start:end]


class BodyCache:
    """The blobs that were asked for lately. `most_bytes` bounds what is kept of them in memory."""

    def __init__(self, most_bytes: int, files: LocalFiles) -> None:
        self._files = files
        self._small: Recent[str, bytes] = Recent(most_bytes, weigh=_weight)
        self._open: Recent[str, OpenFile] = Recent(_OPEN_FILES)

    def whole(self, digest: str, size: int) -> bytes | None:
        """Return a small blob, None if it is a large one or has to be brought first. Raises `OSError`."""
        body = self._small.get(digest)
        if body is None and size <= SMALL_BYTES:
            body = self._files.read_small(digest, size)
            if body is not None:
                self._small.put(digest, body)
        return body

    def part(self, digest: str, start: int, end: int) -> bytes | memoryview | None:
        """Return the bytes of a blob from `start` up to, not including, `end`, if it is at hand."""
        body = self._small.get(digest)
        if body is not None:
            return body[start:end]
        file = self._open.get(digest)
        return file.part(start, end) if file is not None else None

    def content_of(self, part: bytes | BlobPart) -> bytes | memoryview:
        """Return the bytes of a part of a response whose blob is at hand."""
        if isinstance(part, bytes):
            return part
        content = self.part(part.digest, part.start, part.start + part.length)
        if content is None:
            raise FileFault(f"blob {part.digest} is not at hand any more")
        return content

    def file(self, digest: str, size: int) -> OpenFile | None:
        """Return a blob as a file, None if it has to be brought first. Raises `OSError`."""
        known = self._open.get(digest)
        if known is None:
            number = self._files.open_compared(digest, size)
            if number is not None:
                known = OpenFile(number, size)
                self._open.put(digest, known)
        return known

    def used(self) -> Iterator[str]:
        """Yield the digests of what is in memory, and of open files that were used since the last time."""
        yield from self._small.snapshot()
        for digest, file in self._open.snapshot().items():
            if file.is_used:
                file.is_used = False
                yield digest


def _weight(body: bytes) -> int:
    return len(body) + 200  # what Python takes for the object, its key and its place
