import pytest
from django.db import IntegrityError, connection, transaction
from django.db.migrations.state import ProjectState

from apps.accounts.models import User
from apps.audit.guards import Guard, RemoveGuard

GUARD = Guard(
    "no_guarded_name",
    table="accounts_user",
    event="INSERT",
    message="guarded: that name isn't to be had, 100%",
    condition="NEW.username = 'guarded'",
)


@pytest.fixture
def guarded(db: None) -> None:
    GUARD.database_forwards("audit", connection.schema_editor(), ProjectState(), ProjectState())


def test_a_guard_refuses_rows_for_which_its_condition_holds(guarded: None) -> None:
    with (
        pytest.raises(IntegrityError, match="guarded: that name isn't to be had, 100%"),
        transaction.atomic(),
    ):
        User.objects.create(username="guarded")
    User.objects.create(username="free")


def test_a_guard_that_is_migrated_back_refuses_no_more(guarded: None) -> None:
    GUARD.database_backwards("audit", connection.schema_editor(), ProjectState(), ProjectState())
    User.objects.create(username="guarded")


def test_a_guard_says_what_it_guards() -> None:
    assert GUARD.describe() == "Guard accounts_user on INSERT: guarded: that name isn't to be had, 100%"


def test_a_guard_that_a_migration_removes_comes_back_where_it_is_migrated_back(guarded: None) -> None:
    removal = RemoveGuard(GUARD)
    removal.database_forwards("audit", connection.schema_editor(), ProjectState(), ProjectState())
    User.objects.create(username="guarded").delete()
    removal.database_backwards("audit", connection.schema_editor(), ProjectState(), ProjectState())
    with pytest.raises(IntegrityError, match="guarded"), transaction.atomic():
        User.objects.create(username="guarded")
    assert removal.describe() == "Remove the guard no_guarded_name of accounts_user"
