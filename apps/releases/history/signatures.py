"""Ed25519 signatures of the documents that delivery follows, and of a channel's history.

A signed document is a JSON object whose last member, `signature`, names a key and has the signature in
base64. What is signed is the document's name in storage, a line feed, and the object without that
member as JSON in the same order and without spaces. So a document that was signed for one place says
nothing in another. No Django: the keys are given. See docs/history.md and RFC 8032.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_BYTES = 32
MEMBER = "signature"


class SignatureFault(ValueError):
    """Something is not signed, or not by a key that is trusted, or was changed afterwards."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What signatures are checked with: 32 bytes."""

    content: bytes

    @property
    def id(self) -> str:
        """The beginning of its SHA-256, in hex: the name by which a signature says which key it is of."""
        return sha256(self.content).hexdigest()[:16]

    @property
    def text(self) -> str:
        """The key as settings have it, in base64."""
        return b64encode(self.content).decode()

    @property
    def pem(self) -> str:
        """The key as OpenSSL reads it."""
        key = Ed25519PublicKey.from_public_bytes(self.content)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def check(self, signature: bytes, message: bytes) -> None:
        """Raise `SignatureFault` unless `signature` is this key's, of `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.content).verify(signature, message)
        except InvalidSignature as error:
            raise SignatureFault(f"it was changed after it was signed with key {self.id}") from error


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """What signatures are made with: 32 bytes that nobody else knows."""

    seed: bytes

    @property
    def public(self) -> PublicKey:
        return PublicKey(Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`, 64 bytes; the same each time."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


type TrustedKeys = Mapping[str, PublicKey]
"""Keys by their ids."""


def trusting(*keys: PublicKey) -> TrustedKeys:
    """Return keys by their ids."""
    return {key.id: key for key in keys}


def key_of(text: str) -> bytes:
    """Read a key as settings have it. Raises `ValueError` unless it is 32 bytes in base64."""
    content = b64decode(text.strip(), validate=True)
    if len(content) != KEY_BYTES:
        raise ValueError(f"{len(content)} bytes instead of {KEY_BYTES}")
    return content


def canonical(document: Mapping[str, Any]) -> str:
    """Return a document as JSON, its members in their order, without spaces."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def sign(document: Mapping[str, Any], *, name: str, key: SigningKey) -> bytes:
    """Return a document with its signature, as UTF-8 JSON for people to read: what `name` may hold."""
    signature = key.sign(_message(name, document))
    member = {"key": key.public.id, "ed25519": b64encode(signature).decode()}
    return json.dumps({**document, MEMBER: member}, indent=2, ensure_ascii=False).encode() + b"\n"


def verify(content: bytes, *, name: str, trusted: TrustedKeys) -> dict[str, Any]:
    """Return the document in `content`, without its signature, if a trusted key has signed it for `name`.

    Raises `SignatureFault`, and `ValueError` for what is no JSON.
    """
    document = json.loads(content)
    if not isinstance(document, dict):
        raise SignatureFault("it is no signed document")
    member = document.pop(MEMBER, None)
    if member is None:
        raise SignatureFault("it is not signed")
    signer, signature = _signature_in(member)
    check(signature, _message(name, document), signer=signer, trusted=trusted)
    return document


def check(signature: bytes, message: bytes, *, signer: str, trusted: TrustedKeys) -> None:
    """Raise `SignatureFault` unless the trusted key with the id `signer` has signed `message`."""
    key = trusted.get(signer)
    if key is None:
        raise SignatureFault(f"it is signed with key {signer}, which is not trusted here")
    key.check(signature, message)


def signer_of(content: bytes) -> str:
    """Return the id of the key that a document says it is signed with; nothing is checked."""
    document = json.loads(content)
    return _signature_in(document.get(MEMBER) if isinstance(document, dict) else None)[0]


def _message(name: str, document: Mapping[str, Any]) -> bytes:
    return f"{name}\n{canonical(document)}".encode()


def _signature_in(member: object) -> tuple[str, bytes]:
    try:
        words = dict(member)  # type: ignore[call-overload]  # whatever was found there
        return str(words["key"]), b64decode(words["ed25519"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise SignatureFault("its signature cannot be read") from error
