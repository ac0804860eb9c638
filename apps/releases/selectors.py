from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from django.db.models import Count, Q, QuerySet

from apps.releases.exceptions import ManifestMissing, UnknownChannel, UnknownRelease
from apps.releases.files import manifest_file
from apps.releases.manifest import ManifestFault, ManifestReader, diff
from apps.releases.models import Change, Channel, Manifest, Publication, Release


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """How many paths a release adds, changes and removes."""

    added: int
    changed: int
    removed: int

    @property
    def total(self) -> int:
        return self.added + self.changed + self.removed


def release_numbered(number: int) -> Release:
    """Return a release with its channel and people. Raises `UnknownRelease`."""
    release = (
        Release.objects.select_related("channel", "base", "manifest", "base_manifest", "owner", "created_by")
        .filter(pk=number)
        .first()
    )
    if release is None:
        raise UnknownRelease(
            f"There is no release {number}.", next_step="`scripts/manage release list` shows all."
        )
    return release


def channel_named(name: str) -> Channel:
    """Return a channel. Raises `UnknownChannel`."""
    channel = Channel.objects.filter(name=name).first()
    if channel is None:
        names = ", ".join(Channel.objects.values_list("name", flat=True)) or "none yet"
        raise UnknownChannel(f"There is no channel {name!r}.", next_step=f"There are: {names}.")
    return channel


def releases_newest_first(*, state: str | None = None) -> QuerySet[Release]:
    """Return releases with channel and owner, newest first; only those in `state` where one is given."""
    releases = Release.objects.select_related("channel", "owner").order_by("-pk")
    return releases.filter(state=state) if state else releases


def history_of(channel: Channel) -> QuerySet[Publication]:
    """Return a channel's publications with release, actor and goal, newest first."""
    return channel.publications.select_related("channel", "release", "actor", "returns_to").order_by(
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


def missing_brief(release: Release) -> list[str]:
    """Return the names of the fields that a release lacks before it can be reviewed."""
    return [name for name in ("owner", "expected_result", "rollback_note") if not getattr(release, name)]


def conflicting_paths(release: Release, live: Publication | None) -> list[str]:
    """Return the paths that `release` changes and that the channel changed since its base, sorted."""
    base = open_manifest(release.base_manifest) if release.base_manifest else None
    moved = {row.path for row in diff(base, open_manifest(live.manifest) if live else None)}
    mine = release.changes.values_list("asset__path", flat=True)
    return sorted(path for path in mine.iterator(chunk_size=2000) if path in moved)


def change_counts(release: Release) -> ChangeCounts:
    """Count the changes of a release by what they do to the base."""
    put = Q(kind=Change.Kind.PUT)
    counts = release.changes.aggregate(
        added=Count("pk", filter=put & Q(replaced_blob=None)),
        changed=Count("pk", filter=put & ~Q(replaced_blob=None)),
        removed=Count("pk", filter=~put),
    )
    return ChangeCounts(**counts)


def approvals_needed(channel: Channel) -> int:
    """Return how many approvals a release for `channel` needs: none for its very first publication."""
    return channel.required_approvals if channel.publications.exists() else 0


def authors_of(release: Release) -> set[int]:
    """Return the ids of everybody whose work is in `release`: creator, owner, authors of its changes."""
    authors = set(release.changes.order_by().values_list("author", flat=True).distinct())
    return authors | {release.created_by_id} | ({release.owner_id} if release.owner_id else set())


def open_manifest(manifest: Manifest) -> ManifestReader:
    """Return a reader of the manifest's newest file. Raises `ManifestMissing`."""
    return _reader(manifest_file(manifest))


def manifest_reader_of(release: Release) -> ManifestReader:
    """Return a reader of what `release` serves. Raises `ManifestMissing` where it was not built yet."""
    if release.manifest is None:
        raise ManifestMissing(
            f"Release {release.pk} has no manifest yet.", next_step="Submit it for review; that builds it."
        )
    return open_manifest(release.manifest)


@lru_cache(maxsize=16)
def _reader(file: Path) -> ManifestReader:
    try:
        return ManifestReader(file)
    except ManifestFault as fault:
        raise ManifestMissing(str(fault), next_step="Restore that file from a backup.") from fault
