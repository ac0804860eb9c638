"""What a channel's page says of holds, freeze windows and hosts, and why a person cannot change them."""

from typing import Any

from django.conf import settings
from django.http import QueryDict

from apps.accounts.local_times import zone_names
from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.refusals import Refusal
from apps.releases.models import Channel, Hold
from apps.releases.selectors.holds import holds_on, past_holds
from apps.releases.services import freezes, holding

PAST_SHOWN = 5


def sections_of(channel: Channel, actor: User, typed: QueryDict | None) -> dict[str, Any]:
    """Return what the sections show; `typed` is what was refused, and stays in its fields."""
    freeze = freezes.freeze_of(channel)
    holds = holds_on(channel)
    own = next((held for held in holds if not held.is_stop), None)
    return {
        "holds": holds,
        "own_hold": own,
        "stop": next((held for held in holds if held.is_stop), None),
        "past_holds": past_holds(channel)[:PAST_SHOWN],
        "why_no_hold": why_not(actor, holding.MAY_HOLD, f"put {channel} on hold"),
        "why_no_resume": why_no_lifting(own, actor) if own else "",
        "frozen": f"{freezes.in_words(freeze, channel)}." if freeze else "",
        "zones": sorted({*zone_names(), channel.time_zone}),
        "windows": channel.freeze_windows.select_related("added_by"),
        "hosts": [(row.host, settings.PINNED_HOSTS.get(row.host)) for row in channel.hosts.all()],
        "pinned": sorted(host for host, name in settings.PINNED_HOSTS.items() if name == channel.name),
        "public_url": settings.PUBLIC_URLS.get(channel.name, ""),
        "drift": channel.drifts.order_by("-id").first(),
        "typed": typed or {},
        "typed_step": typed.get("step", "") if typed else "",
    }


def why_not(actor: User, permission: str, to: str) -> str:
    """Say why `actor` may not do something; "" where they may."""
    try:
        require(actor, permission, to=to)
    except Refusal as refusal:
        return str(refusal)
    return ""


def why_no_lifting(held: Hold, actor: User) -> str:
    """Say why `actor` may not lift a hold; "" where they may."""
    try:
        holding.refuse_lifting(held, actor)
    except Refusal as refusal:
        return str(refusal)
    return ""
