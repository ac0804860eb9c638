"""Guards: triggers that refuse a write in the database itself, past every form, command and shell.

A migration adds one with `Guard(...)`; the same condition, in the SQL that SQLite and PostgreSQL
share, becomes a trigger for the database in use. SQLite drops a table's triggers when a later
migration rebuilds that table: such a migration has to add its guards again, and
`tests/releases/test_guards.py` fails where one is missing. SQLite does not rebuild a table at all that
the guard of another one reads: that guard has to be taken away meanwhile, with `RemoveGuard`.
"""

import re

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

# The seconds from one moment to another, which each database counts with words of its own; SQLite's has no
# fractions.
_SECONDS = re.compile(r"SECONDS\(([\w.]+), ([\w.]+)\)")
_SECONDS_IN = {
    "sqlite": r"(CAST(strftime('%s', \2) AS integer) - CAST(strftime('%s', \1) AS integer))",
    "postgresql": r"EXTRACT(EPOCH FROM \2 - \1)",
}


class Guard(Operation):
    """Refuse `event` (INSERT, UPDATE or DELETE) on `table` with `message` where `condition` holds.

    `condition` is a boolean SQL expression over NEW and OLD, in the SQL that SQLite and PostgreSQL share, and
    `SECONDS(earlier, later)` for the time between two columns. The database raises
    `IntegrityError` with `message`, which starts with a stable word (`append_only: …`).
    """

    reversible = True
    reduces_to_sql = True

    def __init__(self, name: str, *, table: str, event: str, message: str, condition: str = "1 = 1") -> None:
        self.name = name
        self.table = table
        self.event = event
        self.message = message
        self.condition = condition

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """A guard is no part of the models' state."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        for statement in self._create(schema_editor.connection.vendor):
            schema_editor.execute(statement, params=None)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        for statement in self._drop(schema_editor.connection.vendor):
            schema_editor.execute(statement, params=None)

    def describe(self) -> str:
        return f"Guard {self.table} on {self.event}: {self.message}"

    def _create(self, vendor: str) -> list[str]:
        message = self.message.replace("'", "''")
        condition = _SECONDS.sub(_SECONDS_IN[vendor], self.condition)
        if vendor == "sqlite":
            return [
                (
                    f"CREATE TRIGGER {self.name} BEFORE {self.event} ON {self.table} WHEN {condition} "
                    f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
                )
            ]
        # OLD is returned for a DELETE, where NEW is null: a null would silently skip the row.
        row = "OLD" if self.event == "DELETE" else "NEW"
        return [
            (
                f"CREATE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF {condition} THEN RAISE EXCEPTION '{message.replace('%', '%%')}' "
                f"USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN {row}; END $$"
            ),
            (
                f"CREATE TRIGGER {self.name} BEFORE {self.event} ON {self.table} "
                f"FOR EACH ROW EXECUTE FUNCTION {self.name}()"
            ),
        ]

    def _drop(self, vendor: str) -> list[str]:
        if vendor == "sqlite":
            return [f"DROP TRIGGER {self.name}"]
        return [f"DROP TRIGGER {self.name} ON {self.table}", f"DROP FUNCTION {self.name}()"]


class Recording(Guard):
    """After `event` on `table`, write `statement` where `condition` holds: a fact that nobody leaves out.

    `statement` is one INSERT or UPDATE, in the SQL that SQLite and PostgreSQL share, over NEW and OLD.
    """

    def __init__(
        self, name: str, *, table: str, event: str, statement: str, condition: str = "1 = 1"
    ) -> None:
        super().__init__(name, table=table, event=event, message="recorded", condition=condition)
        self.statement = statement

    def describe(self) -> str:
        return f"Record what {self.event} does to {self.table}"

    def _create(self, vendor: str) -> list[str]:
        if vendor == "sqlite":
            return [
                (
                    f"CREATE TRIGGER {self.name} AFTER {self.event} ON {self.table} WHEN {self.condition} "
                    f"BEGIN {self.statement}; END"
                )
            ]
        return [
            (
                f"CREATE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF {self.condition} THEN {self.statement}; END IF; RETURN NULL; END $$"
            ),
            (
                f"CREATE TRIGGER {self.name} AFTER {self.event} ON {self.table} "
                f"FOR EACH ROW EXECUTE FUNCTION {self.name}()"
            ),
        ]


class RemoveGuard(Guard):
    """Take away a guard of an earlier migration, which is given, so that going back adds it again."""

    database_forwards = Guard.database_backwards
    database_backwards = Guard.database_forwards

    def __init__(self, guard: Guard) -> None:
        super().__init__(
            guard.name,
            table=guard.table,
            event=guard.event,
            message=guard.message,
            condition=guard.condition,
        )

    def describe(self) -> str:
        return f"Remove the guard {self.name} of {self.table}"


def append_only(table: str) -> list[Operation]:
    """Return the guards that make `table` refuse every UPDATE and DELETE."""
    return [
        Guard(
            f"{table}_no_{event.lower()}",
            table=table,
            event=event,
            message=f"append_only: rows of {table} are never changed or removed",
        )
        for event in ("UPDATE", "DELETE")
    ]
