"""Freeze windows: times in which nothing is published on a channel, unless somebody says why.

A roll back is never frozen.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require, who_may
from apps.audit.services import record
from apps.releases.channels.freezing import Freeze, Window, WindowFault, freeze_at, window_of
from apps.releases.exceptions import ChannelFrozen, UnknownWindow, WrongWindow
from apps.releases.models import Channel, FreezeOverride, FreezeWindow, Publication

MAY_OVERRIDE = "releases.override_freeze"
MAY_OVERRIDE_PROTECTED = "releases.change_channel"
HOW_TO_TYPE = "Type it like Friday 16:00 and Monday 8:00, or 2026-12-23 16:00 and 2027-01-02 8:00."


@transaction.atomic
def add_window(*, channel: Channel, starts: str, ends: str, actor: User) -> FreezeWindow:
    """Let nothing be published on `channel` from one moment to another: every week, or once.

    Both are typed as "Friday 16:00" or "2026-12-23 16:00", and meant in the channel's time zone. Raises
    `Forbidden` and `WrongWindow`.
    """
    require(actor, "releases.change_channel", to=f"change channel {channel}")
    try:
        window = window_of(starts, ends)
    except WindowFault as fault:
        raise WrongWindow(f"That is no freeze window. {fault}", next_step=HOW_TO_TYPE) from fault
    channel = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    if window in [row.window for row in channel.freeze_windows.all()]:
        raise WrongWindow(
            f"{channel} has the freeze window {window.words} already.",
            next_step="Nothing more is to be done.",
        )
    row = FreezeWindow.objects.create(channel=channel, added_by=actor, **_columns(window))
    _record(row, actor, "channel.add_freeze_window", f"Nothing is published on {channel} from {row}")
    return row


@transaction.atomic
def remove_window(*, window: FreezeWindow, actor: User) -> None:
    """Take a freeze window away; what was published in it keeps its mark. Raises `Forbidden`."""
    require(actor, "releases.change_channel", to=f"change channel {window.channel}")
    Channel.objects.select_for_update(no_key=True).get(pk=window.channel_id)
    _record(
        window,
        actor,
        "channel.remove_freeze_window",
        f"{window.channel} has no freeze window any more from {window}",
    )
    window.delete()


def window_numbered(channel: Channel, number: int) -> FreezeWindow:
    """Return a freeze window of `channel`. Raises `UnknownWindow`."""
    row = channel.freeze_windows.select_related("channel").filter(pk=number).first()
    if row is None:
        raise UnknownWindow(
            f"{channel} has no freeze window {number}.",
            next_step=f"`scripts/manage channel show {channel}` lists those that it has.",
        )
    return row


def freeze_of(channel: Channel, *, now: datetime | None = None) -> Freeze | None:
    """Return the freeze that `channel` is in, or None."""
    windows = [row.window for row in channel.freeze_windows.all()]
    return freeze_at(now or timezone.now(), windows, zone_of(channel)) if windows else None


def zone_of(channel: Channel) -> ZoneInfo:
    return ZoneInfo(channel.time_zone)


def in_words(freeze: Freeze, channel: Channel) -> str:
    """Say in which windows a channel is, and until when, without the full stop: it goes on."""
    windows = " and ".join(window.words for window in freeze.windows)
    if freeze.ends_at is None:
        return f"{channel} is frozen ({windows}, {channel.time_zone}), and no end of that is in sight"
    end = freeze.ends_at.astimezone(zone_of(channel))
    return f"{channel} is frozen ({windows}, {channel.time_zone}) until {end:%A %Y-%m-%d %H:%M}"


def refuse_if_frozen(channel: Channel, *, actor: User, reason: str = "") -> Freeze | None:
    """Return the freeze that `actor` overrides for `reason`, None where `channel` is in none.

    Raises `ChannelFrozen`, which says until when and who may override it, and `Forbidden`.
    """
    freeze = freeze_of(channel)
    if freeze is None:
        return None
    permission = MAY_OVERRIDE_PROTECTED if channel.is_protected else MAY_OVERRIDE
    if not reason.strip():
        who = who_may(permission)
        raise ChannelFrozen(
            f"{in_words(freeze, channel)}.",
            next_step=f"Publish it then. {who[0].upper()}{who[1:]} may publish it now and say why:"
            " `scripts/manage release publish N --override-freeze REASON`, or on its page.",
        )
    require(actor, permission, to=f"publish on {channel} while it is frozen")
    return freeze


def refuse_frozen_for(channel: Channel, actor: User) -> None:
    """Raise `ChannelFrozen` where `channel` is frozen and `actor` could not override that."""
    permission = MAY_OVERRIDE_PROTECTED if channel.is_protected else MAY_OVERRIDE
    if not actor.has_perm(permission):
        refuse_if_frozen(channel, actor=actor)


def note_override(publication: Publication, freeze: Freeze | None, *, reason: str) -> None:
    """Keep for ever that something was published in a freeze, and why; nothing where there is none."""
    if freeze is None:
        return
    channel = publication.channel
    FreezeOverride.objects.create(
        publication=publication,
        reason=reason.strip(),
        windows=f"{' and '.join(window.words for window in freeze.windows)}, {channel.time_zone}",
        frozen_until=freeze.ends_at,
    )
    record(
        actor=publication.actor,
        action="channel.override_freeze",
        target=f"channel {channel}",
        summary=f"Published {publication.tag} although {in_words(freeze, channel)}: {reason.strip()}",
        details={"publication": publication.sequence, "reason": reason.strip()},
    )


def _columns(window: Window) -> dict[str, object]:
    days = ("from_weekday", "to_weekday") if window.is_weekly else ("from_date", "to_date")
    return {
        days[0]: window.from_day,
        days[1]: window.to_day,
        "from_time": window.from_time,
        "to_time": window.to_time,
    }


def _record(row: FreezeWindow, actor: User, action: str, summary: str) -> None:
    record(
        actor=actor,
        action=action,
        target=f"channel {row.channel}",
        summary=f"{summary} ({row.channel.time_zone}).",
        details={"window": str(row), "time_zone": row.channel.time_zone},
    )
