"""The keys of this machine, as people change them: each step is written to the audit log."""

from dataclasses import dataclass

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.selectors import entries
from apps.audit.services import record
from apps.releases.exceptions import KeyInUse, KeyIsSet, UnknownKey
from apps.releases.history import signing
from apps.releases.history.signatures import PublicKey
from apps.releases.models import Preview
from apps.releases.services.channel_index import write_index
from apps.releases.services.pointers import sign_pointers_anew

_TARGET = "signing key"
_ROTATE = "signing.rotate"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The key that is signed with from now on, the one before it, and whose pointers were signed anew."""

    new: PublicKey
    before: PublicKey
    channels: list[str]


def rotate(*, actor: User) -> Rotation:
    """Sign with another key from now on, and trust the one before still.

    Pointers are signed anew at once, those of previews by the background worker. Raises `Forbidden`,
    `KeyIsSet`, and `OSError` where it cannot be kept.
    """
    require(actor, "releases.change_channel", to="replace the signing key")
    before = signing.signing_key().public
    if signing.is_key_set():
        raise KeyIsSet(
            f"The signing key {before.id} comes from the environment, so it is replaced there.",
            next_step="`openssl rand -base64 32` makes a new one; `scripts/manage signing show` says its "
            "public key, with SIGNING_KEY set to it. On each machine set SIGNING_TRUSTED_KEYS to that, a "
            f"comma, and {before.text}, and start it again; then set the new SIGNING_KEY.",
        )
    resume_rotation()
    new = signing.replace_key().public
    _note(new, actor=actor, summary=f"Signs with key {new.id} from now on, and trusts {before.id} still.")
    return Rotation(new, before, _sign_anew())


def resume_rotation() -> list[str]:
    """Finish a rotation that was interrupted between its key and its entry in the log; say so in a line."""
    noted = signing.noted_keys()
    if signing.is_key_set() or not noted:
        return []
    new = signing.signing_key().public
    if noted[0] != new:  # it was interrupted before there was another key
        return []
    known = entries(target=_TARGET).filter(action=_ROTATE).first()
    if known and known.details["key"] == new.id:
        return []
    _note(new, actor=None, summary=f"Signs with key {new.id}, which an interrupted rotation has made.")
    _sign_anew()
    return [f"a rotation of the signing key was interrupted; {new.id} signs from now on."]


@transaction.atomic
def _note(new: PublicKey, *, actor: User | None, summary: str) -> None:
    """Write the key down; the background worker signs the pointers of previews with it."""
    Preview.objects.filter(pointer=Preview.Pointer.STORED).update(pointer=Preview.Pointer.DUE)
    details = {"key": new.id, "public_key": new.text}
    record(actor=actor, action=_ROTATE, target=_TARGET, summary=summary, details=details)


def _sign_anew() -> list[str]:
    write_index(is_anew=True)
    return sign_pointers_anew()


@transaction.atomic
def distrust(*, key_id: str, actor: User) -> None:
    """Follow nothing any more that was signed with a key that a rotation has left.

    Raises `Forbidden`, `KeyInUse`, `UnknownKey`.
    """
    require(actor, "releases.change_channel", to="take trust from a signing key")
    if key_id == signing.signing_key().public.id:
        raise KeyInUse(
            f"Key {key_id} is the one that this machine signs with.",
            next_step="`scripts/manage signing rotate` makes another one first.",
        )
    noted = signing.noted_keys()
    left = [key for key in noted if key.id != key_id]
    if len(left) == len(noted):
        raise UnknownKey(
            f"No rotation has left a key {key_id} here.",
            next_step="`scripts/manage signing show` names those that are trusted. What "
            "SIGNING_TRUSTED_KEYS names is taken out there.",
        )
    signing.note_trusted(left)
    record(
        actor=actor,
        action="signing.distrust",
        target=_TARGET,
        summary=f"Trusts key {key_id} no longer.",
        details={"key": key_id},
    )
