"""Sites in processes of their own, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.acceptance.databases import new_database
from tests.acceptance.desk import Desk, copied, prepare
from tests.acceptance.folders import FIRST, SECOND, write_folder
from tests.acceptance.site import Site


@pytest.fixture
def first_folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "my-site", FIRST)


@pytest.fixture
def second_folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "my-site-v2", SECOND)


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    """A site that has not been started yet."""
    return Site(data=tmp_path / "data", database_url=database_url)


@pytest.fixture
def database_url(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """An empty database of the vendor that the suite runs on: "" is a new SQLite file in DATA_DIR."""
    with new_database(django_db_blocker) as url:
        yield url


@pytest.fixture(scope="session")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Desk]:
    """A site with release 1 live and release 2 a briefed draft, made once; copied, never changed."""
    with new_database(django_db_blocker) as url:
        yield prepare(tmp_path_factory.mktemp("prepared"), url)


@pytest.fixture
def desk(tmp_path: Path, prepared: Desk, django_db_blocker: DjangoDbBlocker) -> Iterator[Desk]:
    """A copy of the prepared site for each test."""
    with copied(prepared, tmp_path, django_db_blocker) as desk:
        yield desk
