"""This machine's keys: what it signs with, and whose signatures it follows.

It signs with `SIGNING_KEY`, or with a key of its own, which is made when it is first needed and kept in
`DATA_DIR/signing.key`. It trusts that key, those in `SIGNING_TRUSTED_KEYS`, and those in
`DATA_DIR/signing.trusted`, where a rotation leaves the key before. Files are read when they are needed,
so that a rotation needs no restart. Imports settings and no models: delivery asks here as well.
"""

import os
import secrets
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.releases.history import signatures
from apps.releases.history.signatures import KEY_BYTES, PublicKey, SigningKey, TrustedKeys, key_of, trusting


def signed(document: Mapping[str, Any], *, name: str) -> bytes:
    """Return `document`, signed with this machine's key: what storage may hold under `name`.

    Raises `OSError` where the key cannot be read or made.
    """
    return signatures.sign(document, name=name, key=signing_key())


def verified(content: bytes, *, name: str) -> dict[str, Any]:
    """Return the document that `content` is, without its signature.

    Raises `SignatureFault` unless it was signed for `name` by a key that this machine trusts, and
    `ValueError` where it is no JSON.
    """
    return signatures.verify(content, name=name, trusted=trusted_keys())


def signing_key() -> SigningKey:
    """Return what this machine signs with; the first call makes it where it is not set."""
    return SigningKey(settings.SIGNING_KEY) if settings.SIGNING_KEY else _kept_key()


def is_key_set() -> bool:
    """Say whether the key comes from the environment, so that it is changed there."""
    return bool(settings.SIGNING_KEY)


def trusted_keys() -> TrustedKeys:
    """Return the keys whose signatures are followed, this machine's own first."""
    own = [signing_key().public]
    if is_key_set() and _key_file().exists():  # what was signed before it was set
        own.append(_kept_key().public)
    return trusting(*own, *map(PublicKey, settings.SIGNING_TRUSTED_KEYS), *_noted_keys())


def replace_key() -> SigningKey:
    """Make another key, which is signed with from now on; trust the one before still. Return the new one.

    First it is trusted, then used: whoever reads the files in between follows both. Raises `OSError`.
    """
    new = SigningKey(secrets.token_bytes(KEY_BYTES))
    note_trusted([new.public, signing_key().public, *_noted_keys()])
    made = _written(_key_file(), b64encode(new.seed))
    made.replace(_key_file())
    return new


def note_trusted(keys: Iterable[PublicKey]) -> None:
    """Keep these as the keys that are trusted beside the one in use and those of the environment."""
    lines = "".join(f"{key.text}\n" for key in trusting(*keys).values())
    made = _written(_trusted_file(), lines.encode())
    made.replace(_trusted_file())


def noted_keys() -> list[PublicKey]:
    """Return the keys that are trusted because a rotation has left them."""
    return _noted_keys()


def _kept_key() -> SigningKey:
    file = _key_file()
    if not file.exists():
        _make_key(file)
    return SigningKey(key_of(file.read_text()))


def _make_key(file: Path) -> None:
    made = _written(file, b64encode(secrets.token_bytes(KEY_BYTES)))
    with suppress(FileExistsError):  # another process may have been first: then its key stands
        file.hardlink_to(made)
    made.unlink()


def _noted_keys() -> list[PublicKey]:
    try:
        lines = _trusted_file().read_text().split()
    except FileNotFoundError:
        return []
    return [PublicKey(key_of(line)) for line in lines]


def _written(file: Path, content: bytes) -> Path:
    """Return a finished file beside `file`, on disk, which only this user can read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return Path(name)


def _key_file() -> Path:
    return Path(settings.DATA_DIR) / "signing.key"


def _trusted_file() -> Path:
    return Path(settings.DATA_DIR) / "signing.trusted"
