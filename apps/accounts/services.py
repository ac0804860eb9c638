"""The only writers of people and roles. Every call leaves one entry in the audit log."""

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts import permissions
from apps.accounts.exceptions import (
    Forbidden,
    LastAdministrator,
    OwnAccount,
    UserExists,
    WrongName,
)
from apps.accounts.local_times import zone_named
from apps.accounts.models import User
from apps.accounts.passwords import refuse_weak
from apps.accounts.roles import PERMISSIONS, Role
from apps.accounts.selectors import (
    administrators,
    may_give,
    permissions_by_name,
    role_of,
    stored_roles,
)
from apps.audit.services import record


def ensure_roles() -> list[Role]:
    """Make the groups in the database say what `roles` says; return the roles that had to change.

    Runs after each migration and at each start: a role never lags behind the code. One query where
    nothing is to do. No audit entry: it is the code that changed, and its history is elsewhere.
    """
    stored = stored_roles()
    stale = [role for role in Role if stored.get(role) != PERMISSIONS[role]]
    if stale:
        _write_roles(stale)
    return stale


@transaction.atomic
def _write_roles(roles: list[Role]) -> None:
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)  # those of later apps come after ours in post_migrate
    known = permissions_by_name()
    for role in roles:
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set([known[name] for name in PERMISSIONS[role]])


@transaction.atomic
def add_user(
    *,
    username: str,
    role: Role,
    password: str | None,
    actor: User | None,
    email: str = "",
    first_name: str = "",
    last_name: str = "",
) -> User:
    """Add a person, who can log in at the staff door with that password; with None, once they have one.

    `actor` None stands for the owner of the machine, who may add an administrator while there is
    none, and nobody else. Raises `Forbidden`, `UserExists`, `WrongName` and `WeakPassword`.
    """
    _require_may_give(actor, role, to=f"add {permissions.with_article(role.label)}")
    user = User(username=username, email=email, first_name=first_name, last_name=last_name, is_staff=True)
    _require_name(user)
    if password is None:
        user.set_unusable_password()
    else:
        _set_password(user, password)
    user.save(force_insert=True)
    user.groups.add(Group.objects.get(name=role))
    record(
        actor=actor,
        action="user.add",
        target=_target(user),
        summary=f"Added {username} as {permissions.with_article(role.label)}.",
        details={"role": role.value},
    )
    return user


@transaction.atomic
def edit_user(*, user: User, actor: User, email: str, first_name: str, last_name: str) -> User:
    """Change what a person is called and where mail reaches them. Raises `Forbidden`."""
    permissions.require(actor, "accounts.change_user", to="change people's accounts")
    new = {"email": email, "first_name": first_name, "last_name": last_name}
    changed = [name for name, value in new.items() if getattr(user, name) != value]
    for name in changed:
        setattr(user, name, new[name])
    user.save(update_fields=changed)
    _record_change(
        user,
        actor,
        "user.edit",
        f"Changed {', '.join(changed) or 'nothing'} of {user.username}.",
        fields=changed,
    )
    return user


@transaction.atomic
def change_role(*, user: User, role: Role, actor: User) -> User:
    """Give a person this role instead of the one they have.

    Raises `Forbidden` where the role has more than `actor` has, `OwnAccount` for one's own and
    `LastAdministrator` where nobody would be left to give roles.
    """
    _require_may_give(actor, role, to="change people's roles")
    _require_other(user, actor, "change your own role")
    if role is not Role.ADMINISTRATOR:
        _require_not_last(user)
    before = role_of(user)
    user.groups.remove(*Group.objects.filter(name__in=list(Role)).exclude(name=role))
    user.groups.add(Group.objects.get(name=role))
    _record_change(
        user,
        actor,
        "user.change_role",
        f"Made {user.username} {permissions.with_article(role.label)}.",
        role=role.value,
        before=before.value if before else None,
    )
    return user


@transaction.atomic
def set_password(*, user: User, password: str, actor: User) -> User:
    """Give a person a new password; everybody may do that for themselves.

    Raises `Forbidden` and `WeakPassword`.
    """
    if user != actor:
        permissions.require(actor, "accounts.change_user", to="set the passwords of others")
    _set_password(user, password)
    user.save(update_fields=["password"])
    whose = "their own password" if user == actor else f"the password of {user.username}"
    _record_change(user, actor, "user.set_password", f"Changed {whose}.")
    return user


@transaction.atomic
def set_time_zone(*, user: User, name: str, actor: User) -> User:
    """Let a person read and type times in this zone; in the site's own with "".

    Everybody may do that for themselves. Raises `Forbidden` and `UnknownTimeZone`.
    """
    if user != actor:
        permissions.require(actor, "accounts.change_user", to="set the time zone of others")
    zone = zone_named(name).key if name else None
    user.time_zone = zone
    user.save(update_fields=["time_zone"])
    _record_change(
        user,
        actor,
        "user.set_time_zone",
        f"{user.username} reads times in {zone or 'the zone of the site'}.",
        time_zone=zone,
    )
    return user


@transaction.atomic
def deactivate(*, user: User, actor: User) -> User:
    """Let a person log in no more; what they did keeps their name.

    Raises `Forbidden`, `OwnAccount` and `LastAdministrator`.
    """
    permissions.require(actor, "accounts.change_user", to="deactivate people")
    _require_other(user, actor, "deactivate yourself")
    _require_not_last(user)
    return _set_active(user, actor, "user.deactivate", f"Deactivated {user.username}.", is_active=False)


@transaction.atomic
def reactivate(*, user: User, actor: User) -> User:
    """Let a person who was deactivated log in again. Raises `Forbidden`."""
    permissions.require(actor, "accounts.change_user", to="reactivate people")
    return _set_active(user, actor, "user.reactivate", f"Reactivated {user.username}.", is_active=True)


def _set_active(user: User, actor: User, action: str, summary: str, *, is_active: bool) -> User:
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    _record_change(user, actor, action, summary)
    return user


def _require_may_give(actor: User | None, role: Role, *, to: str) -> None:
    if actor is None:
        _require_first(role)
        return
    permissions.require(actor, "accounts.change_user", to=to)
    if not may_give(actor, role):
        raise Forbidden(
            f"{actor} may not make others {permissions.with_article(role.label)}: their own role has less.",
            next_step="Ask an administrator.",
        )


def _require_first(role: Role) -> None:
    if role is not Role.ADMINISTRATOR or administrators().exists():
        raise Forbidden(
            "Without an acting user only the first administrator can be added.",
            next_step="Say who acts, with --as USER.",
        )


def _require_other(user: User, actor: User, what: str) -> None:
    if user == actor:
        raise OwnAccount(f"You cannot {what}.", next_step="Ask another administrator.")


def _require_not_last(user: User) -> None:
    # Two administrators who deactivate each other at the same moment wait here for one another.
    Group.objects.select_for_update(no_key=True).get(name=Role.ADMINISTRATOR)
    if user.is_active and not administrators().exclude(pk=user.pk).exists():
        raise LastAdministrator(
            f"{user} is the only administrator.", next_step="Make somebody else an administrator first."
        )


def _require_name(user: User) -> None:
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise WrongName(
            f"No user can be called {user.username!r}: {' '.join(error.messages)}",
            next_step="Choose another name or address.",
        ) from error
    if User.objects.filter(username__iexact=user.username).exists():
        raise UserExists(
            f"There is a user {user.username!r} already.",
            next_step="Choose another name, or change that user's role in the admin.",
        )


def _set_password(user: User, password: str) -> None:
    refuse_weak(password, user=user)
    user.set_password(password)


def _record_change(user: User, actor: User, action: str, summary: str, **details: Any) -> None:
    record(actor=actor, action=action, target=_target(user), summary=summary, details=details)


def _target(user: User) -> str:
    return f"user {user.username}"
