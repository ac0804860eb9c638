from itertools import pairwise

import pytest
from django.apps import apps as django_apps
from django.contrib.auth.models import Group, Permission
from django.db.models.signals import post_migrate

from apps.accounts import services
from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.accounts.permissions import require, who_may
from apps.accounts.roles import PERMISSIONS, Role, roles_with
from apps.accounts.selectors import permissions_by_name, stored_roles
from tests.conftest import MakeUser


def test_each_role_is_a_group_with_exactly_its_permissions(db: None) -> None:
    assert stored_roles() == {role.value: PERMISSIONS[role] for role in Role}


def test_every_permission_of_a_role_exists(db: None) -> None:
    assert frozenset[str]().union(*PERMISSIONS.values()) <= permissions_by_name().keys()


def test_each_role_has_what_the_weaker_ones_have() -> None:
    ladder = [PERMISSIONS[role] for role in Role]
    assert all(weaker < stronger for weaker, stronger in pairwise(ladder))


def test_a_role_that_was_edited_by_hand_is_put_right(db: None) -> None:
    group = Group.objects.get(name=Role.EDITOR)
    group.permissions.add(Permission.objects.get(codename="publish_release"))
    group.permissions.remove(Permission.objects.get(codename="submit_release"))
    assert services.ensure_roles() == [Role.EDITOR]
    assert stored_roles()[Role.EDITOR] == PERMISSIONS[Role.EDITOR]
    assert services.ensure_roles() == []


def test_a_role_that_was_removed_comes_back_with_the_next_migration(db: None) -> None:
    Group.objects.filter(name=Role.VIEWER).delete()
    config = django_apps.get_app_config("accounts")
    post_migrate.send(sender=config, app_config=config, verbosity=0, interactive=False, using="default")
    assert stored_roles()[Role.VIEWER] == PERMISSIONS[Role.VIEWER]


@pytest.mark.parametrize("role", Role)
def test_a_person_may_what_their_role_says(make_user: MakeUser, role: Role) -> None:
    assert make_user("someone", role).get_all_permissions() == PERMISSIONS[role]


def test_who_may_not_is_told_who_may(editor: User, manager: User) -> None:
    require(manager, "releases.publish_release", to="publish")
    with pytest.raises(Forbidden) as refusal:
        require(editor, "releases.publish_release", to="publish")
    assert str(refusal.value) == "eva may not publish. Ask a release manager or an administrator."


def test_who_was_deactivated_may_nothing(manager: User) -> None:
    manager.is_active = False
    with pytest.raises(Forbidden):
        require(manager, "releases.view_release", to="look")


def test_what_no_role_may_is_an_administrators_to_answer() -> None:
    assert roles_with("nothing.at_all") == []
    assert who_may("nothing.at_all") == "an administrator"
    assert who_may("accounts.add_user") == "an administrator"
    assert who_may("releases.add_release") == "an editor, a release manager or an administrator"
