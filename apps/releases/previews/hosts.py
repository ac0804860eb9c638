"""The host names of previews: what they say, signed, so that none can be guessed or made up.

A label is `r42-` and 40 characters: 8 bytes that say which preview it is, 4 with the second in which it
ends, and the first 13 of an HMAC-SHA256 over these and the release's number (104 bits), in base32. So a
node tells a forged host, and one whose time is over, without asking anybody. No Django: the secret is given.
"""

import hmac
import re
from base64 import b32decode, b32encode
from dataclasses import dataclass

KEY_BYTES = 8
_EXPIRY_BYTES = 4
_MAC_BYTES = 13
_SIGNED_BYTES = KEY_BYTES + _EXPIRY_BYTES
_LABEL = re.compile(r"r([1-9][0-9]{0,11})-([a-z2-7]{40})")


@dataclass(frozen=True, slots=True)
class PreviewHost:
    """What a label says: the release's number, the preview's key (hex), and its end in seconds since 1970."""

    release: int
    key: str
    expires_at: int


def label_of(host: PreviewHost, secret: str) -> str:
    """Return the label of a preview: at most 54 characters, lower case."""
    said = bytes.fromhex(host.key) + host.expires_at.to_bytes(_EXPIRY_BYTES, "big")
    return f"r{host.release}-{b32encode(said + _mac(host.release, said, secret)).decode().lower()}"


def read_label(label: str, secret: str) -> PreviewHost | None:
    """Return what a label says if it was signed with this secret, else None; compared in constant time."""
    found = _LABEL.fullmatch(label)
    if found is None:
        return None
    release, token = int(found[1]), b32decode(found[2].upper())
    said, mac = token[:_SIGNED_BYTES], token[_SIGNED_BYTES:]
    if not hmac.compare_digest(mac, _mac(release, said, secret)):
        return None
    return PreviewHost(release, said[:KEY_BYTES].hex(), int.from_bytes(said[KEY_BYTES:], "big"))


def preview_label(name: str, domain: str) -> str | None:
    """Return what stands before the preview domain in a host name, None where the name is not below it.

    `name` has no port and is in lower case. The domain itself gives "".
    """
    if name == domain:
        return ""
    label, found, rest = name.rpartition(f".{domain}")
    return label if found and not rest else None


def _mac(release: int, said: bytes, secret: str) -> bytes:
    message = b"assetsite preview host 1\n%d\n%b" % (release, said)
    return hmac.digest(secret.encode(), message, "sha256")[:_MAC_BYTES]
