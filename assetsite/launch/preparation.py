"""Brings database, people, channels and rules to what this version of the program needs.

Each step looks first and writes only what lacks, so that a start that was interrupted anywhere is
finished by the next one.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.accounts.exceptions import WeakPassword
from apps.accounts.models import User
from apps.accounts.passwords import make_password
from apps.accounts.roles import Role
from apps.accounts.selectors import administrators
from apps.accounts.services import add_user, ensure_roles, set_password
from apps.assets import store
from apps.caching.services import ensure_default_rules
from apps.jobs.services import requeue_abandoned
from apps.releases.services.channel_index import reconcile_index
from apps.releases.services.channels import ensure_channels
from apps.releases.services.hosts import ensure_hosts
from apps.releases.services.keys import resume_rotation
from apps.releases.services.pointers import reconcile
from apps.releases.services.preview_pointers import reconcile_signatures
from assetsite.launch.exceptions import CannotStart

FIRST_USER = "admin"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Access:
    """Who logs in first. `password` is there only when it was made just now."""

    username: str
    password: str | None


def prepare(say: Say) -> User:
    """Migrate, make what every site has, recover what was interrupted; return the administrator.

    Raises `CannotStart` for an ADMIN_PASSWORD that will not do, and `OperationalError` where the
    database does not answer.
    """
    migrate(say)
    ensure_roles()
    ensure_channels()
    ensure_hosts()
    reconcile_index()
    administrator = administrators().first() or _add_first_administrator()
    ensure_default_rules(owner=administrator)
    for line in recover():
        say(f"Recovered: {line}")
    return administrator


def migrate(say: Say) -> None:
    """Bring the database's tables up to date, if they are not."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        say(f"Preparing the database ({len(plan)} migrations) …")
        call_command("migrate", verbosity=0, interactive=False)


def recover() -> list[str]:
    """Put right what a crash has left; return a line for each thing."""
    removed = store.remove_unfinished()
    lines = [f"removed {len(removed)} unfinished file{'s' if len(removed) > 1 else ''}."] if removed else []
    lines += resume_rotation() + reconcile() + reconcile_signatures()
    lines += [f"job {job} was interrupted and runs again." for job in requeue_abandoned()]
    return lines


def give_access(administrator: User) -> Access:
    """Return how the administrator logs in, with a new password if they never had one.

    The password is made at the very end of a start: one that is interrupted before cannot have kept
    it to itself.
    """
    if administrator.has_usable_password():
        return Access(administrator.username, None)
    password = make_password()
    set_password(user=administrator, password=password, actor=administrator)
    return Access(administrator.username, password)


def _add_first_administrator() -> User:
    password = os.environ.get("ADMIN_PASSWORD") or None
    try:
        return add_user(username=FIRST_USER, role=Role.ADMINISTRATOR, password=password, actor=None)
    except WeakPassword as refusal:
        raise CannotStart(
            f"ADMIN_PASSWORD: {refusal.message}", next_step="Set another one, or none: then one is made."
        ) from refusal
