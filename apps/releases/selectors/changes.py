from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.releases.models import Change, Release


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


def changes_of(release: Release, *, kind: str = "") -> QuerySet[Change]:
    """Return the changes of a release by path; only those "added", "changed" or "removed" where asked."""
    kinds = {
        "added": Q(kind=Change.Kind.PUT, replaced_blob=None),
        "changed": Q(kind=Change.Kind.PUT, replaced_blob__isnull=False),
        "removed": Q(kind=Change.Kind.REMOVE),
    }
    changes = release.changes.select_related("asset", "version__blob", "replaced_blob")
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


def change_counts(release: Release, *, redirects: int | None = None) -> ChangeCounts:
    """Count the changes of a release by what they do to the base; `redirects` where they are counted."""
    put = Q(kind=Change.Kind.PUT)
    counts = release.changes.aggregate(
        added=Count("pk", filter=put & Q(replaced_blob=None)),
        changed=Count("pk", filter=put & ~Q(replaced_blob=None)),
        removed=Count("pk", filter=~put),
    )
    count = release.redirect_changes.count() if redirects is None else redirects
    return ChangeCounts(**counts, redirects=count)


def count_of(changes: QuerySet[Any]) -> Coalesce:
    """Count `changes` of the outer release in a subquery: for the rows of a page, not for all there are."""
    counted = changes.filter(release=OuterRef("pk")).order_by().values("release").annotate(n=Count("*"))
    return Coalesce(Subquery(counted.values("n"), output_field=IntegerField()), 0)
