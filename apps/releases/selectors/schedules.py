from django.db.models import QuerySet

from apps.releases.models import Channel, Publication, Release, Schedule


def schedules_of(release: Release) -> QuerySet[Schedule]:
    """Return what was ever scheduled for a release, with people and what came of it, newest first."""
    return release.schedules.select_related("by", "publication", "revert").order_by("-id")


def waiting_schedules(*, channel: Channel | None = None) -> QuerySet[Schedule]:
    """Return what is going to happen, soonest first; on one channel where one is given."""
    waiting = Schedule.objects.select_related("release__channel", "by").filter(state=Schedule.State.WAITING)
    return (waiting.filter(release__channel=channel) if channel else waiting).order_by("at", "id")


def failed_schedules(*, channel: Channel) -> QuerySet[Schedule]:
    """Return what did not happen as scheduled on a channel, newest first."""
    failed = Schedule.objects.select_related("release", "by", "revert").filter(state=Schedule.State.FAILED)
    return failed.filter(release__channel=channel).order_by("-id")


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
