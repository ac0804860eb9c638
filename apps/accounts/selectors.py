from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db.models import QuerySet

from apps.accounts.exceptions import UnknownTimeZone, UnknownUser
from apps.accounts.local_times import zone_named
from apps.accounts.models import User
from apps.accounts.roles import PERMISSIONS, Role


def user_named(username: str) -> User:
    """Return the user of that name. Raises `UnknownUser`."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise UnknownUser(
            f"There is no user {username!r}.",
            next_step=f"Add one with `scripts/manage user add {username or 'NAME'} --role editor`,"
            " or check the name.",
        )
    return user


def acting_user(username: str | None) -> User:
    """Return who a command acts as: the user named, or the first administrator where none is.

    Whoever may run commands on the machine owns its database anyway; the name is for the audit log.
    Raises `UnknownUser`.
    """
    if username is not None:  # an empty name is a script's mistake, and nobody's name
        return user_named(username)
    first = administrators().first()
    if first is None:
        raise UnknownUser(
            "There is no administrator yet.",
            next_step="Run `scripts/run` once, or `scripts/manage user add NAME --role administrator`.",
        )
    return first


def administrators() -> QuerySet[User]:
    """Return the administrators who may log in, oldest account first."""
    return User.objects.filter(groups__name=Role.ADMINISTRATOR, is_active=True).order_by("id")


def role_of(user: User) -> Role | None:
    """Return the user's most powerful role, or None; without a query where groups are prefetched."""
    names = {group.name for group in user.groups.all()}
    return next((role for role in reversed(Role) if role in names), None)


def time_zone_of(user: User) -> ZoneInfo:
    """Return the zone in which `user` reads and types times: their own choice, or else the site's.

    A choice that this machine does not know (any more) is as none.
    """
    try:
        return zone_named(user.time_zone or settings.TIME_ZONE)
    except UnknownTimeZone:
        return zone_named(settings.TIME_ZONE)


def groups_of(user: User) -> list[str]:
    """Return the groups beside the roles that `user` is in, by name."""
    return list(user.groups.exclude(name__in=list(Role)).order_by("name").values_list("name", flat=True))


def people() -> QuerySet[User]:
    """Return everybody, by name, with their groups fetched."""
    return User.objects.prefetch_related("groups").order_by("username")


def may_give(actor: User, role: Role) -> bool:
    """Say whether `actor` has every permission that `role` would give somebody else."""
    return actor.get_all_permissions() >= PERMISSIONS[role]


def permissions_by_name() -> dict[str, Permission]:
    """Return every permission there is, by `app.codename`."""
    permissions = Permission.objects.select_related("content_type")
    return {f"{p.content_type.app_label}.{p.codename}": p for p in permissions}


def stored_roles() -> dict[str, frozenset[str]]:
    """Return what the database says that each group may do: name → `app.codename`s."""
    rows = Permission.objects.values_list("group__name", "content_type__app_label", "codename").filter(
        group__name__in=list(Role)
    )
    stored: dict[str, set[str]] = {}
    for group, app, codename in rows:
        stored.setdefault(group, set()).add(f"{app}.{codename}")
    return {name: frozenset(permissions) for name, permissions in stored.items()}
