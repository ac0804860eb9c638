from apps.accounts.exceptions import UnknownUser
from apps.accounts.models import User
from apps.accounts.roles import Role


def user_named(username: str) -> User:
    """Return the user of that name. Raises `UnknownUser`."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise UnknownUser(
            f"There is no user {username!r}.",
            next_step=f"Add one with `scripts/manage user add {username} --role editor`, or check the name.",
        )
    return user


def acting_user(username: str | None) -> User:
    """Return who a command acts as: the user named, or the first administrator where none is.

    Whoever may run commands on the machine owns its database anyway; the name is for the audit log.
    Raises `UnknownUser`.
    """
    if username:
        return user_named(username)
    first = User.objects.filter(groups__name=Role.ADMINISTRATOR, is_active=True).order_by("id").first()
    if first is None:
        raise UnknownUser(
            "There is no administrator yet.",
            next_step="Run `scripts/run` once, or `scripts/manage user add NAME --role administrator`.",
        )
    return first
