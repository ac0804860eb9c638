"""Passwords that the system makes: for a person to copy once and change when they like."""

import secrets

# No letters or digits that look like one another (RFC 4648's base 32 leaves out 0, 1 and 8 for that).
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, GROUP_LENGTH = 4, 5


def make_password() -> str:
    """Return a password of four groups of five letters or digits: 99 bits."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)
