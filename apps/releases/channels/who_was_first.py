"""Who made a channel what it is: for whoever came second, and is refused for it."""

from django.utils.timezone import localtime

from apps.releases.models import Publication, Release
from apps.releases.selectors import live_publication


def done_by(publication: Publication) -> str:
    """Say who published or rolled back, what and when: "Ben published release 5 as production-… at 14:02"."""
    what = f"published release {publication.release_id} as {publication.tag}"
    if publication.kind == Publication.Kind.ROLLBACK:
        what = f"rolled back to release {publication.release_id} as {publication.tag}"
    return f"{publication.actor} {what} at {localtime(publication.published_at):%H:%M:%S on %Y-%m-%d}"


def first_words(release: Release) -> str:
    """Return a sentence, behind a space, on who came first, where `release` is or was live; or ""."""
    if release.state not in {Release.State.PUBLISHED, Release.State.SUPERSEDED}:
        return ""
    live = live_publication(release.channel)
    return f" {done_by(live)}." if live else ""
