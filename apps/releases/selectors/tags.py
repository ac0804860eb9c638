from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from apps.releases.exceptions import UnknownPublication
from apps.releases.models import Channel, Publication

_COMPARED = 200  # of the newest tags
_ALIKE = 0.75


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
    publications = Publication.objects.select_related(
        "channel", "release", "manifest", "actor", "returns_to", "seal"
    )
    found = publications.filter(tag=tag).first()
    if found is None:
        raise UnknownPublication(
            f"There is no publication {tag!r}.",
            next_step=near(tag) or "`scripts/manage tag list` shows those that there are.",
        )
    return found


def near(tag: str) -> str:
    """Return a sentence that names the tags which look most like one that there is not; "" for none."""
    tags = Publication.objects.order_by("-pk").values_list("tag", flat=True)
    beside = (
        tags.filter(tag__lt=tag).order_by("-tag").first(),
        tags.filter(tag__gt=tag).order_by("tag").first(),
    )
    known = dict.fromkeys(filter(None, (*beside, *tags[:_COMPARED])))
    found = get_close_matches(tag, list(known), n=3, cutoff=_ALIKE)
    return f"Near it: {', '.join(found)}. `scripts/manage tag list` shows all." if found else ""
