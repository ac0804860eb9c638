"""A response's parts as one file: what WhiteNoise, Django and gunicorn send."""

from collections.abc import Sequence
from contextlib import ExitStack
from io import BytesIO, RawIOBase
from typing import BinaryIO

from apps.delivery.files import FileFault, open_blob
from apps.delivery.respond import BlobPart, Response

SMALL_BYTES = 65_536

type Body = BytesIO | FileSlice | Joined


def open_body(response: Response) -> Body | None:
    """Open the body of a response, None where there is none.

    Every blob is opened, and its size compared, before anything is sent. Small bodies are read at
    once. Raises `OSError` where a blob cannot be had whole.
    """
    if not response.body:
        return None
    length = sum(len(part) if isinstance(part, bytes) else part.length for part in response.body)
    if len(response.body) == 1 and isinstance(response.body[0], BlobPart) and length > SMALL_BYTES:
        return _slice(response.body[0])
    if length <= SMALL_BYTES:
        return BytesIO(b"".join(_read(part) for part in response.body))
    return Joined([BytesIO(part) if isinstance(part, bytes) else _slice(part) for part in response.body])


def _read(part: bytes | BlobPart) -> bytes:
    if isinstance(part, bytes):
        return part
    with _slice(part) as stream:
        content = stream.read()
    if len(content) != part.length:
        raise FileFault(f"blob {part.digest} ended too early")
    return content


def _slice(part: BlobPart) -> "FileSlice":
    file = open_blob(part.digest, part.size)
    file.seek(part.start)
    return FileSlice(file, part.length)


class FileSlice(RawIOBase):
    """The next `length` bytes of a file.

    It has the file's number, so that gunicorn can use sendfile, which begins where the file stands and
    ends with the Content-Length.
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._remaining = length

    def fileno(self) -> int:
        return self._file.fileno()

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move within the underlying file: sendfile notes there how far it came."""
        return self._file.seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self._remaining if size is None or size < 0 else min(size, self._remaining)
        content = self._file.read(wanted)
        self._remaining -= len(content)
        return content

    def close(self) -> None:
        self._file.close()
        super().close()


class Joined(RawIOBase):
    """Several files, read one after the other; all are closed together."""

    def __init__(self, files: Sequence[BytesIO | FileSlice]) -> None:
        self._waiting = iter(files)
        self._open = ExitStack()
        for file in files:
            self._open.callback(file.close)
        self._current = next(self._waiting, None)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = 1 << 62
        content = bytearray()
        while self._current is not None and len(content) < size:
            piece = self._current.read(size - len(content))
            content += piece
            if not piece:
                self._current = next(self._waiting, None)
        return bytes(content)

    def close(self) -> None:
        self._open.close()
        super().close()
