"""Where an address is looked up: which channel, which release, and which publication of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.releases.channels.expected_answers import Addresses
from apps.releases.channels.hosts import ANY_HOST
from apps.releases.exceptions import (
    ManifestMissing,
    PreviewOver,
    UnknownHost,
    UnknownPublication,
    UnknownRelease,
    WrongQuestion,
)
from apps.releases.manifest import ManifestReader
from apps.releases.models import Channel, Preview, Publication, Release, RetainedNames
from apps.releases.previews.hosts import preview_label, read_label
from apps.releases.selectors import (
    channel_named,
    history_of,
    manifest_reader_of,
    open_manifest,
    release_numbered,
)
from apps.releases.selectors.previews import is_open

USUAL_CHANNEL = "production"
_ALL_OF_A_PUBLICATION = ("channel", "release__owner", "actor", "returns_to", "manifest")


@dataclass(frozen=True, slots=True)
class Place:
    """What answers: a release of a channel, from its manifest.

    `publication` is how it is or was live there, None for a candidate; `preview` is set where the preview
    itself was asked. `is_live` says that visitors get it now. `retained` holds the names of earlier
    publications that go on answering.
    """

    channel: Channel
    release: Release
    reader: ManifestReader
    publication: Publication | None = None
    preview: Preview | None = None
    is_live: bool = False
    retained: ManifestReader | None = None

    @property
    def addresses(self) -> Addresses:
        return Addresses(self.channel.clean_urls, self.channel.not_found_page)


def place_of(
    host: str,
    hosts: Mapping[str, str],
    *,
    release: int | None = None,
    channel: str = "",
    at: datetime | None = None,
) -> Place:
    """Return where a question leads: a release that is named comes first, then a channel, then the host.

    `hosts` are those that a channel has, each with its channel.

    Raises `UnknownHost`, `UnknownChannel`, `UnknownRelease`, `UnknownPublication`, `ManifestMissing`,
    `PreviewOver`, and `WrongQuestion` for a release at a time.
    """
    if release is not None:
        if at is not None:
            raise WrongQuestion(
                "A release is the same at every time.", next_step="Leave out the release, or the time."
            )
        return _of_release(release_numbered(release), channel)
    label = preview_label(host, settings.PREVIEW_DOMAIN)
    if label is not None and not channel and host not in hosts:
        return _of_preview(label)
    return _of_channel(_channel(host, hosts, channel), at)


def _channel(host: str, hosts: Mapping[str, str], named: str) -> Channel:
    if named or not host:
        return channel_named(named or USUAL_CHANNEL)
    name = hosts.get(host, hosts.get(ANY_HOST))
    if name is None:
        known = ", ".join(sorted(hosts)) or "none yet"
        raise UnknownHost(
            f"No channel is served under {host}.",
            next_step=f"Name the channel as well, or ask with one of these hosts: {known}.",
        )
    return channel_named(name)


def _of_channel(channel: Channel, at: datetime | None) -> Place:
    history = history_of(channel).select_related(*_ALL_OF_A_PUBLICATION)
    newest = history.first()
    found = history.filter(published_at__lte=at).first() if at else newest
    if found is None:
        when = f" at {at:%Y-%m-%d %H:%M:%S %Z}" if at else " yet"
        raise UnknownPublication(
            f"Nothing was live on {channel}{when}.",
            next_step="Name a release to ask what it would answer, or a later time.",
        )
    return _of_publication(channel, found, is_live=found == newest)


def _of_publication(channel: Channel, publication: Publication, *, is_live: bool) -> Place:
    return Place(
        channel=channel,
        release=publication.release,
        reader=open_manifest(publication.manifest),
        publication=publication,
        is_live=is_live,
        retained=_retained(channel) if is_live else None,
    )


def _of_release(release: Release, named: str) -> Place:
    """Return a release as it is live somewhere, or was, or would be on its channel."""
    channel = channel_named(named) if named else release.channel
    published = history_of(channel).select_related(*_ALL_OF_A_PUBLICATION).filter(release=release).first()
    if published is not None and published.manifest_id == release.manifest_id:
        later = channel.publications.filter(sequence__gt=published.sequence)
        return _of_publication(channel, published, is_live=not later.exists())
    return Place(channel, release, manifest_reader_of(release))


def _of_preview(label: str) -> Place:
    said = read_label(label, settings.SECRET_KEY)
    previews = Preview.objects.select_related("manifest", "release__channel", "release__owner")
    preview = previews.filter(key=said.key, release=said.release).first() if said else None
    if preview is None:
        raise UnknownRelease(
            "This address is below the domain of previews, but no preview of this site has it.",
            next_step="Copy it whole, or name the release.",
        )
    if not Preview.objects.filter(is_open(), pk=preview.pk).exists():
        raise PreviewOver(
            f"This preview of release {preview.release_id} has ended: its address answers nothing.",
            next_step="Name the release to ask what it answers.",
        )
    if preview.manifest is None:
        raise ManifestMissing("This preview is not built yet.", next_step="Try again in a moment.")
    release = preview.release
    return Place(release.channel, release, open_manifest(preview.manifest), preview=preview)


def _retained(channel: Channel) -> ManifestReader | None:
    row = RetainedNames.objects.filter(channel=channel).first()
    return open_manifest(row) if row and row.path_count else None
