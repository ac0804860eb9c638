from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.accounts.roles import roles_with


def require(actor: User, permission: str, *, to: str) -> None:
    """Raise `Forbidden` unless `actor` is active and has `permission`; `to` says what for, in words."""
    if actor.is_active and actor.has_perm(permission):
        return
    raise Forbidden(f"{actor} may not {to}.", next_step=f"Ask {who_may(permission)}.")


def who_may(permission: str) -> str:
    """Say in words which roles have `permission`: "an editor or a release manager"."""
    names = [role.label for role in roles_with(permission)]
    words = [with_article(name) for name in names]
    if not words:
        return "an administrator"
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def with_article(noun: str) -> str:
    """Return "an editor" for "editor", "a viewer" for "viewer"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
