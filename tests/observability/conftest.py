"""A public door with a node of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.delivery.node import current_node
from tests.serving import Published


@pytest.fixture(autouse=True)
def _own_node() -> Iterator[None]:
    current_node.cache_clear()
    yield
    current_node.cache_clear()


@pytest.fixture
def published(storage_folder: Path) -> Published:
    """A channel with one release."""
    site = Published(storage_folder)
    site.publish(1, {"index.html": b"<h1>Home</h1>"})
    return site
