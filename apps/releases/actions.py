"""What a person may do with a release now, and why not, in the words of the services' refusals."""

from collections.abc import Callable
from dataclasses import dataclass

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.refusals import Refusal
from apps.releases.exceptions import AlreadyApproved, BriefIncomplete, WrongState
from apps.releases.review.brief import in_words
from apps.releases.seen import Seen
from apps.releases.selectors import missing_brief
from apps.releases.services.checking import refuse_failed_checks
from apps.releases.services.freezes import refuse_frozen_for
from apps.releases.services.holding import refuse_if_held
from apps.releases.services.publishing import refuse_if_base_moved
from apps.releases.services.rebasing import (
    REBASED_FROM,
    refuse_to_rebase_promoted,
    refuse_unless_behind,
)
from apps.releases.services.reverting import REVERTED_FROM
from apps.releases.services.review import REVIEWED, refuse_outsider, refuse_own_work
from apps.releases.transitions import NEXT_STEPS, State


@dataclass(frozen=True, slots=True)
class Action:
    """A step in a release's life. `why_not` is empty where the person may take it now.

    `is_next` says whether the step leads on from the release's state, for whoever may take it.
    """

    name: str
    label: str
    is_allowed: bool
    why_not: str = ""
    is_next: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    label: str
    permission: str
    verb: str
    done: str
    sources: tuple[State, ...]
    refuse: Callable[[Seen, User], None] | None = None
    applies: Callable[[Seen], bool] = lambda seen: True

    def action(self, seen: Seen, actor: User) -> Action:
        why_not, release = "", seen.release
        try:
            self._check(seen, actor)
        except Refusal as refusal:
            why_not = str(refusal)
        return Action(
            self.name,
            self.label.format(channel=release.channel),
            is_allowed=not why_not,
            why_not=why_not,
            is_next=release.state in self.sources and self.applies(seen),
        )

    def _check(self, seen: Seen, actor: User) -> None:
        release = seen.release
        require(actor, f"releases.{self.permission}", to=self.verb.format(release=f"release {release.pk}"))
        now = State(release.state)
        if now not in self.sources:
            raise WrongState(
                f"Release {release.pk} is {now.label} and cannot be {self.done}.", next_step=NEXT_STEPS[now]
            )
        if self.refuse:
            self.refuse(seen, actor)


def actions_for(seen: Seen, actor: User) -> dict[str, Action]:
    """Return every step of the release's life by its name, in the order of that life, as it is for `actor`.

    The answer is advice for a page: the services decide again, under lock, when a step is taken.
    """
    return {step.name: step.action(seen, actor) for step in _STEPS}


def main_action(actions: dict[str, Action]) -> Action | None:
    """Return the step that brings the release forward, allowed or not; None where it has arrived."""
    forward = (actions[name] for name in ("rebase", "submit", "approve", "publish"))
    return next((action for action in forward if action.is_next), None)


def _refuse_unready(seen: Seen, actor: User) -> None:
    if missing := missing_brief(seen.release):
        raise BriefIncomplete(f"Missing: {in_words(missing)}.", next_step="Complete the brief.")
    refuse_if_base_moved(seen.release, seen)


def _refuse_second_approval(seen: Seen, actor: User) -> None:
    release = seen.release
    refuse_outsider(release, actor)
    refuse_own_work(release, actor)
    if release.approvals.filter(manifest=release.manifest_id, approver=actor).exists():
        raise AlreadyApproved("You have approved it already.", next_step="Somebody else has to, too.")
    refuse_failed_checks(release, step="approved", standings=seen.checks)


def _refuse_unpublishable(seen: Seen, actor: User) -> None:
    release = seen.release
    refuse_if_held(release.channel)
    refuse_failed_checks(release, step="published", standings=seen.checks)
    refuse_if_base_moved(release, seen)
    refuse_frozen_for(release.channel, actor)


def _refuse_to_rebase(seen: Seen, actor: User) -> None:
    refuse_to_rebase_promoted(seen.release, is_promoted=seen.is_promoted)
    refuse_unless_behind(seen.release, seen.live)


def _can_be_rebased(seen: Seen) -> bool:
    return seen.is_behind and not seen.is_promoted


_OPEN = (State.DRAFT, State.IN_REVIEW, State.APPROVED)

_STEPS = (
    _Step("edit", "Edit the brief", "change_release", "edit {release}", "changed", (State.DRAFT,)),
    _Step(
        "rebase",
        "Rebase onto what is live",
        "change_release",
        "rebase {release}",
        "rebased",
        REBASED_FROM,
        _refuse_to_rebase,
        _can_be_rebased,
    ),
    _Step(
        "submit",
        "Submit for review",
        "submit_release",
        "submit {release}",
        "submitted",
        (State.DRAFT,),
        _refuse_unready,
    ),
    _Step(
        "approve",
        "Approve",
        "approve_release",
        "approve {release}",
        "approved",
        (State.IN_REVIEW,),
        _refuse_second_approval,
    ),
    _Step(
        "request_changes",
        "Ask for changes",
        "approve_release",
        "ask for changes of {release}",
        "sent back for changes",
        REVIEWED,
    ),
    _Step("reject", "Reject", "approve_release", "reject {release}", "rejected", (State.IN_REVIEW,)),
    _Step(
        "publish",
        "Publish to {channel}",
        "publish_release",
        "publish {release}",
        "published",
        (State.APPROVED,),
        _refuse_unpublishable,
    ),
    _Step(
        "reopen",
        "Take back to draft",
        "change_release",
        "take {release} back to draft",
        "taken back to draft",
        (State.IN_REVIEW, State.APPROVED, State.REJECTED),
    ),
    _Step("withdraw", "Withdraw", "change_release", "withdraw {release}", "withdrawn", _OPEN),
    _Step("revert", "Revert this release", "add_release", "revert {release}", "reverted", REVERTED_FROM),
)
