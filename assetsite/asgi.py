"""The ASGI application that gunicorn loads, behind the public door's own connections.

Django itself is loaded when the first request needs it: visitors get published files without it, also
while a process has only just begun.
"""

import asyncio
import logging.config
import os
from collections.abc import Awaitable, Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assetsite.settings")

from django.conf import settings

# What a worker serves with, loaded once and shared by all that are forked from here.
from apps.delivery import connection, front, node  # noqa: F401

type Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

logging.config.dictConfig(settings.LOGGING)


class LateApplication:
    """An ASGI application that is loaded, beside the event loop, by the first request for it."""

    def __init__(self, load: Callable[[], Application]) -> None:
        self._load = load
        self._loaded: asyncio.Future[Application] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if self._loaded is None:
            self._loaded = asyncio.ensure_future(asyncio.to_thread(self._load))
        # A request that is given up must not take the loading with it that others wait for.
        await (await asyncio.shield(self._loaded))(scope, receive, send)


def _django() -> Application:
    from django.core.asgi import get_asgi_application  # noqa: PLC0415 - this is what takes time

    application: Application = get_asgi_application()
    return application


application = LateApplication(_django)
