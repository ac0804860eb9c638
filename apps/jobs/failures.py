"""Who wants to know that a job has failed, in the transaction that says so in its row."""

from collections.abc import Callable

from apps.jobs.models import Job

type Listener = Callable[[Job], None]

_listeners: list[Listener] = []


def on_failure(function: Listener) -> Listener:
    """Register the decorated function to be called with each job that has failed for good."""
    _listeners.append(function)
    return function


def tell_failed(job_id: int) -> None:
    """Call every listener with a job that has just failed."""
    job = Job.objects.get(pk=job_id)
    for function in _listeners:
        function(job)
