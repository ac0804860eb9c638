"""What the background worker does for releases, again and again; each is harmless to repeat."""

from apps.jobs.schedule import every
from apps.releases.services.building import refresh_manifests
from apps.releases.services.pointers import reconcile
from apps.releases.services.scheduled_runs import run_due


@every(2, "releases.reconcile_pointers")
def reconcile_pointers() -> list[str]:
    """Bring storage up to date where a publication's pointer was not written."""
    return reconcile()


@every(1, "releases.run_schedules")
def run_schedules() -> list[str]:
    """Publish and take down what is due; what was missed while nothing ran, at the worker's start."""
    return run_due()


# A manifest of a million paths is copied for it: codings that come one by one are gathered meanwhile.
@every(2, "releases.refresh_content_codings", rest=20)
def refresh_content_codings() -> list[str]:
    """Let what is live, or waits to be, profit from content codings made since it was built."""
    lines = refresh_manifests()
    return lines + reconcile() if lines else []
