"""Groups beside the roles: put people in, take them out, and keep them there when the role changes."""

import json

import pytest
from django.core.management import call_command

from apps.accounts.exceptions import Forbidden, OwnAccount, WrongName
from apps.accounts.group_services import add_to_group, remove_from_group
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.accounts.selectors import groups_of, role_of
from apps.accounts.services import change_role
from apps.audit.models import AuditEntry


def test_a_person_is_in_a_group_and_keeps_role_and_group_apart(administrator: User, manager: User) -> None:
    before = manager.get_all_permissions()
    for _ in range(2):  # the second time there is nothing to do
        add_to_group(user=manager, group=" legal ", actor=administrator)
    assert groups_of(manager) == ["legal"]
    assert User.objects.get(pk=manager.pk).get_all_permissions() == before
    change_role(user=manager, role=Role.EDITOR, actor=administrator)
    assert (groups_of(manager), role_of(manager)) == (["legal"], Role.EDITOR)
    for _ in range(2):
        remove_from_group(user=manager, group="legal", actor=administrator)
    assert groups_of(manager) == []
    entries = AuditEntry.objects.filter(action__in=("user.join_group", "user.leave_group"))
    assert [entry.summary for entry in entries.order_by("sequence")] == [
        "Put ben into the group legal. It is new.",
        "Took ben out of the group legal.",
    ]


def test_nobody_puts_themselves_into_a_group(administrator: User, manager: User) -> None:
    with pytest.raises(OwnAccount):
        add_to_group(user=administrator, group="legal", actor=administrator)
    with pytest.raises(Forbidden):
        add_to_group(user=administrator, group="legal", actor=manager)


@pytest.mark.parametrize("name", ["administrator", "", " ", "x" * 151])
def test_a_group_is_no_role_and_has_a_name(administrator: User, manager: User, name: str) -> None:
    with pytest.raises(WrongName):
        add_to_group(user=manager, group=name, actor=administrator)


def test_groups_by_command(administrator: User, manager: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("user", "group", "ben", "legal", "--json")
    assert json.loads(capsys.readouterr().out)["groups"] == ["legal"]
    call_command("user", "group", "ben", "legal", "--remove")
    assert "ben is not in the group legal." in capsys.readouterr().out
