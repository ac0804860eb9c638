from collections.abc import Collection

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.notifications.exceptions import UnknownKind
from apps.notifications.kinds import WHO_IS_TOLD
from apps.notifications.models import Mute


@transaction.atomic
def set_muted(*, person: User, kinds: Collection[str], actor: User) -> set[str]:
    """Tell a person nothing of these kinds, and of all the others; return what is muted.

    Everybody decides for themselves. Raises `Forbidden` and `UnknownKind`.
    """
    if person != actor:
        require(actor, "accounts.change_user", to="decide what others are told")
    if unknown := [kind for kind in kinds if kind not in list(WHO_IS_TOLD)]:
        raise UnknownKind(f"Nobody is told of {unknown[0]!r}.", next_step="Choose from the list.")
    before, wanted = muted_by(person), set(kinds)
    if before == wanted:
        return wanted
    Mute.objects.filter(person=person).exclude(kind__in=wanted).delete()
    Mute.objects.bulk_create(Mute(person=person, kind=kind) for kind in sorted(wanted - before))
    record(
        actor=actor,
        action="user.set_muted",
        target=f"user {person.username}",
        summary=f"{person.username} is told nothing of: {', '.join(sorted(wanted)) or 'nothing is muted'}.",
        details={"before": sorted(before), "after": sorted(wanted)},
    )
    return wanted


def muted_by(person: User) -> set[str]:
    """Return the kinds of which a person wants to hear nothing."""
    return set(Mute.objects.filter(person=person).values_list("kind", flat=True))
