"""An answer on its way out of a file, at the pace at which its client takes it.

The kernel copies from the file to the socket (sendfile), so that a file of any size takes no memory,
and what a client does not take yet is not read either. asyncio's transports cannot do that: the socket
is used beside its transport, while that has nothing to write.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from apps.delivery.body_cache import OpenFile
from apps.delivery.resource import BlobPart

# What one client may take before the others have their turn.
TURN_BYTES = 1 << 20


class Owner(Protocol):
    """Whose answer it is."""

    def note_progress(self) -> None: ...
    def finished(self, *, is_whole: bool) -> None: ...


class Sending:
    """One answer: its head, then parts of one file and what stands between them.

    `owner.finished` is called once, unless `start` has returned that all is out already.
    """

    def __init__(
        self, owner: Owner, transport: Any, begin: bytes, parts: Iterable[bytes | BlobPart], file: OpenFile
    ) -> None:
        self._owner = owner
        self._transport = transport
        self._file = file
        self._left: deque[Any] = deque([begin])
        self._left.extend(part if isinstance(part, bytes) else (part.start, part.length) for part in parts)
        self._loop = asyncio.get_running_loop()
        # A number of its own: an event loop lets nobody else wait for the one that its transport has.
        self._socket = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        self._is_watched = False

    def start(self) -> bool:
        """Send what the client takes at once; return whether that was all of it."""
        self._transport.pause_reading()
        if self._transport.get_write_buffer_size():
            self._transport.set_write_buffer_limits(0)  # so that `go_on` comes when all before this is out
            return False
        try:
            self._send()
        except OSError:
            self._loop.call_soon(self._on_writable)  # it fails again, and is told then
        if self._left:
            self._watch()
            return False
        self.stop()
        self._transport.resume_reading()
        return True

    def go_on(self) -> None:
        """Begin, since the client has taken what there was before."""
        self._on_writable()

    def stop(self) -> None:
        """Send nothing any more."""
        if self._socket.fileno() >= 0:
            if self._is_watched:
                self._loop.remove_writer(self._socket.fileno())
            self._socket.close()

    def _watch(self) -> None:
        if not self._is_watched and self._socket.fileno() >= 0:
            self._is_watched = True
            self._loop.add_writer(self._socket.fileno(), self._on_writable)

    def _on_writable(self) -> None:
        if self._socket.fileno() < 0:
            return
        try:
            self._send()
        except OSError:  # the client has gone, or the file has
            self.stop()
            self._owner.finished(is_whole=False)
            return
        if self._left:
            self._watch()
        else:
            self.stop()
            self._owner.finished(is_whole=True)

    def _send(self) -> None:
        """Send until the client takes no more, its turn is over, or nothing is left."""
        left = TURN_BYTES
        while self._left and left > 0:
            try:
                sent = self._send_next(left)
            except BlockingIOError:
                return
            left -= sent
            self._owner.note_progress()

    def _send_next(self, most: int) -> int:
        part = self._left[0]
        if isinstance(part, tuple):
            start, length = part
            sent = os.sendfile(self._socket.fileno(), self._file.fileno(), start, min(length, most))
            if not sent:
                raise OSError("a blob ended before its size")
            rest: Any = (start + sent, length - sent) if sent < length else None
        else:
            sent = self._socket.send(part, socket.MSG_MORE if len(self._left) > 1 else 0)
            rest = part[sent:]
        if rest:
            self._left[0] = rest
        else:
            self._left.popleft()
        return sent
