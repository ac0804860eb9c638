"""Which function does the work of which kind of job."""

from collections.abc import Callable
from typing import Any

from apps.jobs.exceptions import UnknownKind
from apps.jobs.log import JobLog

type Handler = Callable[[dict[str, Any], JobLog], None]

_handlers: dict[str, Handler] = {}
_priorities: dict[str, int] = {}


def handler(kind: str, *, priority: int = 0) -> Callable[[Handler], Handler]:
    """Register the decorated function for jobs of `kind`, named like `assets.encode`.

    Of the jobs that wait, those of the highest priority (-100 to 100) are run first, oldest first.

    It gets the job's payload and log. It may be interrupted anywhere and called again with the same
    payload, so it has to come to the same effect from wherever it was left. What it raises makes the
    job a failed one. Handlers live in each app's `tasks` module, which is imported at start.
    """

    def register(function: Handler) -> Handler:
        if _handlers.setdefault(kind, function) is not function:
            raise ValueError(f"Jobs of kind {kind} have two handlers.")
        _priorities[kind] = priority
        return function

    return register


def handler_of(kind: str) -> Handler:
    """Return the function for jobs of `kind`. Raises `UnknownKind`."""
    if kind not in _handlers:
        known = ", ".join(kinds()) or "none"
        raise UnknownKind(
            f"No handler is registered for jobs of kind {kind!r}.",
            next_step=f"These kinds are known: {known}.",
        )
    return _handlers[kind]


def priority_of(kind: str) -> int:
    """Return the priority of jobs of `kind`: 0 where nothing is registered for it."""
    return _priorities.get(kind, 0)


def kinds() -> list[str]:
    """Return the kinds that have a handler, in order."""
    return sorted(_handlers)
