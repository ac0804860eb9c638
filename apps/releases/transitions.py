"""The life of a release: which state leads to which. The database guards the same table."""

from django.utils import timezone

from apps.releases.channels.schedule_life import void_schedules
from apps.releases.exceptions import PromotedContent, ReleaseClosed, WrongState
from apps.releases.models import Channel, Release
from apps.releases.selectors import is_promoted

State = Release.State

TRANSITIONS: frozenset[tuple[State, State]] = frozenset(
    {
        (State.DRAFT, State.IN_REVIEW),
        (State.DRAFT, State.WITHDRAWN),
        (State.IN_REVIEW, State.APPROVED),
        (State.IN_REVIEW, State.PUBLISHED),  # in an emergency, see services.emergencies
        (State.IN_REVIEW, State.DRAFT),
        (State.IN_REVIEW, State.REJECTED),
        (State.IN_REVIEW, State.WITHDRAWN),
        (State.APPROVED, State.DRAFT),
        (State.APPROVED, State.PUBLISHED),
        (State.APPROVED, State.WITHDRAWN),
        (State.REJECTED, State.DRAFT),
        (State.PUBLISHED, State.SUPERSEDED),
        (State.SUPERSEDED, State.PUBLISHED),
    }
)

NEXT_STEPS: dict[State, str] = {
    State.DRAFT: "Submit it for review first.",
    State.IN_REVIEW: "It waits for approval; somebody else can approve or reject it.",
    State.APPROVED: "It can be published, or taken back to draft.",
    State.PUBLISHED: "It is live; roll the channel back to take it away.",
    State.SUPERSEDED: "It was live before; roll the channel back to its publication to serve it again.",
    State.REJECTED: "Take it back to draft, change it, and submit it again.",
    State.WITHDRAWN: "Make a new release instead.",
}


def sources_of(to: State) -> list[State]:
    """Return the states from which a release can get to `to`."""
    return [source for source, target in TRANSITIONS if target is to]


def move(release: Release, to: State, *, step: str, **fields: object) -> None:
    """Bring `release` to state `to` with one conditional UPDATE; `step` names it in words.

    Of two that try at once one succeeds. Raises `WrongState` with the state it is in.
    """
    moved = Release.objects.filter(pk=release.pk, state__in=sources_of(to)).update(
        state=to, updated_at=timezone.now(), **fields
    )
    release.refresh_from_db()
    if not moved:
        state = State(release.state)
        raise WrongState(
            f"Release {release.pk} is {state.label} and cannot be {step}.", next_step=NEXT_STEPS[state]
        )
    void_schedules(release, to, step=step)


def lock_draft(release: Release) -> None:
    """Lock `release` for the rest of the transaction. Raises `ReleaseClosed` unless it is a draft."""
    locked = Release.objects.select_for_update(no_key=True).only("state").get(pk=release.pk)
    if not locked.is_editable:
        raise ReleaseClosed(
            f"Release {release.pk} is {locked.get_state_display()} and cannot be changed.",
            next_step="Take it back to draft first; approvals are then asked for again.",
        )


def lock_content(release: Release) -> None:
    """Lock a draft whose content is about to change.

    Raises `ReleaseClosed` unless it is a draft, `PromotedContent` where it is what another channel serves.
    """
    lock_draft(release)
    if is_promoted(release):
        raise PromotedContent(
            f"Release {release.pk} promotes exactly what was served elsewhere, and cannot be changed.",
            next_step="Change that on its own channel and promote it again.",
        )


def lock_with_channel(release: Release) -> Release:
    """Lock channel and release, in this order everywhere, and return the release as it is now."""
    Channel.objects.select_for_update(no_key=True).get(pk=release.channel_id)
    return Release.objects.select_for_update(no_key=True).get(pk=release.pk)
