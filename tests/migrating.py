"""A database of its own at an old migration, for tests of what a migration does to data."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.migrations.executor import MigrationExecutor

_ALIAS = "migrating"


class Migrating:
    """A SQLite file whose tables are as the migration left them that was last asked for."""

    def to(self, app: str, migration: str) -> None:
        """Migrate forwards or backwards to this migration and those that it depends on."""
        MigrationExecutor(connections[_ALIAS]).migrate([(app, migration)])
        state = MigrationExecutor(connections[_ALIAS]).loader.project_state([(app, migration)])
        self._models = state.apps

    def rows(self, model: str) -> Any:
        """Return the rows of a model, named like `assets.Blob`, as it is at this migration."""
        return self._models.get_model(model)._default_manager.using(_ALIAS)


@contextmanager
def migrating(folder: Path) -> Iterator[Migrating]:
    """Give an empty database in `folder` to migrate; it is closed afterwards."""
    connections.databases[_ALIAS] = {
        **connections.databases["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / "migrating.sqlite3"),
        "OPTIONS": {},
    }
    try:
        yield Migrating()
    finally:
        connections[_ALIAS].close()
        del connections[_ALIAS]
        del connections.databases[_ALIAS]
