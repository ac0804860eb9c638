"""What a release's page says where its channel has moved, and what it was made out of."""

from typing import Any

from apps.releases.conflicts.reports import Settlement, conflict_rows
from apps.releases.seen import Seen
from apps.releases.selectors import offspring_of
from apps.releases.services.rebasing import REBASED_FROM
from apps.releases.transitions import State

_ROWS_SHOWN = 10


def standing_section(seen: Seen) -> dict[str, Any]:
    """Return how a release stands to what is live, where it can be rebased; and its kin."""
    release = seen.release
    kin = {
        "origins": seen.origins,
        "offspring": offspring_of(release),
        "is_promoted_content": seen.is_promoted,
    }
    if State(release.state) not in REBASED_FROM or not seen.is_behind:
        return {"standing": None, **kin}
    standing = seen.standing
    rows = conflict_rows(release, standing.conflicts[:_ROWS_SHOWN])
    has_open = any(row.settlement is Settlement.OPEN for row in rows)
    return {
        "standing": standing,
        "standing_live": seen.live,
        "standing_rows": rows,
        "unlisted_conflicts": len(standing.conflicts) - len(rows),
        "has_open_conflicts": has_open or len(standing.conflicts) > len(rows),
        **kin,
    }
