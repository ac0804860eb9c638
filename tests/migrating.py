"""A database of its own at an old migration, for tests of what a migration does to data."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from apps.audit.guards import Guard, RemoveGuard

_ALIAS = "migrating"


class Migrating:
    """A database whose tables are as the migration left them that was last asked for."""

    def to(self, app: str, migration: str) -> None:
        """Migrate forwards or backwards to this migration and those that it depends on."""
        executor = MigrationExecutor(connections[_ALIAS])
        executor.migrate([(app, migration)])
        self._models = executor.loader.project_state([(app, migration)]).apps

    def rows(self, model: str) -> Any:
        """Return the rows of a model, named like `assets.Blob`, as it is at this migration."""
        return self._models.get_model(model)._default_manager.using(_ALIAS)

    def assert_guarded(self) -> None:
        """See that it has the guards that its migrations have made and left, and no others."""
        connection = connections[_ALIAS]
        assert guards_in(connection) == guards_after(MigrationRecorder(connection).applied_migrations())


def guards_in(connection: BaseDatabaseWrapper) -> set[str]:
    """Return the names of the guards that a database has."""
    catalogue = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.vendor == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    with connection.cursor() as cursor:
        cursor.execute(catalogue)
        return {name for (name,) in cursor.fetchall()}


def guards_after(applied: Container[tuple[str, str]]) -> set[str]:
    """Return the names of the guards that a database has to have after these migrations."""
    names: set[str] = set()
    for migration in _in_order():
        operations = migration.operations if (migration.app_label, migration.name) in applied else ()
        for operation in operations:
            if isinstance(operation, RemoveGuard):
                names.remove(operation.name)
            elif isinstance(operation, Guard):
                names.add(operation.name)
    return names


@cache
def _in_order() -> list[Migration]:
    loader = MigrationLoader(None)
    plan = (key for leaf in loader.graph.leaf_nodes() for key in loader.graph.forwards_plan(leaf))
    return [loader.disk_migrations[key] for key in dict.fromkeys(plan)]


@contextmanager
def migrating(folder: Path) -> Iterator[Migrating]:
    """Give an empty database to migrate, of the kind that the tests run on; it is gone afterwards."""
    default = connections["default"]
    is_file = default.vendor == "sqlite"
    name = str(folder / "migrating.sqlite3") if is_file else f"{default.settings_dict['NAME']}_migrating"
    if not is_file:
        _execute(f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}"')
    usual = connections.databases["default"]
    connections.databases[_ALIAS] = {**usual, "NAME": name, **({"OPTIONS": {}} if is_file else {})}
    try:
        yield Migrating()
    finally:
        connections[_ALIAS].close()
        del connections[_ALIAS]
        del connections.databases[_ALIAS]
        if not is_file:
            _execute(f'DROP DATABASE "{name}"')


def _execute(*statements: str) -> None:
    with connections["default"]._nodb_cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
