from collections.abc import Iterable

from django.utils import timezone

from apps.accounts.models import User
from apps.releases.models import Involvement, Release


def note_involvement(release: Release, actor: User, kind: Involvement.Kind) -> None:
    """Keep that `actor` had a part in `release`: whoever had one never approves it (docs/adr/0081).

    Whoever changes what a draft holds calls it, in the same transaction.
    """
    note_involvements(release, [actor.pk], kind)


def note_involvements(release: Release, people: Iterable[int], kind: Involvement.Kind) -> None:
    """Keep that these people, by their ids, had such a part in `release`. One query."""
    now = timezone.now()
    rows = [Involvement(release=release, person_id=person, kind=kind, at=now) for person in people]
    Involvement.objects.bulk_create(rows, ignore_conflicts=True)
