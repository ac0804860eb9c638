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

if TYPE_CHECKING:
    from apps.delivery.front import Front

type SocketName = str | bytes | tuple[Any, ...]
type Application = Callable[[dict[str, Any], Any, Any], Any]

SOCKET_NAME = "assetsite.socket_name"  # in the scope: the own end of a connection, as the socket says it


class DjangoConnection(ASGIProtocol):  # type: ignore[misc]
    """gunicorn's connection, which tells Django by which listener it came in.

    The front watches it as it does its own: gunicorn would wait at its end for who only keeps a
    connection open, and has no limit for who never sends a first request.
    """

    app: Application

    def __init__(self, worker: "DeliveryWorker") -> None:
        super().__init__(worker)
        self.front = worker.front
        self.since = self.front.clock
        self.latest = b""

    @property
    def is_idle(self) -> bool:
        """Whether it only waits for another request; the first one may be on its way already."""
        return bool(self._awaiting_request and not self._finishing_calls and self.req_count > 1)

    @property
    def patience_seconds(self) -> float:
        return self.front.idle_seconds if self._awaiting_request else math.inf

    def connection_made(self, transport: Any) -> None:
        self.app = partial(_named, self.app, transport.get_extra_info("sockname"))
        self.front.watch(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.front.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.since = self.front.clock
        self.latest = data
        super().data_received(data)

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
    await app(scope, receive, send)
