"""Groups beside the roles: who, of those whose role lets them, is asked for something (docs/review.md)."""

from django.contrib.auth.models import Group
from django.db import transaction

from apps.accounts.exceptions import OwnAccount, WrongName
from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.accounts.roles import Role
from apps.audit.services import record

MAX_NAME_CHARACTERS = 150


@transaction.atomic
def add_to_group(*, user: User, group: str, actor: User) -> Group:
    """Put a person into a group, which is made where there is none of that name; return it.

    A group gives no permission: those come with the role. Raises `Forbidden`, `OwnAccount`, `WrongName`.
    """
    name = _checked(user, group, actor)
    found, is_new = Group.objects.get_or_create(name=name)
    if user.groups.filter(pk=found.pk).exists():
        return found
    user.groups.add(found)
    made = " It is new." if is_new else ""
    _record(user, actor, "user.join_group", f"Put {user.username} into the group {name}.{made}", name)
    return found


@transaction.atomic
def remove_from_group(*, user: User, group: str, actor: User) -> None:
    """Take a person out of a group. Raises `Forbidden`, `OwnAccount`, `WrongName`."""
    name = _checked(user, group, actor)
    found = user.groups.filter(name=name).first()
    if found is None:
        return
    user.groups.remove(found)
    _record(user, actor, "user.leave_group", f"Took {user.username} out of the group {name}.", name)


def _checked(user: User, group: str, actor: User) -> str:
    require(actor, "accounts.change_user", to="change who is in which group")
    if user == actor:
        raise OwnAccount("You cannot change which groups you are in.", next_step="Ask another administrator.")
    name = group.strip()
    if name in set(Role):
        raise WrongName(
            f"{name} is a role, not a group.", next_step="Change the person's role on their page instead."
        )
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise WrongName(
            f"A group's name has from 1 to {MAX_NAME_CHARACTERS} characters.", next_step="Choose another one."
        )
    return name


def _record(user: User, actor: User, action: str, summary: str, group: str) -> None:
    record(
        actor=actor,
        action=action,
        target=f"user {user.username}",
        summary=summary,
        details={"group": group},
    )
