from dataclasses import dataclass

from apps.releases.channels.node_status import Following
from apps.releases.models import Publication
from apps.releases.rolling_back.receipt_reports import seconds_after
from apps.releases.selectors.nodes import nodes_following
from apps.releases.selectors.receipts import receipt_of


@dataclass(frozen=True, slots=True)
class FollowingWords:
    """Who serves what is live, in words; `mark` is ✓ where all do and ◔ where somebody does not yet."""

    mark: str
    text: str


def following_words(live: Publication) -> FollowingWords | None:
    """Say how many workers serve what is live; None where storage does not answer, which the page says."""
    try:
        following = nodes_following(live)
    except Exception:  # noqa: BLE001 - what a storage raises is its client library's own
        return None
    if not following.heard:
        return FollowingWords("◔", f"No delivery node has said what it serves.{_silent(following)}")
    if not following.is_complete:
        text = f"{following.following} of {following.workers} workers follow.{_silent(following)}"
        return FollowingWords("◔", text)
    return FollowingWords("✓", f"{_all(following)}{_within(live)}.{_silent(following)}")


def _all(following: Following) -> str:
    if following.workers == 1:
        return "The one worker follows"
    nodes = len(following.heard)
    return f"All {following.workers} workers{f' of {nodes} nodes' if nodes > 1 else ''} follow"


def _within(live: Publication) -> str:
    receipt = receipt_of(live)
    seconds = seconds_after(live, receipt.followed_at) if receipt else None
    return f" ({seconds:.1f} s)" if seconds is not None else ""


def _silent(following: Following) -> str:
    names = [node.node for node in following.nodes if node.is_silent]
    return f" Not heard of lately: {', '.join(names)}." if names else ""
