from django.db.models import QuerySet

from apps.releases.models import Drill, Release

_RELATED = (
    "release",
    "channel",
    "actor",
    "manifest",
    "earlier__manifest",
    "published__receipt",
    "rolled_back__receipt",
)


def drills_of(release: Release) -> QuerySet[Drill]:
    """Return the rehearsals of rolling a release back, newest first."""
    return Drill.objects.filter(release=release).select_related(*_RELATED).order_by("-pk")


def last_drill_of(release: Release) -> Drill | None:
    """Return the newest rehearsal of rolling a release back, None where there was none."""
    newest = Drill.objects.filter(release=release).order_by("-pk").values_list("pk", flat=True).first()
    # Most releases have none: what belongs to a rehearsal is not asked for in vain.
    return Drill.objects.select_related(*_RELATED).get(pk=newest) if newest else None


def open_drills() -> QuerySet[Drill]:
    """Return the rehearsals that are not finished, oldest first."""
    return Drill.objects.select_related(*_RELATED).filter(finished_at=None).order_by("pk")
