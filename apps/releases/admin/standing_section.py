"""What a release's page says where its channel has moved, and what it was made out of."""

from typing import Any

from apps.releases.conflicts.reports import Settlement, conflict_rows
from apps.releases.conflicts.standing import is_behind, standing_of
from apps.releases.models import Release
from apps.releases.selectors import is_promoted, live_publication, offspring_of, origins_of
from apps.releases.services.rebasing import REBASED_FROM
from apps.releases.transitions import State

_ROWS_SHOWN = 10


def standing_section(release: Release) -> dict[str, Any]:
    """Return how a release stands to what is live, where it can be rebased; and its kin."""
    kin = {
        "origins": origins_of(release),
        "offspring": offspring_of(release),
        "is_promoted_content": is_promoted(release),
    }
    live = live_publication(release.channel)
    if State(release.state) not in REBASED_FROM or not is_behind(release, live):
        return {"standing": None, **kin}
    standing = standing_of(release, live)
    rows = conflict_rows(release, standing.conflicts[:_ROWS_SHOWN])
    has_open = any(row.settlement is Settlement.OPEN for row in rows)
    return {
        "standing": standing,
        "standing_live": live,
        "standing_rows": rows,
        "unlisted_conflicts": len(standing.conflicts) - len(rows),
        "has_open_conflicts": has_open or len(standing.conflicts) > len(rows),
        **kin,
    }
