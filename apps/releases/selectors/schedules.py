from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.accounts.models import User
from apps.releases.models import Channel, Publication, Release, Schedule


def schedules_of(release: Release) -> QuerySet[Schedule]:
    """Return what was ever scheduled for a release, with people and what came of it, newest first."""
    return release.schedules.select_related("by", "publication", "revert").order_by("-id")


def waiting_schedules(
    *, channel: Channel | None = None, release: Release | None = None, action: str = ""
) -> QuerySet[Schedule]:
    """Return what is going to happen, soonest first; only of a channel, a release, an action where named."""
    waiting = Schedule.objects.select_related("release__channel", "by").filter(state=Schedule.State.WAITING)
    named = {"release__channel": channel, "release": release, "action": action}
    return waiting.filter(**{name: value for name, value in named.items() if value}).order_by("at", "id")


def failed_schedules(*, channel: Channel) -> QuerySet[Schedule]:
    """Return what did not happen as scheduled on a channel, newest first."""
    failed = Schedule.objects.select_related("release", "by", "revert").filter(state=Schedule.State.FAILED)
    return failed.filter(release__channel=channel).order_by("-id")


def failures_left(user: User) -> QuerySet[Schedule]:
    """Return what `user` had scheduled or owns, and what failed, while its release is where that left it.

    A release that was scheduled again, published or taken back since needs nobody any more.
    """
    states = {Schedule.Action.PUBLISH: Release.State.APPROVED, Schedule.Action.END: Release.State.PUBLISHED}
    still = Q()
    for action, state in states.items():
        still |= Q(action=action, release__state=state)
    later = Schedule.objects.filter(
        release=OuterRef("release"), action=OuterRef("action"), pk__gt=OuterRef("pk")
    )
    failed = Schedule.objects.select_related("release__channel", "by").filter(state=Schedule.State.FAILED)
    mine = failed.filter(still, Q(by=user) | Q(release__owner=user))
    return mine.exclude(Exists(later)).order_by("-id")


def is_part_of(release: Release, live: Publication) -> bool:
    """Say whether what is live was built on `release`, which was published before it and not taken away.

    A publication is on top of the one before it, and one that rolls back is what it returns to.
    """
    history = live.channel.publications.order_by("sequence")
    first = history.filter(release=release, kind=Publication.Kind.PUBLISH).first()
    if first is None:
        return False
    later = history.filter(sequence__gte=first.sequence, sequence__lte=live.sequence)
    holds: dict[int | None, bool] = {}
    is_held = True
    for pk, goal in later.values_list("pk", "returns_to"):
        is_held = is_held if goal is None else holds.get(goal, False)
        holds[pk] = is_held
    return is_held
