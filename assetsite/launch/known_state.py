"""Whether this version of the program has prepared this site before, without asking the database.

Then nothing is to be migrated, and visitors need not wait until that has been looked at.
"""

import hmac
from pathlib import Path

from django.conf import settings

# Django adds to the other keys when it connects.
_DATABASE = ("ENGINE", "HOST", "PORT", "USER", "NAME")


def is_known() -> bool:
    """Say whether the site was prepared by a program with the same migrations, for the same data."""
    try:
        return _file().read_text() == _state()
    except OSError:
        return False


def remember() -> None:
    """Note that the site is prepared. A note that a crash cuts short is none: the next start looks again."""
    if not is_known():
        _file().write_text(_state())


def _file() -> Path:
    return Path(settings.DATA_DIR) / "prepared"


def _state() -> str:
    """Return a digest of what a preparation depends on. It is keyed, since addresses hold passwords."""
    root = settings.BASE_DIR
    migrations = sorted(str(file.relative_to(root)) for file in root.glob("apps/*/migrations/*.py"))
    packages = (root / "requirements.lock").read_text()  # they bring migrations too
    database = [str(settings.DATABASES["default"].get(key, "")) for key in _DATABASE]
    parts = [*migrations, packages, *database, repr(settings.STORAGES["blobs"])]
    return hmac.new(settings.SECRET_KEY.encode(), "\n".join(parts).encode(), "sha256").hexdigest()
