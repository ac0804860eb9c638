"""Names that carry a fingerprint: `css/app.css` is also served as `css/app.3f2a9c1b0d4e.css`.

A fingerprint is twelve lower-case hex digits before the last extension. They are cut from a SHA-256 so
that the name passes for fingerprinted (`apps.caching.matching`): the cache rule for such names then
applies by itself, to ours as to those that a bundler made.
"""

import re

from apps.assets.paths import MAX_PATH_CHARACTERS, MAX_SEGMENT_BYTES
from apps.caching.matching import is_fingerprinted

FINGERPRINT_DIGITS = 12
_FINGERPRINTED = re.compile(r"(.*[^/])\.([0-9a-f]{12})(\.[^./]+)", re.DOTALL)
_ANY_DIGEST = "1a2b3c4d5e6f"


def fingerprinted_name(path: str, fingerprint: str) -> str:
    """Return the name under which `path` is served with this fingerprint.

    Raises `ValueError` where the name has no stem or no extension (`LICENSE`, `.htaccess`).
    """
    stem, dot, extension = path.rpartition(".")
    if not (dot and extension) or "/" in extension or not stem or stem.endswith("/"):
        raise ValueError(f"{path!r} has no extension to put a fingerprint before")
    return f"{stem}.{fingerprint}.{extension}"


def split_fingerprinted(path: str) -> tuple[str, str] | None:
    """Return the plain path and the fingerprint of a name such as `fingerprinted_name` makes, or None."""
    found = _FINGERPRINTED.fullmatch(path)
    return (found[1] + found[3], found[2]) if found else None


def choose_fingerprint(path: str, digest: str) -> str:
    """Return the first window of `digest` (SHA-256 in hex) that makes a fingerprinted name of `path`.

    Empty where no name can be made: there is no extension, the name carries a hash of its own or one
    that passes for an identifier, or it would become too long to be a path.
    """
    if is_fingerprinted(path):
        return ""
    for start in range(len(digest) - FINGERPRINT_DIGITS + 1):
        fingerprint = digest[start : start + FINGERPRINT_DIGITS]
        try:
            name = fingerprinted_name(path, fingerprint)
        except ValueError:
            return ""
        if is_fingerprinted(name):
            return fingerprint if _is_short_enough(name) else ""
    return ""


def takes_fingerprint(path: str) -> bool:
    """Say whether a fingerprinted name can be made of `path`, whatever its content."""
    return choose_fingerprint(path, _ANY_DIGEST) != ""


def _is_short_enough(path: str) -> bool:
    return len(path) <= MAX_PATH_CHARACTERS and len(path.rpartition("/")[2].encode()) <= MAX_SEGMENT_BYTES
