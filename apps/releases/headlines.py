"""The first line of a release's page: its state in words, for the person who reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from apps.accounts.permissions import who_may
from apps.releases.actions import Action
from apps.releases.models import Publication, Release
from apps.releases.selectors import (
    approvals_needed,
    approvals_that_hold,
    live_publication,
    missing_brief,
    publication_after,
    rejection_of,
)
from apps.releases.transitions import State

NUMBERS = ("no", "one", "two", "three")


@dataclass(frozen=True, slots=True)
class Headline:
    """A sentence; where it ends in a time, `since` is that time."""

    text: str
    since: datetime | None = None


def headline(release: Release, actions: dict[str, Action]) -> Headline:
    """Say where the release stands, and what the reader of `actions` can do about it."""
    return _HEADLINES[State(release.state)](release, actions)


def counted(number: int, noun: str) -> str:
    """Return "one approval", "12 files"."""
    words = NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"
    return f"{words} {noun}{'' if number == 1 else 's'}"


def _draft(release: Release, actions: dict[str, Action]) -> Headline:
    if missing := [name.replace("_", " ") for name in missing_brief(release)]:
        verb = "is" if len(missing) == 1 else "are"
        return Headline(f"Draft: {_listed(missing)} {verb} missing.")
    submit = actions["submit"]
    if submit.is_allowed:
        return Headline("Draft: the brief is complete; you may submit it for review.")
    return Headline(f"Draft, cannot be submitted. {submit.why_not}")


def _in_review(release: Release, actions: dict[str, Action]) -> Headline:
    given, needed = len(approvals_that_hold(release)), approvals_needed(release.channel)
    waiting = f"Waiting for {counted(needed, 'approval')}"
    if given:
        waiting += f", {NUMBERS[given] if given < len(NUMBERS) else given} given"
    approve = actions["approve"]
    if approve.is_allowed:
        return Headline(f"{waiting}; you may give {'it' if needed == 1 else 'one'}.")
    return Headline(f"{waiting}. {approve.why_not}")


def _approved(release: Release, actions: dict[str, Action]) -> Headline:
    names = _listed([str(approval.approver) for approval in approvals_that_hold(release)])
    approved = f"Approved by {names}" if names else "Approved: nobody has to be asked"
    publish = actions["publish"]
    if publish.is_allowed:
        return Headline(f"{approved}; you may publish it to {release.channel}.")
    return Headline(f"{approved}. {publish.why_not}")


def _published(release: Release, actions: dict[str, Action]) -> Headline:
    live = live_publication(release.channel)
    return Headline(f"Live on {release.channel}, since", live.published_at if live else None)


def _superseded(release: Release, actions: dict[str, Action]) -> Headline:
    after = publication_after(release)
    if after is None:
        return Headline(f"Was live on {release.channel}.")
    if after.kind == Publication.Kind.ROLLBACK:
        return Headline(f"{after.actor} rolled it back: “{after.reason}”.")
    return Headline(
        f"Was live on {release.channel} until release {after.release_id} took its place,", after.published_at
    )


def _rejected(release: Release, actions: dict[str, Action]) -> Headline:
    entry = rejection_of(release)
    words = (
        f"Rejected by {entry.actor or entry.actor_name}: “{entry.details.get('reason', '')}”."
        if entry
        else "Rejected."
    )
    return Headline(f"{words} {_who_takes_it_back(actions)}")


def _withdrawn(release: Release, actions: dict[str, Action]) -> Headline:
    return Headline("Withdrawn: it will not go live.")


def _who_takes_it_back(actions: dict[str, Action]) -> str:
    if actions["reopen"].is_allowed:
        return "You may take it back to draft."
    return f"It can be taken back to draft by {who_may('releases.change_release')}."


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


_HEADLINES: dict[State, Callable[[Release, dict[str, Action]], Headline]] = {
    State.DRAFT: _draft,
    State.IN_REVIEW: _in_review,
    State.APPROVED: _approved,
    State.PUBLISHED: _published,
    State.SUPERSEDED: _superseded,
    State.REJECTED: _rejected,
    State.WITHDRAWN: _withdrawn,
}
