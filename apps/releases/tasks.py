"""What the background worker does for releases, again and again; each is harmless to repeat."""

from typing import Any

from apps.accounts.models import User
from apps.jobs.log import JobLog
from apps.jobs.registry import handler
from apps.jobs.schedule import every
from apps.releases.cleaning import blobs, manifests, nodes  # noqa: F401 - what they register
from apps.releases.models import Channel, Receipt
from apps.releases.purging import services as purging
from apps.releases.services import drift, drills, verifying
from apps.releases.services.building import refresh_manifests
from apps.releases.services.channel_index import reconcile_index
from apps.releases.services.pointers import reconcile
from apps.releases.services.preview_pointers import (
    reconcile_previews,
    reconcile_signatures,
    sweep_previews,
)
from apps.releases.services.previews import BUILD_JOB, build_preview
from apps.releases.services.scheduled_runs import run_due


@every(2, "releases.reconcile_pointers")
def reconcile_pointers() -> list[str]:
    """Bring storage up to date where a publication's pointer, or the index of hosts, was not written."""
    return reconcile_index() + reconcile()


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


@every(0.5, "releases.follow_publications")
def follow_publications() -> list[str]:
    """See which nodes follow what was published lately."""
    return verifying.follow_publications()


@every(drift.QUEUE_EVERY_SECONDS, "releases.queue_looks")
def queue_looks() -> list[str]:
    """Have it seen whether visitors get what this site sends, at the addresses of PUBLIC_URLS."""
    drift.queue_looks()
    return []


@handler(drift.KIND, priority=-10)
def look_for_drift(payload: dict[str, Any], log: JobLog) -> None:
    """See what visitors of a channel get, and note it; run again, it looks again."""
    asked_by = User.objects.get(pk=payload["asked_by"]) if "asked_by" in payload else None
    found = drift.look_for_drift(Channel.objects.get(pk=payload["channel"]), asked_by=asked_by)
    log.write(f"{found.channel} at {found.url}: {found.words}")


@every(60, "releases.resume_receipts")
def resume_receipts() -> list[str]:
    """Queue again the receipts whose job has failed."""
    return verifying.resume_receipts()


@handler(verifying.KIND, priority=10)
def complete_receipt(payload: dict[str, Any], log: JobLog) -> None:
    """List what a publication changed, ask for some of it, and close its receipt."""
    receipt = Receipt.objects.select_related("publication__channel", "publication__manifest").get(
        pk=payload["publication"]
    )
    if receipt.finished_at is None:
        log.write(verifying.complete_receipt(receipt))


@handler(purging.KIND, priority=10)
def purge(payload: dict[str, Any], log: JobLog) -> None:
    """Tell a cache in front what to forget; run again, it goes on where it was."""
    log.write(purging.run(payload["purge"]))


@every(2, "releases.purge_due")
def purge_due() -> list[str]:
    """Try again what a cache in front refused for a while."""
    return purging.hand_over_due()


@every(2, "releases.reconcile_previews")
def settle_previews() -> list[str]:
    """Show the previews whose pointer was not written yet, and end those whose time is over."""
    return reconcile_previews()


@every(3600, "releases.sweep_previews")
def remove_unknown_previews() -> list[str]:
    """Remove what storage has of previews that the database does not know; write again what it lost."""
    return sweep_previews() + reconcile_signatures()


@handler(BUILD_JOB, priority=10)
def build_for_preview(payload: dict[str, Any], log: JobLog) -> None:
    """Build a large draft for its preview; run again, it builds what the draft holds by then."""
    is_built = build_preview(payload["preview"])
    log.write("The preview shows it." if is_built else "Nobody waits for this preview any more.")


@every(0.5, "releases.continue_drills")
def continue_drills() -> list[str]:
    """Take back what is being rehearsed, once it was seen; say how that went."""
    return drills.continue_drills()
