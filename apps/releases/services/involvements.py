from django.utils import timezone

from apps.accounts.models import User
from apps.releases.models import Involvement, Release


def note_involvement(release: Release, actor: User, kind: Involvement.Kind) -> None:
    """Keep that `actor` had a part in `release`: whoever had one never approves it (docs/adr/0081).

    Whoever changes what a draft holds calls it, in the same transaction.
    """
    Involvement.objects.get_or_create(
        release=release, person=actor, kind=kind, defaults={"at": timezone.now()}
    )
