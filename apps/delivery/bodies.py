"""A response's parts as one open body: what WhiteNoise, Django and gunicorn send.

A body is opened before the status is sent, so that what is missing or damaged becomes a 503 and never
half an answer.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import BinaryIO, Protocol

from apps.delivery.files import FileFault, current_files
from apps.delivery.respond import BlobPart, Response

SMALL_BYTES = 65_536
PIECE_BYTES = 262_144


class Body(Protocol):
    """As much of a file as it takes to be sent."""

    def read(self, size: int = -1, /) -> bytes: ...
    def close(self) -> None: ...


def open_body(response: Response) -> Body | None:
    """Open the body of a response, None where there is none.

    A blob is compared with its digest before the first of its bytes is sent. What is small is read at
    once. Raises `OSError`, a `FileFault` among them, where a blob cannot be had whole.
    """
    if not response.body:
        return None
    blob = next((part for part in response.body if isinstance(part, BlobPart)), None)
    if blob is None:
        return BytesIO(b"".join(part for part in response.body if isinstance(part, bytes)))
    file = current_files().open_blob(blob.digest, blob.size)
    body = _body(file, response.body)
    if sum(length_of(part) for part in response.body) > SMALL_BYTES:
        return body
    try:
        return BytesIO(b"".join(iter(body.read, b"")))
    finally:
        body.close()


def _body(file: BinaryIO, parts: Sequence[bytes | BlobPart]) -> "FileSlice | FileParts":
    if len(parts) == 1 and isinstance(parts[0], BlobPart):
        return FileSlice(file, parts[0])
    return FileParts(file, parts)


def length_of(part: bytes | BlobPart) -> int:
    """Return how many bytes a part of a body has."""
    return len(part) if isinstance(part, bytes) else part.length


class FileSlice:
    """One range of a blob.

    It has the file's number, so that gunicorn can use sendfile, which begins where the file stands and
    ends with the Content-Length. It has no `seek`, which would be called after that.
    """

    def __init__(self, file: BinaryIO, part: BlobPart) -> None:
        self._file = file
        self._remaining = part.length
        file.seek(part.start)

    def fileno(self) -> int:
        return self._file.fileno()

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, at most 256 KiB; b"" after the last.

        Raises `FileFault` where the file has become shorter: the connection is closed then, so that nobody
        takes what has come for the whole.
        """
        wanted = min(self._remaining, PIECE_BYTES, size if size >= 0 else PIECE_BYTES)
        content = self._file.read(wanted)
        if wanted and not content:
            raise FileFault("a blob ended before its size")
        self._remaining -= len(content)
        return content

    def close(self) -> None:
        self._file.close()


class FileParts:
    """Several ranges of one blob, with what stands between them (multipart/byteranges)."""

    def __init__(self, file: BinaryIO, parts: Sequence[bytes | BlobPart]) -> None:
        self._file = file
        self._pieces = self._read(parts)

    def read(self, size: int = -1, /) -> bytes:
        """Return the next piece, at most 256 KiB whatever `size` is; b"" after the last."""
        return next(self._pieces, b"")

    def close(self) -> None:
        self._file.close()

    def _read(self, parts: Sequence[bytes | BlobPart]) -> Iterator[bytes]:
        for part in parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from iter(FileSlice(self._file, part).read, b"")
