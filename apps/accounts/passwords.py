"""Passwords that the system makes, for a person to copy once and change when they like, and those that do."""

import secrets

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from apps.accounts.exceptions import WeakPassword
from apps.accounts.models import User
from apps.texts import is_storable

# No letters or digits that look like one another (RFC 4648's base 32 leaves out 0, 1 and 8 for that).
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, GROUP_LENGTH = 4, 5


def make_password() -> str:
    """Return a password of four groups of five letters or digits: 99 bits."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


def refuse_weak(password: str, *, user: User | None = None) -> None:
    """Raise `WeakPassword` for one that is easily guessed, by who knows `user` too, or that is no text."""
    if not is_storable(password):
        raise _refusal("It is no text: its bytes are no UTF-8, or one is NUL.")
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise _refusal(" ".join(error.messages)) from error


def _refusal(why: str) -> WeakPassword:
    return WeakPassword(f"This password will not do: {why}", next_step="Choose another one.")
