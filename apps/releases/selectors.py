from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.selectors import entries
from apps.releases.exceptions import ManifestMissing, UnknownChannel, UnknownRelease
from apps.releases.files import manifest_file
from apps.releases.manifest import ManifestFault, ManifestReader, Redirect, diff, diff_redirects
from apps.releases.models import (
    Approval,
    Change,
    Channel,
    ManifestFile,
    Publication,
    RedirectChange,
    Release,
)
from apps.releases.redirects import typed_source


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """How many paths a release adds, changes and removes, and how many redirects it changes."""

    added: int
    changed: int
    removed: int
    redirects: int = 0

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


def releases_with_counts() -> QuerySet[Release]:
    """Return releases with channel and owner, each with its `ChangeCounts` by name."""
    return Release.objects.select_related("channel", "owner").annotate(
        added=_count(Change.objects.filter(kind=Change.Kind.PUT, replaced_blob=None)),
        changed=_count(Change.objects.filter(kind=Change.Kind.PUT, replaced_blob__isnull=False)),
        removed=_count(Change.objects.filter(kind=Change.Kind.REMOVE)),
        redirects=_count(RedirectChange.objects.all()),
    )


def changes_of(release: Release, *, kind: str = "") -> QuerySet[Change]:
    """Return the changes of a release by path; only those "added", "changed" or "removed" where asked."""
    kinds = {
        "added": Q(kind=Change.Kind.PUT, replaced_blob=None),
        "changed": Q(kind=Change.Kind.PUT, replaced_blob__isnull=False),
        "removed": Q(kind=Change.Kind.REMOVE),
    }
    changes = release.changes.select_related("release", "asset", "version__blob", "replaced_blob")
    return changes.filter(kinds.get(kind, Q())).order_by("asset__path")


def changes_at(release: Release, paths: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the changes that a release makes to these paths, by path."""
    changes = release.changes.filter(asset__path__in=set(paths))
    return dict(changes.values_list("asset__path", "pk"))


def neighbours_of(change: Change) -> tuple[Change | None, Change | None]:
    """Return the changes before and after `change` in its release, by path."""
    changes, path = changes_of(change.release), change.asset.path
    before = changes.filter(asset__path__lt=path).order_by("-asset__path").first()
    return before, changes.filter(asset__path__gt=path).first()


def approvals_that_hold(release: Release) -> list[Approval]:
    """Return the approvals of what the release holds now, with who gave them, oldest first."""
    if release.manifest_id is None:
        return []
    return list(release.approvals.select_related("approver").filter(manifest=release.manifest_id))


def entries_about(release: Release) -> QuerySet[AuditEntry]:
    """Return what was done to a release, newest first, with who did it."""
    return entries(target=f"release {release.pk}").select_related("actor")


def rejection_of(release: Release) -> AuditEntry | None:
    """Return the entry of the release's newest rejection, which holds the reason, or None."""
    return entries_about(release).filter(action="release.reject").first()


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
    publications = Publication.objects.select_related("channel", "release", "actor")
    return list(publications.filter(pk__in=live).order_by("channel"))


def reviews_for(user: User) -> QuerySet[Release]:
    """Return the releases in review that `user` has no part in and has not approved, oldest first."""
    approved = Approval.objects.filter(release=OuterRef("pk"), manifest=OuterRef("manifest"), approver=user)
    has_part = Change.objects.filter(release=OuterRef("pk"), author=user)
    has_redirect = RedirectChange.objects.filter(release=OuterRef("pk"), author=user)
    waiting = Release.objects.select_related("channel", "owner").filter(state=Release.State.IN_REVIEW)
    return (
        waiting.exclude(Q(owner=user) | Q(created_by=user))
        .exclude(Exists(approved))
        .exclude(Exists(has_part))
        .exclude(Exists(has_redirect))
        .order_by("submitted_at")
    )


def approved_releases() -> QuerySet[Release]:
    """Return the releases that wait for nothing but their publication, oldest first."""
    return (
        Release.objects.select_related("channel", "owner")
        .filter(state=Release.State.APPROVED)
        .order_by("submitted_at")
    )


def releases_waiting() -> QuerySet[Release]:
    """Return the releases that have a manifest and were not live yet: in review or approved."""
    states = (Release.State.IN_REVIEW, Release.State.APPROVED)
    return Release.objects.select_related("manifest").filter(state__in=states).order_by("pk")


def drafts_of(user: User) -> QuerySet[Release]:
    """Return the releases that `user` owns or began and has still to bring into review, newest first."""
    states = (Release.State.DRAFT, Release.State.REJECTED)
    mine = Q(owner=user) | Q(created_by=user)
    return releases_newest_first().filter(mine, state__in=states)


def history_of(channel: Channel) -> QuerySet[Publication]:
    """Return a channel's publications with release, actor and goal, newest first."""
    return channel.publications.select_related("channel", "release", "actor", "returns_to").order_by(
        "-sequence"
    )


def live_publication(channel: Channel) -> Publication | None:
    """Return what `channel` serves now, or None before its first publication."""
    return channel.publications.select_related("release", "manifest", "actor").order_by("-sequence").first()


def open_release_with(
    channel: Channel,
    live: Publication | None,
    changes: Iterable[tuple[str, str | None]],
    redirects: Iterable[tuple[str, Redirect | None]] = (),
) -> Release | None:
    """Return an open release on what is live that holds exactly these changes.

    They are (path, blob) and (source, redirect), with None for what is removed.
    """
    wanted, wanted_redirects = dict(changes), dict(redirects)
    states = (Release.State.DRAFT, Release.State.IN_REVIEW, Release.State.APPROVED)
    candidates = Release.objects.filter(
        channel=channel, base_manifest=live.manifest if live else None, state__in=states
    ).annotate(change_count=_count(Change.objects.all()), redirect_count=_count(RedirectChange.objects.all()))
    alike = candidates.filter(change_count=len(wanted), redirect_count=len(wanted_redirects))
    for release in alike.order_by("-pk"):
        if dict(release.changes.values_list("asset__path", "version__blob")) != wanted:
            continue
        if {change.source: change.redirect for change in release.redirect_changes.all()} == wanted_redirects:
            return release
    return None


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
    """Return the paths that `release` changes and that the channel changed since its base, sorted.

    The sources of redirects come last, as people type them.
    """
    base = open_manifest(release.base_manifest) if release.base_manifest else None
    now = open_manifest(live.manifest) if live else None
    mine = set(release.changes.values_list("asset__path", flat=True).iterator(chunk_size=2000))
    both = (row.path for row in diff(base, now) if row.path in mine)
    sources = set(release.redirect_changes.values_list("source", flat=True))
    redirects = [row.source for row in diff_redirects(base, now) if row.source in sources]
    return [
        *sorted(path for path in both if _was_uploaded_anew(path, base, now)),
        *(f"the redirect {typed_source(source)}" for source in redirects),
    ]


def _was_uploaded_anew(path: str, base: ManifestReader | None, now: ManifestReader | None) -> bool:
    """Say whether two manifests hold other content of a path, not only what follows from other paths."""
    before, after = (reader.uploaded(path) if reader else None for reader in (base, now))
    return before is None or after is None or before.blob != after.blob


def change_counts(release: Release) -> ChangeCounts:
    """Count the changes of a release by what they do to the base."""
    put = Q(kind=Change.Kind.PUT)
    counts = release.changes.aggregate(
        added=Count("pk", filter=put & Q(replaced_blob=None)),
        changed=Count("pk", filter=put & ~Q(replaced_blob=None)),
        removed=Count("pk", filter=~put),
    )
    return ChangeCounts(**counts, redirects=release.redirect_changes.count())


def approvals_needed(channel: Channel) -> int:
    """Return how many approvals a release for `channel` needs: none for its very first publication."""
    return channel.required_approvals if channel.publications.exists() else 0


def approvals_of(release: Release) -> int:
    """Count the approvals that hold: of the digest it has now, by people who are not among its authors."""
    approvals = release.approvals.filter(manifest=release.manifest_id)
    return approvals.exclude(approver__in=authors_of(release)).count()


def authors_of(release: Release) -> set[int]:
    """Return the ids of everybody whose work is in `release`: creator, owner, authors of its changes."""
    changes, redirects = release.changes.order_by(), release.redirect_changes.order_by()
    authors = set(changes.values_list("author", flat=True).distinct())
    authors |= set(redirects.values_list("author", flat=True).distinct())
    return authors | {release.created_by_id} | ({release.owner_id} if release.owner_id else set())


def open_manifest(manifest: ManifestFile) -> ManifestReader:
    """Return a reader of the manifest's newest file. Raises `ManifestMissing`."""
    return _reader(manifest_file(manifest))


def manifest_reader_of(release: Release) -> ManifestReader:
    """Return a reader of what `release` serves. Raises `ManifestMissing` where it was not built yet."""
    if release.manifest is None:
        raise ManifestMissing(
            f"Release {release.pk} has no manifest yet.", next_step="Submit it for review; that builds it."
        )
    return open_manifest(release.manifest)


def built_manifest_of(release: Release) -> ManifestReader | None:
    """Return a reader of what `release` serves, or None where it was not built or storage lacks it."""
    try:
        return manifest_reader_of(release)
    except ManifestMissing:
        return None


@lru_cache(maxsize=16)
def _reader(file: Path) -> ManifestReader:
    try:
        return ManifestReader(file)
    except ManifestFault as fault:
        raise ManifestMissing(str(fault), next_step="Restore that file from a backup.") from fault


def _count(changes: QuerySet[Any]) -> Coalesce:
    """Count `changes` of the outer release in a subquery: for the rows of a page, not for all there are."""
    counted = changes.filter(release=OuterRef("pk")).order_by().values("release").annotate(n=Count("*"))
    return Coalesce(Subquery(counted.values("n"), output_field=IntegerField()), 0)
