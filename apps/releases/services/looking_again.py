"""Looks again what the caches in front show of a publication, when somebody asks: a cache was mended, say.

The first look stays on the receipt, and so does each later one, with who asked for it.
"""

from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.jobs.models import Job
from apps.jobs.services import enqueue
from apps.releases.exceptions import CannotLookAgain
from apps.releases.models import Drift, Publication
from apps.releases.selectors import live_publication
from apps.releases.selectors.in_front import in_front_waits_for
from apps.releases.selectors.receipts import receipt_of
from apps.releases.services.drift import KIND, look_for_drift, public_url
from apps.releases.services.receipts import looks_taken

MOST_LOOKS = 20


def look_again(*, publication: Publication, actor: User) -> Drift:
    """Look now, which takes up to a minute, and note on the receipt what came of it.

    Raises `Forbidden`, `NoPublicUrl`, and `CannotLookAgain` where there is nothing to look at.
    """
    refuse_unless_possible(publication, actor)
    return look_for_drift(publication.channel, asked_by=actor)


def ask_to_look_again(*, publication: Publication, actor: User) -> Job:
    """Let the worker look again: once, however often it is asked meanwhile. Raises what `look_again` does."""
    refuse_unless_possible(publication, actor)
    if waiting := _waiting(publication).first():
        return waiting
    # No number of looks: a look that found a cache busy was noted nowhere, and has to be asked for again.
    key = f"{_key(publication)}{timezone.now().isoformat()}"
    return enqueue(kind=KIND, key=key, payload={"channel": publication.channel_id, "asked_by": actor.pk})


def is_asked_for(publication: Publication) -> bool:
    """Say whether the worker is about to look again."""
    return _waiting(publication).exists()


def refuse_unless_possible(publication: Publication, actor: User) -> None:
    """Raise what `look_again` would."""
    require(actor, "releases.change_release", to="have it looked again what visitors get")
    public_url(publication.channel)
    live = live_publication(publication.channel)
    if live != publication:
        raise CannotLookAgain(
            f"{live} has taken the place of {publication}: what visitors get now is not its answer.",
            next_step=f"Look at the receipt of {live}.",
        )
    looks = _looks(publication)
    if waits_for := in_front_waits_for(publication):
        raise CannotLookAgain(f"It is too early to look: {waits_for}.", next_step="Try it after that.")
    if not looks:
        raise CannotLookAgain(
            "It was not looked at yet: the background worker does so by itself.",
            next_step=f"`scripts/manage rule drift --channel {publication.channel}` looks at once.",
        )
    if looks >= MOST_LOOKS:
        raise CannotLookAgain(
            f"It was looked at {looks} times, and no more is kept.",
            next_step=f"How it is now stands on the page of channel {publication.channel}.",
        )


def _looks(publication: Publication) -> int:
    receipt = receipt_of(publication)
    return looks_taken(receipt) if receipt else 0


def _waiting(publication: Publication) -> QuerySet[Job]:
    states = (Job.State.QUEUED, Job.State.RUNNING)
    return Job.objects.filter(state__in=states, key__startswith=_key(publication))


def _key(publication: Publication) -> str:
    return f"look-again-{publication.pk}-"
