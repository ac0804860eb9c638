from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from apps.releases.exceptions import UnknownChannel
from apps.releases.models import Channel, Publication, Release


def channel_named(name: str) -> Channel:
    """Return a channel. Raises `UnknownChannel`."""
    channel = Channel.objects.filter(name=name).first()
    if channel is None:
        names = ", ".join(Channel.objects.values_list("name", flat=True)) or "none yet"
        raise UnknownChannel(f"There is no channel {name!r}.", next_step=f"There are: {names}.")
    return channel


def publication_after(release: Release) -> Publication | None:
    """Return what took the release's place on its channel, or None while it is live or never was."""
    history = history_of(release.channel)
    last = history.filter(release=release).first()
    return history.filter(sequence=last.sequence + 1).first() if last else None


def channels_with_live() -> QuerySet[Channel]:
    """Return channels, each with `live_release_id`, `live_title` and `live_since`: None before the first."""
    newest = Publication.objects.filter(channel=OuterRef("pk")).order_by("-sequence")
    return Channel.objects.annotate(
        live_release_id=Subquery(newest.values("release")[:1]),
        live_title=Subquery(newest.values("release__title")[:1]),
        live_since=Subquery(newest.values("published_at")[:1]),
    )


def live_publications() -> list[Publication]:
    """Return what each channel that serves something serves now, in the order of the channels."""
    newest = Publication.objects.filter(channel=OuterRef("pk")).order_by("-sequence")
    live = Channel.objects.order_by().annotate(live=Subquery(newest.values("pk")[:1])).values("live")
    publications = Publication.objects.select_related("channel", "release", "actor", "manifest")
    return list(publications.filter(pk__in=live).order_by("channel"))


def history_of(channel: Channel) -> QuerySet[Publication]:
    """Return a channel's publications with release, actor and goal, newest first."""
    return channel.publications.select_related("channel", "release__owner", "actor", "returns_to").order_by(
        "-sequence"
    )


def live_publication(channel: Channel) -> Publication | None:
    """Return what `channel` serves now, or None before its first publication."""
    return channel.publications.select_related("release", "manifest", "actor").order_by("-sequence").first()


def first_published_at(release: Release) -> datetime | None:
    """Return when `release` first went live on its channel, or None if it never did."""
    first = release.publications.filter(channel=release.channel_id).order_by("sequence").first()
    return first.published_at if first else None


def publication_before(live: Publication) -> Publication | None:
    """Return what was served before the content of `live` ever was on its channel, or None.

    After a roll back this lies before its goal, never on what was rolled back.
    """
    history = live.channel.publications
    first = history.filter(manifest=live.manifest_id).order_by("sequence").first() or live
    earlier = history.select_related("release", "manifest").filter(sequence__lt=first.sequence)
    return earlier.order_by("-sequence").first()


def publication_undone_by(publication: Publication) -> Publication | None:
    """Return what a roll back took away, so that it can be undone; None for any other publication."""
    if publication.kind != Publication.Kind.ROLLBACK:
        return None
    history = publication.channel.publications.select_related("release", "manifest")
    return history.filter(sequence=publication.sequence - 1).first()
