"""A connection of the public door: reads requests, answers what is published, hands over everything else.

On one core this decides how many visitors a site bears, so a plain GET goes a straight way: parse, look
up, choose, write. Whatever is not plain goes the way of all front doors (`answers`), and what needs
Django goes to gunicorn's own protocol, with the bytes that were read.
"""

import asyncio
import re
from functools import partial
from typing import Any

import gunicorn_h1c as h1c

from apps.delivery.answers import STORAGE_FAULTS, answer, is_djangos, unreadable
from apps.delivery.files import FileFault
from apps.delivery.front import Front
from apps.delivery.parsing import Incomplete, asks_for_a_head, fields_of, refusal, refusal_of
from apps.delivery.previews.answering import host_of, is_preview
from apps.delivery.resource import Representation, head
from apps.delivery.respond import BlobPart, Request, Response
from apps.delivery.sending import Sending

MOST_UNREAD_BYTES = 65_536
COPIED_BYTES = 131_072  # a part of a file up to this goes out with its head, above it by the kernel
LINGER_SECONDS = 2.0  # for a client to read why it was refused, while what it still sends is thrown away
# Who sends one of these asks for more than a file as it is, or sends something himself.
_NOT_PLAIN = frozenset(
    {
        b"content-length",
        b"if-match",
        b"if-range",
        b"if-unmodified-since",
        b"transfer-encoding",
    }
)
_CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})
_RANGE = re.compile(rb"bytes=([0-9]{1,15})-([0-9]{1,15})")


class PublicConnection(asyncio.Protocol):
    """One connection of a visitor. `since` is when something last came or went, by the front's clock."""

    __slots__ = (
        "_front", "_half_closed", "_is_full", "_is_last", "_is_new", "_is_waiting", "_sending", "_transport",
        "_unread", "peer", "since",
    )  # fmt: skip

    def __init__(self, front: Front) -> None:
        self._front = front
        self._transport: Any = None
        self._unread = b""
        self._sending: Sending | None = None
        self._is_full = False  # of answers that the client does not take
        self._is_waiting = False  # for a blob that is brought
        self._is_last = False  # no request is read after the one that is answered
        self._is_new = True  # nothing has come yet
        self._half_closed = False  # by the client, which still reads
        self.peer = ""
        self.since = front.clock

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if self._front.log is not None:
            self.peer = _address(transport.get_extra_info("peername"))
        self._front.watch(self)
        self._front.worker.nr_conns += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.forget(self)
        self._front.worker.nr_conns -= 1
        if self._sending is not None:
            self._sending.stop()
            self._sending = None

    def eof_received(self) -> bool:
        """Stay open for who sends nothing more but is still to get an answer."""
        self._half_closed = True
        return self._is_busy

    def pause_writing(self) -> None:
        """Answer no more requests until the client has taken the answers that it has."""
        self._is_full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self.since = self._front.clock
        self._is_full = False
        if self._sending is not None:
            self._sending.go_on()
        elif not self._is_waiting:
            self._go_on()

    def data_received(self, data: bytes) -> None:
        if self._is_last:  # what comes after the last request is thrown away
            return
        self._is_new = False
        already = len(self._unread)
        if already:
            data = self._unread + data
        else:  # a request has its time from its first byte on
            self.since = self._front.clock
        self._answer_all(data, already)

    @property
    def _is_busy(self) -> bool:
        return self._sending is not None or self._is_waiting or self._is_full

    @property
    def is_idle(self) -> bool:
        """Whether it only waits for another request; the first one may be on its way already."""
        waits = not (self._is_new or self._is_busy or self._unread)
        return waits and not self._transport.get_write_buffer_size()

    @property
    def patience_seconds(self) -> float:
        """How long nothing may come or go before this connection is in the way."""
        if self._is_busy or self._transport.get_write_buffer_size():
            return self._front.stall_seconds
        if self._is_last:
            return LINGER_SECONDS
        return self._front.head_seconds if self._unread else self._front.idle_seconds

    def note_progress(self) -> None:
        """A client has taken something of what is sent."""
        self.since = self._front.clock

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _answer_all(self, data: bytes, already: int = 0) -> None:
        """Answer the requests in `data` in their order; keep what is not yet a whole one.

        The first `already` bytes were looked at before and had no end of a request in them.
        """
        self._unread = b""
        while data and not self._is_last:
            if self._is_busy:  # what follows waits for its turn
                self._unread = data
                return
            try:
                request = h1c.parse_request_fast(data, already)
            except Incomplete:
                self._keep(data)
                return
            except ValueError as fault:  # every other fault that the parser has a name for
                self._refuse(refusal_of(fault), data)
                return
            already = 0
            headers = dict(request.asgi_headers)
            try:
                is_answered = self._answer_plainly(request, headers)
            except STORAGE_FAULTS:  # the general way says what is wrong
                is_answered = False
            if not is_answered and not self._answer(request, headers, data):
                return
            data = data[request.consumed :]

    def _keep(self, data: bytes) -> None:
        """Wait for the rest of a request, unless it has grown beyond any that would be read."""
        if len(data) > MOST_UNREAD_BYTES:
            self._refuse(refusal(431, ""), data)
        else:
            self._unread = data

    def _answer_plainly(self, request: Any, headers: dict[bytes, bytes]) -> bool:
        """Answer a GET of a small file as it is; return whether it was one.

        Nothing is decided here that `respond` would decide otherwise: a test asks both the same.
        """
        front, target = self._front, request.path
        if (
            request.method != b"GET"
            or front.is_ending
            or not _NOT_PLAIN.isdisjoint(headers)
            or len(headers) != request.header_count
            or not request.minor_version
            or (b"connection" in headers and request.connection_close)
        ):
            return False
        release = front.release_at(headers.get(b"host"))
        resource = release.find_target(target) if release is not None else None
        if resource is None:
            return False
        selected = resource.identity
        accept = headers.get(b"accept-encoding")
        if accept is not None and accept != b"identity" and resource.codings:
            selected = resource.choose(accept.decode("latin-1"))
        if b"range" in headers:
            return self._answer_range(request, headers, selected)
        tags = headers.get(b"if-none-match")
        if tags is None:
            is_plain = b"if-modified-since" not in headers
            body = front.bodies.whole(selected.digest, selected.size) if is_plain else None
            if body is None:
                return False
            self._transport.write(b"".join((selected.whole_head, front.date, body)))
            selected.tally.sent += 1
            selected.tally.body_bytes += selected.size
        elif tags == selected.etag_bytes:
            self._transport.write(selected.not_modified_head + front.date)
            selected.tally.not_modified += 1
        else:
            return False
        if front.log is not None:
            status, size = (200, selected.size) if tags is None else (304, 0)
            front.log.add(self.peer, b"GET", target, status, size, headers)
        front.count()
        return True

    def _answer_range(self, request: Any, headers: dict[bytes, bytes], selected: Representation) -> bool:
        """Answer one range with both its ends, as players and downloads ask; return whether it was one."""
        asked = _RANGE.fullmatch(headers[b"range"])
        if asked is None or not _CONDITIONS.isdisjoint(headers):
            return False
        start, end = int(asked[1]), min(int(asked[2]) + 1, selected.size)
        if not start < end <= start + COPIED_BYTES:
            return False
        front = self._front
        body = front.bodies.part(selected.digest, start, end)
        if body is None:
            return False
        self._transport.writelines((selected.partial_head(start, end) + front.date, body))
        selected.tally.add(206, end - start)
        if front.log is not None:
            front.log.add(self.peer, b"GET", request.path, 206, end - start, headers)
        front.count()
        return True

    def _answer(self, request: Any, headers: dict[bytes, bytes], data: bytes) -> bool:
        """Answer what is not plain; return whether requests are still read here."""
        asked = Request(request.method.decode("latin-1"), request.path.decode("latin-1"), fields_of(request))
        codings = asked.headers.get("transfer-encoding")
        if codings is not None and codings.strip().lower() != "chunked":  # RFC 9112 section 6.1
            self._refuse(refusal(501, ""), data)
            return False
        if is_djangos(asked.target) or is_preview(host_of(asked.target, asked.headers.get("host"))):
            self._hand_over(data)
            return False
        is_old = not request.minor_version
        try:
            response = answer(asked, protocol="HTTP/1.0" if is_old else "HTTP/1.1")
        except STORAGE_FAULTS as fault:
            response = unreadable(asked, fault)
        if response.status < 400:
            self._front.note_host(headers.get(b"host", b""))
        says_close = request.connection_close
        # No published path has a use for a body: it is not read, so nothing may follow it (RFC 9112 9.3).
        has_body = request.content_length > 0 or request.has_chunked
        self._is_last = has_body or says_close == 1 or (is_old and says_close != 0)
        if self._front.log is not None:
            status, size = response.status, response.size
            self._front.log.add(self.peer, request.method, request.path, status, size, headers)
        if self._front.count():
            self._is_last = True
        field = (
            b"Connection: close\r\n" if self._is_last else b"Connection: keep-alive\r\n" if is_old else b""
        )
        if response.hints and not is_old:
            self._transport.write(head(103, (("Link", response.hints),)) + b"\r\n")
        self._send(asked, response, field)
        return not self._is_last

    def _send(self, asked: Request, response: Response, field: bytes, *, was_brought: bool = False) -> None:
        """Send a response, `field` among its headers: at once, or when its blob has been brought."""
        blob = next((part for part in response.body if isinstance(part, BlobPart)), None)
        try:
            is_here = self._send_now(response, blob, field)
        except STORAGE_FAULTS as fault:
            is_here = self._send_now(unreadable(asked, fault, response), None, field)
        if not is_here and was_brought:
            gone = FileFault("what was brought is gone again")
            self._send_now(unreadable(asked, gone, response), None, field)
        elif blob is not None and not is_here:
            self._is_waiting = True
            self._transport.pause_reading()
            brought = self._front.bringing.bring(blob)
            brought.add_done_callback(partial(self._brought, asked, response, field))
        if self._is_last and not self._is_busy:
            self._end()

    def _brought(self, asked: Request, response: Response, field: bytes, done: asyncio.Task[None]) -> None:
        self._is_waiting = False
        if self._transport.is_closing():
            return
        fault = done.exception()
        if fault is not None:
            response = unreadable(asked, fault, response)
        self._send(asked, response, field, was_brought=True)
        if not self._is_busy:
            self._go_on()

    def _send_now(self, response: Response, blob: BlobPart | None, field: bytes) -> bool:
        """Send a response whose blob is on this machine; return False, and send nothing, where it is not."""
        begin = head(response.status, response.headers) + field + self._front.date
        if blob is None:
            self._transport.writelines((begin, *response.body))
            response.count()
            return True
        bodies = self._front.bodies
        at_hand = bodies.whole(blob.digest, blob.size) is not None
        file = None if at_hand else bodies.file(blob.digest, blob.size)
        if not at_hand and file is None:
            return False
        if at_hand or response.size <= COPIED_BYTES:
            self._transport.writelines((begin, *map(bodies.content_of, response.body)))
        elif file is not None:
            sending = Sending(self, self._transport, begin, response.body, file)
            if not sending.start():
                self._sending = sending
        response.count()
        return True

    def finished(self, *, is_whole: bool) -> None:
        """Go on after an answer that took its time; what is not whole must not look as if it were."""
        self._sending = None
        if not is_whole:
            self._transport.abort()
        elif self._is_last:
            self._end()
        else:
            self._go_on()

    def _go_on(self) -> None:
        """Read on, beginning with the requests that have come meanwhile."""
        self._transport.resume_reading()
        self._answer_all(self._unread)
        if self._half_closed and not self._is_busy:
            self._transport.close()

    def _end(self) -> None:
        """Close once everything is out; a client that still sends must not lose what it was told."""
        self._is_last = True
        if self._half_closed:
            self._transport.close()
        else:
            self._transport.write_eof()
            self._transport.resume_reading()

    def _refuse(self, response: Response, data: bytes) -> None:
        """Answer `data`, which is no request that could be read, and read no other."""
        if asks_for_a_head(data):
            response = Response(response.status, response.headers)
        self._is_last = True
        self._front.count()
        self._send_now(response, None, b"Connection: close\r\n")
        self._end()

    def _hand_over(self, data: bytes) -> None:
        """Give the connection to gunicorn's own protocol, with what was read of it."""
        self._front.forget(self)
        self._front.worker.nr_conns -= 1  # gunicorn's counts it as well
        protocol = self._front.worker.protocol_of(self._transport)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(data)
        if self._half_closed:
            protocol.eof_received()


def _address(peer: object) -> str:
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""
