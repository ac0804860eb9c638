from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from apps.jobs import registry
from apps.jobs.log import JobLog


class Handler:
    """A handler that remembers its payloads and does what a test tells it to."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []
        self.act: mock.Mock = mock.Mock()

    def __call__(self, payload: dict[str, Any], log: JobLog) -> None:
        self.payloads.append(payload)
        self.act(log)


@pytest.fixture
def handler() -> Iterator[Handler]:
    """Register a handler for jobs of kind `tests.work` while the test runs."""
    handler = Handler()
    with mock.patch.dict(registry._handlers, {"tests.work": handler}):
        yield handler
