from collections.abc import Iterable

from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.selectors import entries
from apps.releases.exceptions import UnknownRelease
from apps.releases.manifest import Redirect
from apps.releases.models import Change, Channel, Publication, RedirectChange, Release
from apps.releases.review.brief import brief_of
from apps.releases.selectors.changes import count_of


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


def releases_newest_first(*, state: str | None = None) -> QuerySet[Release]:
    """Return releases with channel and owner, newest first; only those in `state` where one is given."""
    releases = Release.objects.select_related("channel", "owner").order_by("-pk")
    return releases.filter(state=state) if state else releases


def releases_with_counts() -> QuerySet[Release]:
    """Return releases with channel and owner, each with its `ChangeCounts` by name."""
    return Release.objects.select_related("channel", "owner").annotate(
        added=count_of(Change.objects.filter(kind=Change.Kind.PUT, replaced_blob=None)),
        changed=count_of(Change.objects.filter(kind=Change.Kind.PUT, replaced_blob__isnull=False)),
        removed=count_of(Change.objects.filter(kind=Change.Kind.REMOVE)),
        redirects=count_of(RedirectChange.objects.all()),
    )


def entries_about(release: Release) -> QuerySet[AuditEntry]:
    """Return what was done to a release, newest first, with who did it."""
    return entries(target=f"release {release.pk}").select_related("actor")


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
    ).annotate(
        change_count=count_of(Change.objects.all()), redirect_count=count_of(RedirectChange.objects.all())
    )
    alike = candidates.filter(change_count=len(wanted), redirect_count=len(wanted_redirects))
    for release in alike.order_by("-pk"):
        if dict(release.changes.values_list("asset__path", "version__blob")) != wanted:
            continue
        if {change.source: change.redirect for change in release.redirect_changes.all()} == wanted_redirects:
            return release
    return None


def missing_brief(release: Release) -> list[str]:
    """Return the names of the fields that a release lacks before it can be reviewed."""
    return brief_of(release).missing
