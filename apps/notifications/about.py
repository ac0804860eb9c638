"""What an event is about, as it is known when it is handed out: a release, a channel, or a job."""

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from apps.notifications.kinds import Kind
from apps.notifications.models import Event
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors import release_numbered


@dataclass(frozen=True, slots=True)
class About:
    """A release and a channel, where there are such, and the staff page that shows more."""

    release: Release | None
    channel: Channel | None
    url: str


def about(event: Event) -> About:
    """Return what an event is about. Of a roll back that is the release that was taken away."""
    subject, _, name = event.target.partition(" ")
    if subject == "release" and name.isdecimal():
        release = release_numbered(int(name))
        return About(release, release.channel, _url("releases_release_change", release.pk))
    if subject == "channel" and (channel := Channel.objects.filter(name=name).first()):
        taken = _taken_away(event, channel)
        return About(taken.release if taken else None, channel, _url("releases_channel_change", channel.pk))
    if event.kind == Kind.JOB_FAILED:
        return About(None, None, _url("jobs_job_change", event.details["job"]))
    return About(None, None, _url("index"))


def publication_of(event: Event) -> Publication | None:
    """Return the publication that an event tells of, if it tells of one."""
    found = Publication.objects.filter(
        channel__name=event.details.get("channel"), sequence=event.details.get("publication")
    )
    return found.first()


def _taken_away(event: Event, channel: Channel) -> Publication | None:
    if event.kind != Kind.ROLLED_BACK:
        return None
    history = channel.publications.select_related("release__owner", "release__channel")
    return history.filter(sequence=event.details["publication"] - 1).first()


def _url(name: str, *arguments: int) -> str:
    path = reverse(f"admin:{name}", args=arguments, urlconf=settings.STAFF_URLCONF)
    return f"{settings.STAFF_URL}{path}"
