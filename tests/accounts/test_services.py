from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission

from apps.accounts import services
from apps.accounts.exceptions import (
    Forbidden,
    LastAdministrator,
    OwnAccount,
    UnknownUser,
    UserExists,
    WeakPassword,
    WrongName,
)
from apps.accounts.models import User
from apps.accounts.passwords import ALPHABET, make_password
from apps.accounts.roles import Role
from apps.accounts.selectors import acting_user, role_of, user_named
from apps.audit.models import AuditEntry
from apps.audit.selectors import head
from apps.refusals import Refusal

PASSWORD = "harbour-lantern-42"


def add(
    username: str = "nina", role: Role = Role.EDITOR, *, actor: User | None, password: str = PASSWORD
) -> User:
    return services.add_user(
        username=username, role=role, password=password, actor=actor, email="n@example.com"
    )


def last_entry() -> AuditEntry:
    return AuditEntry.objects.latest("sequence")


def test_a_person_who_was_added_can_log_in_with_their_role(administrator: User) -> None:
    user = add(actor=administrator)
    assert user.check_password(PASSWORD)
    assert (user.is_staff, user.is_superuser, role_of(user)) == (True, False, Role.EDITOR)
    entry = last_entry()
    assert (entry.actor, entry.action, entry.target) == (administrator, "user.add", "user nina")
    assert entry.summary == "Added nina as an editor."
    assert PASSWORD not in str(entry.details)


def test_the_owner_of_the_machine_adds_the_first_administrator_and_only_them(db: None) -> None:
    for role in (Role.VIEWER, Role.EDITOR, Role.MANAGER):
        with pytest.raises(Forbidden):
            add(role=role, actor=None)
    add("root", Role.ADMINISTRATOR, actor=None)
    assert last_entry().actor_name == "system"
    with pytest.raises(Forbidden, match="Say who acts"):
        add("second", Role.ADMINISTRATOR, actor=None)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR, Role.MANAGER])
def test_only_administrators_look_after_people(
    request: pytest.FixtureRequest, role: Role, other_editor: User
) -> None:
    actor = request.getfixturevalue(
        {Role.VIEWER: "viewer", Role.EDITOR: "editor", Role.MANAGER: "manager"}[role]
    )
    attempts: list[Callable[[], object]] = [
        lambda: add(actor=actor),
        lambda: services.change_role(user=other_editor, role=Role.VIEWER, actor=actor),
        lambda: services.set_password(user=other_editor, password=PASSWORD, actor=actor),
        lambda: services.deactivate(user=other_editor, actor=actor),
        lambda: services.reactivate(user=other_editor, actor=actor),
        lambda: services.edit_user(user=other_editor, actor=actor, email="", first_name="", last_name=""),
    ]
    for attempt in attempts:
        with pytest.raises(Forbidden):
            attempt()
    assert head().sequence == 0


def test_nobody_gives_more_than_they_have(editor: User, viewer: User) -> None:
    editor.user_permissions.add(Permission.objects.get(codename="change_user"))
    with pytest.raises(Forbidden, match="their own role has less"):
        services.change_role(user=viewer, role=Role.ADMINISTRATOR, actor=editor)
    with pytest.raises(Forbidden):
        add(role=Role.MANAGER, actor=editor)


@pytest.mark.parametrize(
    ("username", "error"), [("EVA", UserExists), ("eva", UserExists), ("", WrongName), ("a b", WrongName)]
)
def test_a_name_that_is_taken_or_impossible_is_refused(
    administrator: User, editor: User, username: str, error: type[Refusal]
) -> None:
    with pytest.raises(error):
        add(username, actor=administrator)


@pytest.mark.parametrize("password", ["", "short", "password12", "nina-nina-nina"])
def test_a_weak_password_is_refused_and_nobody_added(administrator: User, password: str) -> None:
    with pytest.raises(WeakPassword):
        add("nina-nina-nina", actor=administrator, password=password)
    assert not User.objects.filter(username="nina-nina-nina").exists()


def test_a_role_is_changed_for_another(administrator: User, editor: User) -> None:
    services.change_role(user=editor, role=Role.MANAGER, actor=administrator)
    assert role_of(User.objects.get(pk=editor.pk)) is Role.MANAGER
    assert last_entry().details == {"role": "manager", "before": "editor"}


def test_a_person_without_a_role_gets_one(administrator: User) -> None:
    nobody = User.objects.create(username="nobody")
    assert role_of(nobody) is None
    services.change_role(user=nobody, role=Role.VIEWER, actor=administrator)
    assert last_entry().details["before"] is None


def test_nobody_changes_their_own_role_or_locks_themselves_out(administrator: User) -> None:
    with pytest.raises(OwnAccount):
        services.change_role(user=administrator, role=Role.VIEWER, actor=administrator)
    with pytest.raises(OwnAccount):
        services.deactivate(user=administrator, actor=administrator)


def test_the_last_administrator_stays(administrator: User) -> None:
    second = add("second", Role.ADMINISTRATOR, actor=administrator)
    services.deactivate(user=administrator, actor=second)
    # A superuser from Django's own command may act without being one of the administrators.
    outsider = User.objects.create(username="outsider", is_superuser=True)
    attempts: list[Callable[[], object]] = [
        lambda: services.deactivate(user=second, actor=outsider),
        lambda: services.change_role(user=second, role=Role.EDITOR, actor=outsider),
    ]
    for attempt in attempts:
        with pytest.raises(LastAdministrator):
            attempt()
    services.change_role(user=administrator, role=Role.EDITOR, actor=second)  # deactivated: not the last
    assert list(User.objects.filter(groups__name=Role.ADMINISTRATOR)) == [second]


def test_who_was_deactivated_comes_back_with_all_they_had(administrator: User, editor: User) -> None:
    services.deactivate(user=editor, actor=administrator)
    assert not User.objects.get(pk=editor.pk).is_active
    services.reactivate(user=editor, actor=administrator)
    found = User.objects.get(pk=editor.pk)
    assert (found.is_active, role_of(found)) == (True, Role.EDITOR)
    assert [entry.action for entry in AuditEntry.objects.all()] == ["user.reactivate", "user.deactivate"]


def test_everybody_sets_their_own_password_and_an_administrator_that_of_others(
    administrator: User, viewer: User
) -> None:
    services.set_password(user=viewer, password=PASSWORD, actor=viewer)
    assert last_entry().summary == "Changed their own password."
    services.set_password(user=viewer, password=PASSWORD + "!", actor=administrator)
    assert last_entry().summary == "Changed the password of vera."
    assert User.objects.get(pk=viewer.pk).check_password(PASSWORD + "!")


def test_an_edit_names_what_it_changed(administrator: User, editor: User) -> None:
    services.edit_user(user=editor, actor=administrator, email="", first_name="Eva", last_name="Lindholm")
    assert str(User.objects.get(pk=editor.pk)) == "Eva Lindholm"
    assert last_entry().summary == "Changed first_name, last_name of eva."


def test_a_command_acts_as_who_is_named_or_as_the_first_administrator(
    administrator: User, editor: User
) -> None:
    assert acting_user(None) == administrator
    assert acting_user("eva") == editor
    with pytest.raises(UnknownUser):
        user_named("nobody")


def test_without_an_administrator_a_command_says_how_to_get_one(editor: User) -> None:
    with pytest.raises(UnknownUser, match="user add NAME --role administrator"):
        acting_user(None)


def test_made_passwords_differ_and_are_easy_to_copy() -> None:
    made = {make_password() for _ in range(100)}
    assert len(made) == 100
    for password in made:
        assert [len(group) for group in password.split("-")] == [5, 5, 5, 5]
        assert set(password) <= set(ALPHABET) | {"-"}
