"""Holds: nothing is published on a channel, or on any, until somebody says that it may go on.

A roll back places one, so that no schedule, script or colleague brings back a minute later what was just
taken away. Rolling back is always possible meanwhile.
"""

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require, who_may
from apps.audit.services import record
from apps.releases.exceptions import ChannelHeld, NotHeld, ReasonMissing, SamePerson
from apps.releases.models import Channel, Hold, Publication
from apps.releases.selectors.holds import hold_of, holds_on, open_stop

MAY_HOLD = "releases.hold_channel"
MAY_OPEN_PROTECTED = "releases.change_channel"
ALL = "all channels"


@transaction.atomic
def hold(*, channel: Channel, reason: str, actor: User) -> Hold:
    """Let nothing be published on `channel` until the hold is lifted.

    Raises `Forbidden`, `ReasonMissing`, and `ChannelHeld` where it is on hold already.
    """
    require(actor, MAY_HOLD, to=f"put {channel} on hold")
    _refuse_no_reason(reason, f"{channel} is not put on hold")
    channel = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    if held := hold_of(channel):
        raise ChannelHeld(
            f"{held_in_words(held)} already.", next_step="Lift that first to give another reason."
        )
    return _place(channel, reason=reason, actor=actor)


@transaction.atomic
def stop(*, reason: str, actor: User) -> Hold:
    """Let nothing be published on any channel, also on those made later, until the stop is lifted.

    Raises `Forbidden`, `ReasonMissing`, and `ChannelHeld` where all are stopped already.
    """
    require(actor, MAY_HOLD, to="stop all channels")
    _refuse_no_reason(reason, "The channels are not stopped")
    _lock_all()
    if held := open_stop():
        raise ChannelHeld(f"{held_in_words(held)} already.", next_step="Nothing more is to be done.")
    return _place(None, reason=reason, actor=actor)


@transaction.atomic
def resume(*, channel: Channel, reason: str, actor: User) -> Hold:
    """Lift the hold of `channel`. A protected one is opened by another administrator than who held it.

    Raises `Forbidden`, `ReasonMissing`, `NotHeld`, `SamePerson`.
    """
    require(actor, MAY_HOLD, to=f"let {channel} go on")
    _refuse_no_reason(reason, f"{channel} does not go on")
    channel = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    held = hold_of(channel)
    if held is None:
        stopped = open_stop()
        raise NotHeld(
            f"{channel} is not on hold by itself.",
            next_step=f"{held_in_words(stopped)}: `scripts/manage channel resume --all` lifts that."
            if stopped
            else "Nothing has to be lifted: publish.",
        )
    _refuse_opening(held, [channel], actor)
    return _lift(held, reason=reason, actor=actor)


@transaction.atomic
def resume_all(*, reason: str, actor: User) -> Hold:
    """Lift the stop of all channels. A channel that has a hold of its own stays on hold.

    Raises `Forbidden`, `ReasonMissing`, `NotHeld`, `SamePerson`.
    """
    require(actor, MAY_HOLD, to="let the channels go on")
    _refuse_no_reason(reason, "The channels do not go on")
    channels = _lock_all()
    held = open_stop()
    if held is None:
        raise NotHeld(
            "The channels are not stopped.",
            next_step="A hold of one channel is lifted with `scripts/manage channel resume CHANNEL`.",
        )
    _refuse_opening(held, channels, actor)
    return _lift(held, reason=reason, actor=actor)


def hold_after(rollback: Publication) -> Hold | None:
    """Put the channel of a roll back on hold, in its transaction; None where it is on hold already."""
    if hold_of(rollback.channel):
        return None
    return _place(rollback.channel, reason=rollback.reason, actor=rollback.actor, rollback=rollback)


def refuse_if_held(channel: Channel) -> None:
    """Raise `ChannelHeld`, which names who holds `channel` and why, unless it may be published on."""
    holds = holds_on(channel)
    if not holds:
        return
    held = holds[0]
    resume_it = "--all" if held.is_stop else channel.name
    raise ChannelHeld(
        f"{held_in_words(held)}.",
        next_step=f"{_who_lifts(held, channel)} may lift that when it is safe to go on:"
        f" `scripts/manage channel resume {resume_it} --reason …`, or on the channel's page.",
    )


def refuse_lifting(held: Hold, actor: User) -> None:
    """Raise what `resume` and `resume_all` would raise for this person; nothing is locked."""
    require(actor, MAY_HOLD, to=f"let {held.scope} go on")
    _refuse_opening(held, [held.channel] if held.channel else list(Channel.objects.all()), actor)


def held_in_words(held: Hold) -> str:
    """Say what is held by whom and why, without the full stop: it goes on."""
    scope = "All channels are" if held.is_stop else f"{held.scope} is"
    return f"{scope} on hold by {held.placed_by}: “{held.reason.rstrip('.')}”"


def _who_lifts(held: Hold, channel: Channel) -> str:
    if channel.is_protected:
        return f"Another administrator than {held.placed_by}"
    words = who_may(MAY_HOLD)
    return f"{words[0].upper()}{words[1:]}"


def _refuse_opening(held: Hold, channels: list[Channel], actor: User) -> None:
    protected = [channel for channel in channels if channel.is_protected]
    if not protected:
        return
    require(actor, MAY_OPEN_PROTECTED, to=f"open {protected[0]} again, which is protected")
    if actor == held.placed_by:
        raise SamePerson(
            f"{actor} has put {held.scope} on hold, and {protected[0]} is protected.",
            next_step="Ask another administrator to look at it and to lift the hold.",
        )


def _place(channel: Channel | None, *, reason: str, actor: User, rollback: Publication | None = None) -> Hold:
    reason = reason.strip()
    held = Hold.objects.create(
        channel=channel, reason=reason, placed_by=actor, placed_at=timezone.now(), rollback=rollback
    )
    record(
        actor=actor,
        action="channel.hold" if channel else "channel.stop",
        target=f"channel {channel}" if channel else ALL,
        summary=f"Put {held.scope} on hold: {reason}",
        details={"reason": reason} | ({"rollback": rollback.tag} if rollback else {}),
    )
    return held


def _lift(held: Hold, *, reason: str, actor: User) -> Hold:
    reason = reason.strip()
    Hold.objects.filter(pk=held.pk, lifted_at=None).update(
        lifted_by=actor, lifted_at=timezone.now(), lift_reason=reason
    )
    held.refresh_from_db()
    record(
        actor=actor,
        action="channel.resume",
        target=f"channel {held.channel}" if held.channel else ALL,
        summary=f"Let {held.scope} go on: {reason} ({held_in_words(held)}.)",
        details={"reason": reason, "held_by": held.placed_by.get_username(), "held_for": held.reason},
    )
    return held


def _lock_all() -> list[Channel]:
    return list(Channel.objects.select_for_update(no_key=True).order_by("pk"))


def _refuse_no_reason(reason: str, what: str) -> None:
    if not reason.strip():
        raise ReasonMissing(
            f"{what} without a reason.", next_step="Say why in a few words; others decide by it."
        )
