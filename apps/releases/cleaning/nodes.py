from datetime import timedelta

from django.utils import timezone

from apps.assets import store
from apps.jobs.cleaning import NAMES_KEPT, Cleaned, cleaner
from apps.releases.channels.node_status import FOLDER
from apps.releases.selectors.nodes import node_statuses

GONE_AFTER = timedelta(days=7)


@cleaner("nodes that have gone")
def clear_nodes(*, is_dry_run: bool) -> Cleaned:
    """Remove what delivery nodes said of themselves that have not been heard of for a week.

    One that comes back says it again at once.
    """
    until = timezone.now() - GONE_AFTER
    names = [f"{FOLDER}/{status.node}.json" for status in node_statuses() if status.at < until]
    if not is_dry_run:
        for name in names:
            store.remove(name)
    return Cleaned(len(names), names=tuple(names[:NAMES_KEPT]))
