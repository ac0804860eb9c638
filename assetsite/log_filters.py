"""What is left out of the log."""

import logging

_READYZ = "/-/readyz"


def is_no_answer_to_a_probe(record: logging.LogRecord) -> bool:
    """Say no to Django's line on each "not ready": a start, or a load balancer, goes on asking."""
    request = getattr(record, "request", None)
    return getattr(record, "status_code", 0) != 503 or getattr(request, "path", "") != _READYZ
