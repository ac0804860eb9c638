"""Writing to the database as its owner could, past the guards that refuse it to the program."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.models import Model, QuerySet


@contextmanager
def without_guards(*tables: str) -> Iterator[None]:
    """Take the guards of these tables away, or all; the test's transaction brings them back at its end."""
    tables = tables or tuple(connection.introspection.table_names())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with work outstanding is not altered
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield
            return
        marks = ", ".join(["%s"] * len(tables))
        cursor.execute(
            f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ({marks})", tables
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {name}")
        yield


@contextmanager
def without_guard(name: str, table: str) -> Iterator[None]:
    """Take one guard away, to see that another one holds without it; it is back afterwards."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
            yield
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {name}")
            return
        cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = %s", [name])
        [(trigger,)] = cursor.fetchall()
        cursor.execute(f"DROP TRIGGER {name}")
        yield
        cursor.execute(trigger.replace("%", "%%"))


def take_out[Row: Model](rows: QuerySet[Row]) -> None:
    """Delete rows and all that refers to them, as the database's owner; nothing is written about it."""
    for relation in rows.model._meta.related_objects:
        referring = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": rows})
        if referring.exists():
            take_out(referring)
    with without_guards():
        rows.model._base_manager.filter(pk__in=list(rows.values_list("pk", flat=True)))._raw_delete("default")
