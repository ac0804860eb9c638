from datetime import UTC, datetime, timedelta

from apps.releases.exceptions import UnknownPublication
from apps.releases.models import Channel, Publication


def next_tag(channel: Channel, at: datetime) -> str:
    """Return a name for a publication of this moment that none has: `production-2026-11-23.2`.

    The channel has to be locked. A day's numbers go on from the highest that was given, in the order of
    publications, so a clock that jumps back gives none away twice.
    """
    begin = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = channel.publications.filter(published_at__gte=begin, published_at__lt=begin + timedelta(days=1))
    newest = day.order_by("-sequence").values_list("tag", flat=True).first()
    number = int(newest.rpartition(".")[2]) if newest else 0
    return f"{channel.name}-{begin:%Y-%m-%d}.{number + 1}"


def publication_tagged(tag: str) -> Publication:
    """Return the publication of this name, on whichever channel. Raises `UnknownPublication`."""
    publications = Publication.objects.select_related("channel", "release", "manifest", "actor", "returns_to")
    publications = Publication.objects.select_related(
        "channel", "release", "manifest", "actor", "returns_to", "seal"
    )
    found = publications.filter(tag=tag).first()
    if found is None:
        raise UnknownPublication(
            f"There is no publication {tag!r}.",
            next_step="`scripts/manage tag list` shows those that there are.",
        )
    return found
