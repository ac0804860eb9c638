"""HTTP to a cache or to a vendor: one connection for several requests, a time limit, refusals in words."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

from apps.caching.patience import fault_in_words, hung_up_after
from apps.caching.purging.contract import PurgeFailed, TryLater

SECONDS, MOST_SECONDS = 15.0, 60.0  # for each read, and for an answer
_READ_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Server:
    """Where requests go."""

    host: str
    port: int
    is_tls: bool

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


class Conversation:
    """Requests to one server, one after the other; used as a context manager."""

    def __init__(self, server: Server) -> None:
        self._server = server
        if server.is_tls:
            context = ssl.create_default_context()
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                server.host, server.port, timeout=SECONDS, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(server.host, server.port, timeout=SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        fine: tuple[int, ...],
    ) -> bytes:
        """Return the answer's body, 64 KiB at most, if its status is one of `fine`.

        Raises `TryLater` where the server is not reached, fails, or says that it is too much; `PurgeFailed`
        for every other answer.
        """
        place = self._server.place
        try:
            with hung_up_after(MOST_SECONDS, self._connection):
                self._connection.request(method, target, body or None, dict(headers))
                answer = self._connection.getresponse()
                read = answer.read(_READ_BYTES)
            if not answer.isclosed():
                self._connection.close()
        except (OSError, http.client.HTTPException, UnicodeError) as error:  # that is of a host's name
            self._connection.close()
            said = f"{type(error).__name__}: {fault_in_words(error)}"
            raise TryLater(f"{place} was not reached: {said}") from error
        if answer.status in fine:
            return read
        words = f"{place} answered {method} {target} with {answer.status}"
        if answer.status in (408, 425, 429) or answer.status >= 500:
            raise TryLater(words, after_seconds=_seconds(answer.getheader("retry-after")))
        raise PurgeFailed(words)


def said_in(body: bytes) -> dict[str, Any]:
    """Return the object that a vendor's answer is, {} where it is none: a page of something on the way."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _seconds(value: str | None) -> float | None:
    """Read Retry-After (RFC 9110 section 10.2.3): seconds, or a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
