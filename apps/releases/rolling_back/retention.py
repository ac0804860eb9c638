"""For how long the fingerprinted names of earlier publications are kept, and which are (reads)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min

from apps.releases.models import Channel, Publication, RetainedNames


@dataclass(frozen=True, slots=True)
class KeptNames:
    """The names that a channel keeps answering for: how many, and when the oldest of them go.

    That is when the moment `not_before` has passed and `publications_left` more publications have come;
    they were last live in the publication `oldest`.
    """

    count: int
    oldest: Publication
    not_before: datetime
    publications_left: int


def first_kept(live: Publication, *, now: datetime) -> int:
    """Return the number of the earliest publication whose names the channel of `live` keeps.

    It is among the last of them, or was live within the last days, whichever reaches back further. That
    number only grows, unless the channel's options are changed.
    """
    channel = live.channel
    by_number = live.sequence - channel.retention_publications + 1
    since = now - timedelta(days=channel.retention_days)
    # By number, not by time: a clock may have gone back between two publications.
    recent = channel.publications.filter(published_at__gte=since).aggregate(first=Min("sequence"))["first"]
    # What was live when the first of these took its place was live within the time as well.
    by_time = recent - 1 if recent else live.sequence
    return max(1, min(by_number, by_time))


def kept_names(channel: Channel) -> KeptNames | None:
    """Return what is kept on `channel`, None where nothing is."""
    row = RetainedNames.objects.filter(channel=channel).first()
    if row is None or row.oldest_publication is None:
        return None
    oldest, following = channel.publications.filter(
        sequence__in=(row.oldest_publication, row.oldest_publication + 1)
    ).order_by("sequence")
    return KeptNames(
        row.path_count,
        oldest,
        following.published_at + timedelta(days=channel.retention_days),
        max(0, oldest.sequence + channel.retention_publications - row.last_publication),
    )
