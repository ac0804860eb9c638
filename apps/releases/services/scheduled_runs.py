"""What is scheduled is carried out here: once, as the person who scheduled it, or it says why not."""

import logging
from datetime import timedelta

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from apps.accounts.exceptions import Forbidden
from apps.accounts.permissions import who_may
from apps.audit.services import record
from apps.refusals import Refusal
from apps.releases.channels.schedule_life import LATE_AFTER, in_minutes, settle, when
from apps.releases.exceptions import NothingToRevert, WrongSchedule
from apps.releases.models import Channel, Publication, Release, Schedule
from apps.releases.selectors import is_part_of, live_publication, publication_before
from apps.releases.services.publishing import publish, roll_back
from apps.releases.services.reverting import revert

logger = logging.getLogger(__name__)

TRIED_FOR = timedelta(minutes=10)
State, Action = Schedule.State, Schedule.Action
_DONE = {Action.PUBLISH: "published", Action.END: "taken down"}


def run_due() -> list[str]:
    """Carry out what is due, in the order of its times; return a line for each that was settled.

    A refusal settles a schedule as failed: it needs a person then. What storage did not do is tried
    again for ten minutes. Safe to run in many workers at once.
    """
    due = Schedule.objects.filter(state=State.WAITING, at__lte=timezone.now()).order_by("at", "id")
    lines = (_run(pk) for pk in list(due.values_list("pk", flat=True)))
    return [line for line in lines if line]


@transaction.atomic
def _run(pk: int) -> str:
    """Settle one schedule, under the lock of its channel, which every publication takes first."""
    channel = Channel.objects.get(releases__schedules=pk)
    Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    schedule = Schedule.objects.select_related("release", "by").filter(pk=pk, state=State.WAITING).first()
    if schedule is None:
        return ""
    try:
        with transaction.atomic():
            _carry_out(schedule, channel)
    except (Refusal, IntegrityError) as refusal:
        _fail(schedule, str(refusal))
    except OperationalError:
        raise
    except Exception as error:  # storage raises its client library's own
        logger.exception("%s was not done.", schedule)
        _try_again_or_fail(schedule, error)
    return _line(schedule)


def _carry_out(schedule: Schedule, channel: Channel) -> None:
    if schedule.action == Action.END:
        _take_down(schedule, channel)
        return
    _refuse_deactivated(schedule)
    _refuse_missed_end(schedule)
    publish(release=schedule.release, actor=schedule.by, digest=schedule.manifest_id)


def _take_down(schedule: Schedule, channel: Channel) -> None:
    if _waits_for_its_beginning(schedule):
        return
    release, live = schedule.release, live_publication(channel)
    if live is None or not is_part_of(release, live):
        settle(schedule, State.CANCELLED, f"{channel} did not serve it any more, or never did.")
        return
    _refuse_deactivated(schedule)
    if live.release_id != release.pk:
        _ask_for_revert(schedule, live)
        return
    _roll_back(schedule, channel, live)


def _roll_back(schedule: Schedule, channel: Channel, live: Publication) -> None:
    """Serve again what was live before; the channel is not put on hold by that, since nothing is wrong."""
    goal = publication_before(live)
    reason = f"Ended as scheduled for {when(schedule)}."
    done = roll_back(
        channel=channel,
        to=goal.sequence if goal else None,
        reason=reason,
        actor=schedule.by,
        is_planned=True,
    )
    overdue = done.published_at - schedule.at
    is_late = overdue >= LATE_AFTER
    late = f", {in_minutes(overdue)} late: nothing ran at its time" if is_late else ""
    settle(
        schedule,
        State.LATE if is_late else State.DONE,
        f"Taken down as {done.tag}{late}; {channel} serves release {done.release_id} again.",
        publication=done,
    )


def _ask_for_revert(schedule: Schedule, live: Publication) -> None:
    """Make the release that would take it down, because others are live on top of it; people decide."""
    release = schedule.release
    try:
        with transaction.atomic():
            draft = revert(release=release, actor=schedule.by)
    except NothingToRevert:
        settle(schedule, State.CANCELLED, "Later releases have taken back all that it changed.")
        return
    _fail(
        schedule,
        f"Release {live.release_id} is live on top of it, and would go too. Release {draft.pk} was made,"
        f" which takes back release {release.pk} alone: look at it, submit it and publish it.",
        revert=draft,
    )


def _waits_for_its_beginning(schedule: Schedule) -> bool:
    """Say whether the release is still to be published first, which storage may have held up."""
    return schedule.release.schedules.filter(action=Action.PUBLISH, state=State.WAITING).exists()


def _refuse_deactivated(schedule: Schedule) -> None:
    if not schedule.by.is_active:
        raise Forbidden(
            f"{schedule.by}, who scheduled it, has been deactivated.",
            next_step=f"Schedule it again, or do it now: {who_may('releases.publish_release')} may.",
        )


def _refuse_missed_end(schedule: Schedule) -> None:
    """Raise `WrongSchedule` where its whole time has passed: nothing goes live for an instant."""
    ended = schedule.release.schedules.filter(
        action=Action.END, state=State.WAITING, at__lte=timezone.now()
    ).first()
    if ended:
        raise WrongSchedule(
            f"Nothing ran at its time, and by now its end has passed too ({when(ended)}).",
            next_step="Publish it by hand if it should still go live.",
        )


def _try_again_or_fail(schedule: Schedule, error: Exception) -> None:
    """Leave a schedule waiting, saying why, until ten minutes after the first try; then it has failed."""
    now, words = timezone.now(), f"{type(error).__name__}: {error}"
    first = schedule.tried_at or now
    if now >= first + TRIED_FOR:
        _fail(schedule, f"{words}. The worker's log says more; schedule it again when that is mended.")
        return
    waiting = Schedule.objects.filter(pk=schedule.pk, state=State.WAITING)
    waiting.update(tried_at=first, outcome=f"Not done yet ({words}); it is tried again.")


def _fail(schedule: Schedule, reason: str, *, revert: Release | None = None) -> None:
    if not settle(schedule, State.FAILED, reason, revert=revert):
        return
    release = schedule.release
    record(
        actor=None,
        action="release.schedule_failed",
        target=f"release {release.pk}",
        summary=f"Release {release.pk} was not {_DONE[Action(schedule.action)]} as scheduled for "
        f"{when(schedule)} by {schedule.by}: {reason}",
        details={"schedule": schedule.pk, "action": schedule.action, "by": schedule.by_id}
        | ({"revert": revert.pk} if revert else {}),
    )


def _line(schedule: Schedule) -> str:
    """Return what became of a schedule; nothing where it still waits as before."""
    schedule.refresh_from_db()
    if schedule.state == State.WAITING and not schedule.outcome:
        return ""
    return f"{schedule}, {when(schedule)}: {schedule.get_state_display()}. {schedule.outcome}"
