"""The access log: a JSON line for each request, written by a thread of its own, many at once.

A request costs an append to a queue. Once a second what has gathered is written; where the disk is
slower than that, lines are dropped and counted, since a log must not be what stops a site.
"""

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

FLUSH_SECONDS = 1.0
MOST_WAITING = 500_000

type Line = tuple[float, str, bytes, bytes, int, int, Mapping[bytes, bytes]]


class AccessLog:
    """Writes to `target`: a file's path, or `-` for standard output.

    The file is opened anew for each batch, so that it may be renamed (logrotate) without a signal.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._lines: deque[Line] = deque()
        self._dropped = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="assetsite-access-log", daemon=True)
        self._thread.start()

    def add(
        self, peer: str, method: bytes, target: bytes, status: int, size: int, headers: Mapping[bytes, bytes]
    ) -> None:
        """Note a request: who asked for what, what the answer was, how many bytes its body has."""
        if len(self._lines) < MOST_WAITING:
            self._lines.append((time.time(), peer, method, target, status, size, headers))
        else:
            self._dropped += 1

    def close(self) -> None:
        """Write what is left, and end."""
        self._ended.set()
        self._thread.join()

    def _write_all(self) -> None:
        while not self._ended.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        texts = [_as_json(self._lines.popleft()) for _ in range(len(self._lines))]
        dropped, self._dropped = self._dropped, 0
        if not texts:
            return
        if dropped:
            texts.append(json.dumps({"dropped": dropped}) + "\n")
        try:
            self._write("".join(texts))
        except OSError as error:
            print(f"The access log {self._target} cannot be written: {error}", file=sys.stderr)

    def _write(self, text: str) -> None:
        if self._target == "-":
            _write_to(sys.stdout, text)
        else:
            with Path(self._target).open("a", encoding="utf-8") as file:
                _write_to(file, text)


def _write_to(file: TextIO, text: str) -> None:
    file.write(text)
    file.flush()


def _as_json(line: Line) -> str:
    at, peer, method, target, status, size, headers = line
    words = {
        "time": round(at, 3),
        "client": peer,
        "method": method.decode("latin-1"),
        "target": target.decode("latin-1"),
        "host": headers.get(b"host", b"").decode("latin-1"),
        "status": status,
        "bytes": size,
        "referer": headers.get(b"referer", b"").decode("latin-1"),
        "agent": headers.get(b"user-agent", b"").decode("latin-1"),
    }
    return json.dumps(words) + "\n"
