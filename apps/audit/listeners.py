"""Who wants to know of each entry of the audit log, in the transaction that writes it.

A part above registers a function here, so that the log need not know it. What a listener raises undoes
what was being done: it writes a row, and leaves everything else for later.
"""

from collections.abc import Callable

from apps.audit.models import AuditEntry

type Listener = Callable[[AuditEntry], None]

_listeners: list[Listener] = []


def listener(function: Listener) -> Listener:
    """Register the decorated function to be called with each new entry."""
    _listeners.append(function)
    return function


def tell(entry: AuditEntry) -> None:
    """Call every listener with a new entry."""
    for function in _listeners:
        function(entry)
