from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    verbose_name = "People"

    def ready(self) -> None:
        post_migrate.connect(_write_roles, sender=self)


def _write_roles(**_: Any) -> None:
    from apps.accounts.services import ensure_roles  # noqa: PLC0415 - needs models

    ensure_roles()
