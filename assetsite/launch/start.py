"""The order of a start. Visitors come first: what they get lies in storage and needs no preparation.

Nothing here loads Django's models, admin and URLs: that takes longer than everything that a visitor
waits for. The rest of a start does (`assetsite.launch.rest`), when visitors are served.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import django
from django.conf import settings

from assetsite.environment import parse_bind
from assetsite.launch.addresses import is_ready
from assetsite.launch.checks import check_data_folder, check_doors
from assetsite.launch.known_state import is_known
from assetsite.launch.lock import take_lock
from assetsite.launch.processes import Supervisor, server, worker


def start(directory: Path | None) -> int:
    """Start the site and watch over it; return the exit status, 0 where it was asked to stop.

    Raises `Refusal` where it cannot start.
    """
    check_data_folder()
    lock = take_lock(Path(settings.DATA_DIR) / "run.lock")
    check_doors()
    if is_known():
        return _watch(lock, on_ready=lambda is_up: print(_prepare(directory)(is_up)))
    summary = _prepare(directory)
    return _watch(lock, on_ready=lambda is_up: print(summary(is_up)))


def _prepare(directory: Path | None) -> Callable[[bool], str]:
    """Do the rest of a start; return what says how it came out, given whether the site is ready."""
    django.setup()
    from assetsite.launch import rest  # noqa: PLC0415 - see above

    return partial(rest.summary, rest.prepare_site(directory))


def _watch(lock: int, *, on_ready: Callable[[bool], None]) -> int:
    return Supervisor(
        server=server(),
        worker=worker(),
        is_ready=partial(is_ready, parse_bind(settings.PUBLIC_BIND)),
        on_ready=on_ready,
        say=print,
        lock=lock,
    ).run()
