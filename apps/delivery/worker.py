"""gunicorn's worker: the public door has connections of our own, everything else has gunicorn's.

Built on gunicorn's ASGI worker and on its protocol. What it takes from them is written down in
tests/delivery/test_worker.py, so that an upgrade which changes it says so.
"""

import asyncio
import gc
import math
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from apps.delivery.previews.addresses import takes_form
from apps.releases.channels.targets import split_form

if TYPE_CHECKING:
    from apps.delivery.front import Front

type SocketName = str | bytes | tuple[Any, ...]
type Application = Callable[[dict[str, Any], Any, Any], Any]

SOCKET_NAME = "assetsite.socket_name"  # in the scope: the own end of a connection, as the socket says it
FED_BYTES = 32_768


class DjangoConnection(ASGIProtocol):  # type: ignore[misc]
    """gunicorn's connection, which tells Django by which listener it came in.

    The front watches it as it does its own: gunicorn would wait at its end for who only keeps a
    connection open, and has no limit for who never sends a first request, or a head byte by byte.
    """

    app: Application

    def __init__(self, worker: "DeliveryWorker") -> None:
        super().__init__(worker)
        self.front = worker.front
        self.since = self.front.clock
        self.latest = b""  # of what the parser was given
        self._has_begun = False  # to send a head, which is not there yet
        self._half_closed = False  # by the client, which still reads
        self._unread = b""  # what came after a request that is not answered yet

    @property
    def is_idle(self) -> bool:
        """Whether it only waits for another request; the first one may be on its way already."""
        return bool(self._awaiting_request and not self._finishing_calls and self.req_count > 1)

    @property
    def patience_seconds(self) -> float:
        if not self._awaiting_request:
            return math.inf
        if self._half_closed:
            return 0.0
        return self.front.head_seconds if self._has_begun else self.front.idle_seconds

    def connection_made(self, transport: Any) -> None:
        own = transport.get_extra_info("sockname")
        app = self.app if self.worker.is_staff(own) else partial(_bodiless, self.app)
        self.app = partial(_named, app, own)
        self.front.watch(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.front.forget(self)
        super().connection_lost(exc)

    def eof_received(self) -> bool:
        """Stay open for who sends nothing more but is still to get an answer, which gunicorn does not."""
        self._half_closed = True
        return bool(self._callback_parser.is_complete)

    def data_received(self, data: bytes) -> None:
        if not self._has_begun:
            self.since = self.front.clock
        self._unread += data
        self._feed()
        self._has_begun = not self._request_ready.is_set()

    def _feed(self) -> None:
        """Give gunicorn's parser what it can keep: it loses what is more than 64 KiB after a request."""
        while self._unread and not (self._closed or self._callback_parser.is_complete):
            piece, self._unread = self._unread[:FED_BYTES], self._unread[FED_BYTES:]
            super().data_received(piece)
        if len(self._unread) > FED_BYTES:
            self._pause_reading()
        elif not (self._unread or self._is_buffer_full()):
            super()._resume_reading()

    def _feed_callback_parser(self, data: bytes) -> Any:
        self.latest = data
        return super()._feed_callback_parser(data)

    def _resume_reading(self) -> None:
        """Read on after an answer, beginning with what has come meanwhile."""
        if self._unread:
            self.worker.loop.call_soon(self._feed)  # once the parser is ready for another request
        else:
            super()._resume_reading()

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """No other protocol is spoken here, so whoever asks for one gets HTTP (RFC 9110 section 7.8)."""
        return False

    def close(self) -> None:
        self._keepalive_timeout()

    def abort(self) -> None:
        self._keepalive_timeout()

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """Refuse in the words and with the headers of our own connections."""
        # Django is set up with the application, after this module was imported.
        from apps.delivery.parsing import asks_for_a_head, refusal  # noqa: PLC0415
        from apps.delivery.resource import head  # noqa: PLC0415

        response = refusal(status, message)
        begin = head(status, (*response.headers, *extra_headers, ("Connection", "close")))
        self._safe_write(begin + self.front.date)
        if not asks_for_a_head(self.latest):
            for part in response.body:
                self._safe_write(part)


class DeliveryWorker(ASGIWorker):  # type: ignore[misc]
    """Answers published assets before Django is involved."""

    alive: bool
    front: "Front"

    def is_staff(self, socket_name: SocketName) -> bool:
        """Say whether the listener with this name is the staff's, where nothing published is served."""
        return False

    def protocol_of(self, transport: Any) -> DjangoConnection:
        """Return what goes on with a connection that is none of ours."""
        return DjangoConnection(self)

    async def _serve(self) -> None:
        """Serve until this worker is told to end, or its parent is another."""
        # Django is set up with the application, after this module was imported.
        from apps.delivery.connection import PublicConnection  # noqa: PLC0415
        from apps.delivery.front import Front  # noqa: PLC0415

        # What it finds it keeps on the class that asks, and reads from its own.
        ASGIProtocol._check_h1c_protocol_available()
        self.front = Front(self, self.loop)
        for listener in self.sockets:
            own = listener.sock.getsockname()
            factory = (
                partial(DjangoConnection, self)
                if self.is_staff(own)
                else partial(PublicConnection, self.front)
            )
            self.servers.append(
                await self.loop.create_server(factory, sock=listener.sock, backlog=self.cfg.backlog)
            )
        # What a start leaves behind stays: looking through it for garbage would only be a pause.
        gc.collect()
        gc.freeze()
        clock = self.loop.create_task(self.front.keep_time())
        while self.alive and self.ppid == os.getppid():
            self.notify()
            await asyncio.sleep(1.0)
        self.alive = False
        await self._shutdown()
        clock.cancel()
        self.front.close()


async def _named(
    app: Application, socket_name: SocketName, scope: dict[str, Any], receive: Any, send: Any
) -> None:
    scope[SOCKET_NAME] = socket_name
    _, scope["path"] = split_form(scope["path"])  # which may be a whole URL (RFC 9112 section 3.2.2)
    await app(scope, receive, send)


async def _bodiless(app: Application, scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Call `app` as if there were no body: no page of the public door takes one but a preview's password.

    Django would keep all of it on disk before it looks at the request.
    """
    if takes_form(scope):
        await app(scope, receive, send)
        return
    is_told = False

    async def receive_nothing() -> Any:
        nonlocal is_told
        if not is_told:
            is_told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while (message := await receive())["type"] == "http.request":
            pass
        return message

    await app(scope, receive_nothing, send)
