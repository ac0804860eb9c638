"""What was written stays as it was: the database refuses changes, and shows those made behind its back."""

import json
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from apps.accounts.models import User
from apps.audit.chain import GENESIS, entry_hash
from apps.audit.models import AuditEntry
from apps.audit.selectors import chain_faults, entries, head
from apps.audit.services import record
from tests.audit.test_chain import details

Tamper = Callable[[str], None]


@pytest.fixture
def log(administrator: User) -> list[AuditEntry]:
    """Return a log of five entries."""
    return [
        record(actor=administrator, action="test.write", target=f"thing {n}", summary=f"Wrote {n}.")
        for n in range(1, 6)
    ]


@pytest.fixture
def tamper(log: list[AuditEntry]) -> Tamper:
    """Return a function that runs SQL as somebody would who owns the database and drops its triggers."""

    def run(sql: str) -> None:
        with connection.cursor() as cursor:
            for event in ("update", "delete"):
                name = f"audit_auditentry_no_{event}"
                table = "" if connection.vendor == "sqlite" else " ON audit_auditentry"
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}{table}")
            cursor.execute(sql)

    return run


def found() -> list[tuple[int, str]]:
    return [(fault.sequence, fault.message) for fault in chain_faults()]


def test_an_untouched_log_has_no_fault(log: list[AuditEntry]) -> None:
    assert found() == []
    assert head().sequence == 5
    assert head().hash == log[-1].hash


def test_an_empty_log_has_no_fault(db: None) -> None:
    assert found() == []
    assert head().hash == GENESIS


def test_each_entry_follows_from_the_one_before(log: list[AuditEntry]) -> None:
    assert [entry.previous_hash for entry in log] == [GENESIS, *(entry.hash for entry in log[:-1])]
    assert [entry.sequence for entry in log] == [1, 2, 3, 4, 5]


def test_an_entry_without_an_actor_is_the_systems(db: None) -> None:
    entry = record(actor=None, action="test.write", target="thing", summary="Wrote.")
    assert (entry.actor, entry.actor_name) == (None, "system")


def test_an_entry_goes_when_the_transaction_it_belongs_to_fails(db: None) -> None:
    @transaction.atomic
    def write_and_fail() -> None:
        record(actor=None, action="test.write", target="thing", summary="Wrote.")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert head().sequence == 0
    assert record(actor=None, action="test.write", target="thing", summary="Wrote.").sequence == 1


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(details=details)
def test_an_entry_read_back_from_the_database_has_the_hash_it_was_written_with(
    db: None, details: dict[str, object]
) -> None:
    with transaction.atomic():
        written = record(actor=None, action="test.write", target="thing", summary="Wrote.", details=details)
        assert entry_hash(AuditEntry.objects.get(pk=written.pk)) == written.hash


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_auditentry SET summary = 'x'", "DELETE FROM audit_auditentry"]
)
def test_the_database_refuses_to_change_or_remove_an_entry(log: list[AuditEntry], statement: str) -> None:
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        connection.cursor().execute(statement)
    assert found() == []


@pytest.mark.parametrize(
    ("sql", "sequence", "message"),
    [
        ("UPDATE audit_auditentry SET summary = 'x' WHERE sequence = 3", 3, "its words were changed"),
        ("UPDATE audit_auditentry SET actor_name = 'eve' WHERE sequence = 1", 1, "its words were changed"),
        ("DELETE FROM audit_auditentry WHERE sequence = 2", 2, "entry 2 is missing"),
        ("DELETE FROM audit_auditentry WHERE sequence IN (2, 3)", 2, "entries 2 to 3 are missing"),
        ("DELETE FROM audit_auditentry WHERE sequence > 3", 4, "entries 4 to 5 are missing"),
        ("UPDATE audit_audithead SET hash = 'x'", 5, "the head row does not match"),
        ("UPDATE audit_audithead SET sequence = 4", 5, "lies behind the head row"),
        ("DELETE FROM audit_audithead", 5, "lies behind the head row"),
    ],
)
def test_tampering_behind_the_databases_back_is_found_and_named(
    tamper: Tamper, sql: str, sequence: int, message: str
) -> None:
    tamper(sql)
    assert any(at == sequence and message in words for at, words in found())


def test_a_forged_entry_with_a_right_hash_of_its_own_does_not_fit_the_next(tamper: Tamper) -> None:
    forged = AuditEntry.objects.get(sequence=3)
    forged.summary = "Forged."
    tamper(
        f"UPDATE audit_auditentry SET summary = 'Forged.', hash = '{entry_hash(forged)}' WHERE sequence = 3"
    )
    assert found() == [(4, "it does not follow from the entry before it")]


def test_verify_says_how_many_entries_and_the_head_hash(log: list[AuditEntry]) -> None:
    out = StringIO()
    call_command("audit", "verify", stdout=out)
    assert out.getvalue() == f"The audit log is whole: 5 entries, head {log[-1].hash}.\n"


def test_verify_names_each_fault_and_fails(tamper: Tamper) -> None:
    tamper("UPDATE audit_auditentry SET summary = 'x' WHERE sequence IN (2, 4)")
    err = StringIO()
    with pytest.raises(CommandError, match="2 faults") as failure:
        call_command("audit", "verify", stderr=err)
    assert failure.value.returncode == 1
    assert "Entry 2: its words were changed" in err.getvalue()
    assert "Entry 4: its words were changed" in err.getvalue()


def test_verify_as_json_is_one_document(tamper: Tamper) -> None:
    tamper("DELETE FROM audit_auditentry WHERE sequence = 2")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("audit", "verify", "--json", stdout=out, stderr=StringIO())
    document = json.loads(out.getvalue())
    assert document["entries"] == 5
    assert document["faults"][0] == {"sequence": 2, "message": "entry 2 is missing"}


def test_list_shows_the_newest_first_and_can_be_narrowed(log: list[AuditEntry]) -> None:
    out = StringIO()
    call_command("audit", "list", "--limit", "2", stdout=out)
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["5", "4"]
    out = StringIO()
    call_command("audit", "list", "--target", "thing 3", "--json", stdout=out)
    (entry,) = json.loads(out.getvalue())["entries"]
    assert (entry["sequence"], entry["actor"], entry["summary"]) == (3, "ann", "Wrote 3.")


def test_entries_of_one_target_are_found_by_index(log: list[AuditEntry]) -> None:
    assert [entry.sequence for entry in entries(target="thing 2")] == [2]
