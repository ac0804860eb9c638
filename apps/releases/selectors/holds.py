from collections.abc import Iterable

from django.db.models import F, Q, QuerySet

from apps.releases.models import Channel, Hold


def open_holds() -> QuerySet[Hold]:
    """Return what holds a channel, or all of them, until somebody lifts it; a stop of all comes first."""
    open_now = Hold.objects.select_related("channel", "placed_by", "rollback").filter(lifted_at=None)
    return open_now.order_by(F("channel_id").asc(nulls_first=True))


def holds_on(channel: Channel) -> list[Hold]:
    """Return what keeps publications off `channel` now: a stop of all channels, and a hold of its own."""
    return list(open_holds().filter(Q(channel=None) | Q(channel=channel)))


def hold_of(channel: Channel) -> Hold | None:
    """Return the hold that `channel` has of its own, or None."""
    return open_holds().filter(channel=channel).first()


def open_stop() -> Hold | None:
    """Return the hold of all channels, or None."""
    return open_holds().filter(channel=None).first()


def past_holds(channel: Channel) -> QuerySet[Hold]:
    """Return the holds of `channel`, and the stops of all, that were lifted; newest first."""
    lifted = Hold.objects.select_related("channel", "placed_by", "lifted_by").filter(lifted_at__isnull=False)
    return lifted.filter(Q(channel=None) | Q(channel=channel)).order_by("-pk")


def held_channels(channels: Iterable[Channel], holds: Iterable[Hold]) -> dict[int, Hold]:
    """Return, by the channel's id, what holds it of these open holds."""
    by_channel = {hold.channel_id: hold for hold in holds}
    found = {channel.pk: by_channel.get(channel.pk) or by_channel.get(None) for channel in channels}
    return {pk: hold for pk, hold in found.items() if hold}
