import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from apps.accounts import group_services, services
from apps.accounts.command_line import SubcommandsCommand
from apps.accounts.models import User
from apps.accounts.passwords import make_password
from apps.accounts.roles import Role
from apps.accounts.selectors import administrators, groups_of, people, role_of, time_zone_of, user_named


class Command(SubcommandsCommand):
    help = (
        "Looks after the people of the team: adds, lists and deactivates them, sets passwords and time zones."
    )

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        adding = add("add", self.add, help="add a person, and print a password for them once")
        adding.add_argument("name")
        adding.add_argument("--role", type=_role, required=True, help=", ".join(Role))
        adding.add_argument("--email", default="")
        adding.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )
        changing = add("password", self.password, help="give a person a new password, printed once")
        changing.add_argument("name")
        changing.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )
        zone = add("time-zone", self.time_zone, help="set the zone in which a person reads and types times")
        zone.add_argument("name")
        zone.add_argument("zone", help="such as Europe/Berlin; “site” for the site's own")
        add("list", self.list, help="list everybody, with role and last login")
        grouping = add("group", self.group, help="put a person into a group of approvers, or take them out")
        grouping.add_argument("name")
        grouping.add_argument("group", help="made where there is none of that name")
        grouping.add_argument("--remove", action="store_true", help="take them out")
        deactivating = add("deactivate", self.deactivate, help="let a person log in no more")
        deactivating.add_argument("name")
        reactivating = add("reactivate", self.reactivate, help="let a person log in again")
        reactivating.add_argument("name")

    def add(self, **options: Any) -> object:
        password = _password(options)
        user = services.add_user(
            username=options["name"],
            role=options["role"],
            password=password,
            email=options["email"],
            actor=self._adder(options),
        )
        self.say(f"Added {user.username} as {options['role'].label}.")
        return _as_json(user) | self._shown_once(password, options)

    def password(self, **options: Any) -> object:
        password = _password(options)
        user = services.set_password(
            user=user_named(options["name"]), password=password, actor=self.actor(options)
        )
        self.say(f"{user.username} has a new password; other sessions of theirs have ended.")
        return _as_json(user) | self._shown_once(password, options)

    def time_zone(self, **options: Any) -> object:
        zone = "" if options["zone"] == "site" else options["zone"]
        user = services.set_time_zone(user=user_named(options["name"]), name=zone, actor=self.actor(options))
        self.say(f"{user.username} reads and types times in {time_zone_of(user).key}.")
        return _as_json(user) | {"time_zone": user.time_zone}

    def list(self, **options: Any) -> object:
        self.refuse_reader("accounts.view_user", options)
        rows = list(people())
        for user in rows:
            role = role_of(user)
            seen = f"last login {user.last_login:%Y-%m-%d %H:%M}" if user.last_login else "never logged in"
            note = "" if user.is_active else ", deactivated"
            self.say(f"{user.username:<24} {role.label if role else 'no role':<16} {seen}{note}")
        return {"users": [_as_json(user) for user in rows]}

    def group(self, **options: Any) -> object:
        user, name = user_named(options["name"]), options["group"]
        change = group_services.remove_from_group if options["remove"] else group_services.add_to_group
        change(user=user, group=name, actor=self.actor(options))
        self.say(f"{user.username} is {'not ' if options['remove'] else ''}in the group {name}.")
        return _as_json(user) | {"groups": groups_of(user)}

    def deactivate(self, **options: Any) -> object:
        user = services.deactivate(user=user_named(options["name"]), actor=self.actor(options))
        self.say(f"{user.username} can log in no more. `user reactivate {user.username}` undoes it.")
        return _as_json(user)

    def reactivate(self, **options: Any) -> object:
        user = services.reactivate(user=user_named(options["name"]), actor=self.actor(options))
        self.say(f"{user.username} can log in again.")
        return _as_json(user)

    def _shown_once(self, password: str, options: dict[str, Any]) -> dict[str, object]:
        """Print a password that was made here; one that was given is known already."""
        if options["password_stdin"]:
            return {}
        self.say(f"Password, shown only now: {password}")
        return {"password": password}

    def _adder(self, options: dict[str, Any]) -> User | None:
        """Return who adds: nobody of the team, but the machine's owner, while there is no administrator."""
        if options["as_user"] is None and not administrators().exists():
            return None
        return self.actor(options)


def _password(options: dict[str, Any]) -> str:
    return sys.stdin.readline().rstrip("\r\n") if options["password_stdin"] else make_password()


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise ArgumentTypeError(f"there is no role {text!r}; choose from {', '.join(Role)}") from None


def _as_json(user: User) -> dict[str, object]:
    role = role_of(user)
    return {"user": user.username, "role": role.value if role else None, "is_active": user.is_active}
