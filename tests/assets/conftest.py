from collections.abc import Callable, Iterator
from unittest import mock

import pytest

from apps.accounts.models import User
from apps.assets import store
from apps.assets.intake import Content, take_in
from apps.assets.services import ensure_versions

AddFile = Callable[[str, bytes], Content]


@pytest.fixture(scope="module")
def no_collector() -> Iterator[None]:
    """Let the store be without a database, where nothing of it is ever removed."""
    with mock.patch.object(store, "on_use", []):
        yield


@pytest.fixture
def add_file(editor: User) -> AddFile:
    """Return a function that stores bytes under a path, as an editor's, and returns what they are."""

    def add(path: str, content: bytes) -> Content:
        taken = take_in([content], path=path)
        ensure_versions([taken], actor=editor)
        return taken

    return add
