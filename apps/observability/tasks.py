"""What the background worker does with what was counted; each is harmless to repeat."""

from apps.jobs.cleaning import Cleaned, cleaner
from apps.jobs.schedule import every
from apps.observability import taking


@every(30, "observability.take_in_counts", rest=10, is_apart=True)
def take_in_counts() -> list[str]:
    """Bring what delivery has counted into the database."""
    return taking.take_in()


@cleaner("counts of requests")
def clear_counts(*, is_dry_run: bool) -> Cleaned:
    """Make days of old hours, and let go of what is older still."""
    return Cleaned(taking.sum_up(is_dry_run=is_dry_run))
