"""The four roles: which permissions each of them has.

A role is a Django group of the same name. The table is the source; `ensure_roles` writes it to the
database after each migration, so that a role never lags behind the code.
"""

from enum import StrEnum


class Role(StrEnum):
    VIEWER = "viewer"
    EDITOR = "editor"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"

    @property
    def label(self) -> str:
        return "release manager" if self is Role.MANAGER else self.value


_VIEWED = (
    "assets.asset",
    "assets.assetversion",
    "assets.blob",
    "assets.representation",
    "audit.auditentry",
    "caching.cacherule",
    "caching.cacheruleversion",
    "jobs.job",
    "releases.approval",
    "releases.change",
    "releases.channel",
    "releases.comment",
    "releases.hold",
    "releases.manifest",
    "releases.preview",
    "releases.publication",
    "releases.release",
)


def _codename(action: str, model: str) -> str:
    app, _, name = model.partition(".")
    return f"{app}.{action}_{name}"


VIEWER_PERMISSIONS = frozenset(_codename("view", model) for model in _VIEWED)
EDITOR_PERMISSIONS = VIEWER_PERMISSIONS | {
    "assets.add_asset",
    "assets.change_asset",
    "releases.add_comment",
    "releases.add_preview",
    "releases.add_release",
    "releases.change_release",
    "releases.submit_release",
}
MANAGER_PERMISSIONS = EDITOR_PERMISSIONS | {
    "caching.add_cacherule",
    "caching.change_cacherule",
    "releases.approve_release",
    "releases.publish_release",
    "releases.revoke_preview",
    "releases.roll_back_channel",
    "releases.hold_channel",
    "releases.override_freeze",
}
ADMINISTRATOR_PERMISSIONS = MANAGER_PERMISSIONS | {
    "accounts.add_user",
    "accounts.change_user",
    "accounts.view_user",
    "releases.add_channel",
    "releases.change_channel",
    "releases.delete_channel",
    "releases.publish_in_emergency",
    "jobs.retry_job",
    "notifications.view_webhook",
    "notifications.add_webhook",
    "notifications.change_webhook",
}

PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.VIEWER: VIEWER_PERMISSIONS,
    Role.EDITOR: EDITOR_PERMISSIONS,
    Role.MANAGER: MANAGER_PERMISSIONS,
    Role.ADMINISTRATOR: ADMINISTRATOR_PERMISSIONS,
}


def roles_with(permission: str) -> list[Role]:
    """Return the roles that have `permission` (`app.codename`), least powerful first."""
    return [role for role in Role if permission in PERMISSIONS[role]]
