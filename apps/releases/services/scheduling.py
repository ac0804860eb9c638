"""What is to happen to a release, and when: made, replaced and called off by people."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from apps.accounts.local_times import in_zone
from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.releases.channels.schedule_life import settle, when
from apps.releases.exceptions import ChannelFrozen, NotScheduled, StaleDigest, WrongSchedule, WrongState
from apps.releases.models import Manifest, Release, Schedule
from apps.releases.services import freezes
from apps.releases.services.publishing import refuse_if_base_moved
from apps.releases.transitions import NEXT_STEPS, State, lock_with_channel

Action = Schedule.Action

_PERMISSIONS = {
    Action.PUBLISH: ("releases.publish_release", "publish release {}"),
    Action.END: ("releases.roll_back_channel", "take release {} down"),
}
_STATES = {Action.PUBLISH: (State.APPROVED,), Action.END: (State.APPROVED, State.PUBLISHED)}


@transaction.atomic
def schedule(
    *,
    release: Release,
    actor: User,
    zone: ZoneInfo,
    publish_at: datetime | None = None,
    end_at: datetime | None = None,
    digest: str | None = None,
) -> list[Schedule]:
    """Let the digest that a release has go live, or be taken down, at these moments.

    What was scheduled before for the same action is replaced. At its time it is done as `actor`, whose
    permissions count then. `zone` is the one in which times are said. Raises `Forbidden`, `WrongState`,
    `StaleDigest`, `WrongSchedule`, `BaseMoved`, `ChannelFrozen`.
    """
    wanted = {action: at for action, at in ((Action.PUBLISH, publish_at), (Action.END, end_at)) if at}
    for action in wanted:
        permission, verb = _PERMISSIONS[action]
        require(actor, permission, to=verb.format(release.pk))
    release = lock_with_channel(release)
    _refuse_other_digest(release, digest)
    manifest = _approved_manifest(release, wanted)
    _refuse_wrong_order(release, wanted)
    if publish_at:
        refuse_if_base_moved(release)
        _refuse_frozen(release, publish_at, zone)
    made = [_replace(release, manifest, action, at, by=actor, zone=zone) for action, at in wanted.items()]
    record(
        actor=actor,
        action="release.schedule",
        target=f"release {release.pk}",
        summary=f"Scheduled release {release.pk} on {release.channel}: {in_words(made)}.",
        details={"digest": release.manifest_id, "time_zone": zone.key}
        | {each.action: each.at.isoformat() for each in made},
    )
    return made


@transaction.atomic
def unschedule(*, release: Release, actor: User, action: str = "") -> list[Schedule]:
    """Call off what is scheduled for a release; with `action` (publish, end) only that.

    Raises `Forbidden` and `NotScheduled`.
    """
    require(actor, "releases.publish_release", to=f"call off what is scheduled for release {release.pk}")
    release = lock_with_channel(release)
    waiting = release.schedules.filter(state=Schedule.State.WAITING)
    chosen = list(waiting.filter(action=action) if action else waiting)
    if not chosen:
        raise NotScheduled(
            f"Nothing{f' of that kind ({action})' if action else ''} is scheduled for release {release.pk}.",
            next_step=f"`scripts/manage release show {release.pk}` says where it stands.",
        )
    for each in chosen:
        settle(each, Schedule.State.CANCELLED, f"{actor} called it off.")
    record(
        actor=actor,
        action="release.unschedule",
        target=f"release {release.pk}",
        summary=f"Called off for release {release.pk}: {in_words(chosen)}.",
        details={"schedules": [each.pk for each in chosen]},
    )
    return chosen


def in_words(schedules: list[Schedule]) -> str:
    """Say what is to happen when: "publish at 2026-12-01 09:00 UTC, take down at 2026-12-24 18:00 UTC"."""
    return ", ".join(f"{each.get_action_display()} at {when(each)}" for each in schedules)


def _replace(
    release: Release, manifest: Manifest, action: Action, at: datetime, *, by: User, zone: ZoneInfo
) -> Schedule:
    for earlier in release.schedules.filter(action=action, state=Schedule.State.WAITING):
        settle(earlier, Schedule.State.CANCELLED, f"{by} chose another time.")
    return Schedule.objects.create(
        release=release, manifest=manifest, action=action, at=at, time_zone=zone.key, by=by
    )


def _refuse_other_digest(release: Release, digest: str | None) -> None:
    if digest not in (None, release.manifest_id):
        raise StaleDigest(
            f"Release {release.pk} no longer has the digest {str(digest)[:12]}.",
            next_step="Look at what it holds now, and schedule that.",
        )


def _approved_manifest(release: Release, wanted: Iterable[Action]) -> Manifest:
    """Return what was approved. Raises `WrongState` where that may not be scheduled for these actions."""
    now = State(release.state)
    for action in wanted:
        if now not in _STATES[action]:
            raise WrongState(
                f"Release {release.pk} is {now.label}; there is nothing to {action.label} at a time.",
                next_step=NEXT_STEPS[now],
            )
    if release.manifest is None:
        raise WrongState(f"Release {release.pk} is not built.", next_step="Submit it for review first.")
    return release.manifest


def _refuse_frozen(release: Release, publish_at: datetime, zone: ZoneInfo) -> None:
    if freeze := freezes.freeze_of(release.channel, now=publish_at):
        raise ChannelFrozen(
            f"At {in_zone(publish_at, zone)} {freezes.in_words(freeze, release.channel)}.",
            next_step="Choose a time outside of that.",
        )


def _refuse_wrong_order(release: Release, wanted: dict[Action, datetime]) -> None:
    if not wanted:
        raise WrongSchedule(
            "No time was named.", next_step="Say when to publish it, or when to take it down."
        )
    now = timezone.now()
    if passed := [action for action, at in wanted.items() if at <= now]:
        raise WrongSchedule(
            f"The time to {passed[0].label} release {release.pk} has passed.",
            next_step="Choose a later one, or do it now.",
        )
    waiting = release.schedules.filter(state=Schedule.State.WAITING)
    both = {Action(action): at for action, at in waiting.values_list("action", "at")} | wanted
    if Action.PUBLISH in both and Action.END in both and both[Action.END] <= both[Action.PUBLISH]:
        raise WrongSchedule(
            f"Release {release.pk} would be taken down before it is published.",
            next_step="Choose an end after its beginning.",
        )
