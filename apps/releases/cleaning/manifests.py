"""Manifests: those of previews that were built again, of withdrawn releases, of builds that failed.

What was ever published stays, whatever a channel's policy says: the history is verified by it.
"""

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Exists, Model, OuterRef, ProtectedError, Q, QuerySet
from django.utils import timezone

from apps.assets.listing import listed
from apps.jobs.cleaning import Cleaned, cleaner
from apps.releases.cleaning.storage import clear
from apps.releases.models import (
    Approval,
    Drill,
    EmergencyRequest,
    Manifest,
    Origin,
    Preview,
    Publication,
    Release,
    RetainedNames,
    Schedule,
)
from apps.releases.selectors.needed import needed_for_rollback

FOLDER = "manifests"


def needed_manifests() -> QuerySet[Manifest]:
    """Return the manifests that somebody may look at, publish, or go back to."""
    return Manifest.objects.filter(
        _named_by(Publication.objects.all())
        | _named_by(_alive(), "manifest")
        | _named_by(_alive(), "base_manifest")
        | _named_by(Preview.objects.exclude(pointer=Preview.Pointer.GONE))
        | _named_by(Schedule.objects.filter(state=Schedule.State.WAITING))
        | _named_by(Approval.objects.filter(release__in=_alive()))
        | _named_by(EmergencyRequest.objects.filter(release__in=_alive()))
        | _named_by(Drill.objects.all())
        | _named_by(Origin.objects.all())
    )


@cleaner("manifests")
def clear_manifests(*, is_dry_run: bool) -> Cleaned:
    """Remove the files of manifests that nobody needs, and the rows that nothing refers to."""
    found = dict(listed(FOLDER))  # first: a row is there soon after its file
    for name in _needed_files():
        found.pop(name, None)
    for name in _rows_of_nobody():
        found.setdefault(name, 0)
    return clear(FOLDER, [(FOLDER, found)], forget=_forget, is_dry_run=is_dry_run)


def _alive() -> QuerySet[Release]:
    return Release.objects.exclude(state=Release.State.WITHDRAWN)


def _named_by[M: Model](rows: QuerySet[M], field: str = "manifest") -> Q:
    return Q(Exists(rows.order_by().filter(**{field: OuterRef("pk")})))


def _needed_files() -> Iterator[str]:
    yield from needed_manifests().values_list("file_name", flat=True).iterator()
    yield from needed_for_rollback().names
    yield from RetainedNames.objects.exclude(file_name="").values_list("file_name", flat=True)


def _rows_of_nobody() -> Iterator[str]:
    """Yield the files of rows that nobody needs: of one that was interrupted, the file has gone already."""
    rows = Manifest.objects.filter(cleared_at=None).exclude(pk__in=needed_manifests().values("pk"))
    yield from rows.values_list("file_name", flat=True).iterator()


def _forget(names: list[str]) -> set[str]:
    """Take the rows of these files away, or note in them that they are gone; return the files that may go."""
    needed = set(needed_manifests().filter(file_name__in=names).values_list("file_name", flat=True))
    needed |= set(RetainedNames.objects.filter(file_name__in=names).values_list("file_name", flat=True))
    needed |= needed_for_rollback().names
    gone = set(names) - needed
    for manifest in Manifest.objects.filter(file_name__in=gone):
        try:
            with transaction.atomic():
                manifest.delete()
        except ProtectedError:  # a withdrawn release, or a preview that has ended, still tells its digest
            Manifest.objects.filter(pk=manifest.pk).update(cleared_at=timezone.now())
    return gone
