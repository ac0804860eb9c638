"""How things stand, in a sentence: a release, for the person who reads it, and what a channel keeps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format

from apps.accounts.models import User
from apps.accounts.permissions import who_may
from apps.releases.actions import Action
from apps.releases.channels.schedule_life import when
from apps.releases.models import Publication, Schedule
from apps.releases.review.brief import LABELS
from apps.releases.rolling_back.retention import KeptNames
from apps.releases.seen import Seen
from apps.releases.selectors import (
    missing_brief,
    publication_after,
    rejection_of,
)
from apps.releases.services.checking import failed_in_words
from apps.releases.services.overriding import why_no_override
from apps.releases.transitions import State
from apps.texts import listed

NUMBERS = ("no", "one", "two", "three")


@dataclass(frozen=True, slots=True)
class Headline:
    """A sentence; where it ends in a time, `since` is that time."""

    text: str
    since: datetime | None = None


def headline(seen: Seen, actions: dict[str, Action], reader: User) -> Headline:
    """Say where the release stands, and what `reader`, who has these `actions`, can do about it."""
    return _HEADLINES[State(seen.release.state)](seen, actions, reader)


def counted(number: int, noun: str) -> str:
    """Return "one approval", "12 files"."""
    words = NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"
    return f"{words} {noun}{'' if number == 1 else 's'}"


def kept_in_words(kept: KeptNames) -> str:
    """Say how many names of earlier publications a channel keeps, and until when."""
    names = counted(kept.count, "fingerprinted name")
    verb = "answers" if kept.count == 1 else "answer"
    return (
        f"{names[0].upper()}{names[1:]} of earlier publications still {verb}; "
        f"the oldest, of {kept.oldest.tag}, {_until(kept)}."
    )


def _until(kept: KeptNames) -> str:
    day = date_format(timezone.localtime(kept.not_before), "j F Y")
    if not kept.publications_left:
        return f"until {day}"
    have_come = f"{'has' if kept.publications_left == 1 else 'have'} come"
    more = f"until {counted(kept.publications_left, 'more publication')} {have_come}"
    return more if kept.not_before <= timezone.now() else f"until {day} at least, and {more}"


def _draft(seen: Seen, actions: dict[str, Action], reader: User) -> Headline:
    if missing := [LABELS[name].lower() for name in missing_brief(seen.release)]:
        verb = "is" if len(missing) == 1 else "are"
        return Headline(f"Draft: {listed(missing)} {verb} missing.")
    asked = seen.request_for_changes
    if asked:
        may = _may(actions["submit"], "releases.submit_release", reader, "submit it again")
        return Headline(f"Back in draft: {asked.actor or asked.actor_name} asked for changes{may}")
    may = _may(actions["submit"], "releases.submit_release", reader, "submit it for review")
    return Headline(f"Draft: the brief is complete{may}")


def _in_review(seen: Seen, actions: dict[str, Action], reader: User) -> Headline:
    if failed := [each for each in seen.checks if each.stands_in_the_way]:
        may = "" if why_no_override(seen.release, reader) else "; you may write down below why it goes on"
        return Headline(f"Cannot be approved. {failed_in_words(failed)}{may}.")
    given, needed = len(seen.approvals), seen.approvals_needed
    waiting = f"Waiting for {counted(needed, 'approval')}"
    if given:
        waiting += f", {NUMBERS[given] if given < len(NUMBERS) else given} given"
    one = "it" if needed == 1 else "one"
    return Headline(waiting + _may(actions["approve"], "releases.approve_release", reader, f"give {one}"))


def _approved(seen: Seen, actions: dict[str, Action], reader: User) -> Headline:
    names = listed([str(approval.approver) for approval in seen.approvals])
    approved = f"Approved by {names}" if names else "Approved: nobody has to be asked"
    if goes_live := seen.waiting(Schedule.Action.PUBLISH):
        approved += f", scheduled for {when(goes_live)}"
    publish_it = f"publish it to {seen.release.channel}"
    return Headline(approved + _may(actions["publish"], "releases.publish_release", reader, publish_it))


def _published(seen: Seen, actions: dict[str, Action], reader: User) -> Headline:
    since = seen.live.published_at if seen.live else None
    return Headline(f"Live on {seen.release.channel} since", since)


def _superseded(seen: Seen, actions: dict[str, Action], reader: User) -> Headline:
    release, after = seen.release, publication_after(seen.release)
    if after is None:
        return Headline(f"Was live on {release.channel}.")
    if after.kind == Publication.Kind.ROLLBACK:
        return Headline(f"{after.actor} rolled it back: {_quoted(after.reason)}.")
    return Headline(
        f"Was live on {release.channel} until release {after.release_id} took its place,", after.published_at
    )


def _rejected(seen: Seen, actions: dict[str, Action], reader: User) -> Headline:
    entry = rejection_of(seen.release)
    words = f"Rejected by {entry.actor or entry.actor_name}" if entry else "Rejected"
    reason = f": {_quoted(entry.details.get('reason', ''))}" if entry else ""
    may = _may(actions["reopen"], "releases.change_release", reader, "take it back to draft")
    return Headline(words + reason + may)


def _withdrawn(seen: Seen, actions: dict[str, Action], reader: User) -> Headline:
    return Headline("Withdrawn: it will not go live.")


def _may(action: Action, permission: str, reader: User, do_it: str) -> str:
    """Continue a sentence: whether `reader` may do it, or else who may, or what stands in the way."""
    if action.is_allowed:
        return f"; you may {do_it}."
    if reader.has_perm(permission):
        return f". {action.why_not}"
    return f"; {who_may(permission)} may {do_it}."


def _quoted(reason: str) -> str:
    return f"“{reason.rstrip('.')}”"


_HEADLINES: dict[State, Callable[[Seen, dict[str, Action], User], Headline]] = {
    State.DRAFT: _draft,
    State.IN_REVIEW: _in_review,
    State.APPROVED: _approved,
    State.PUBLISHED: _published,
    State.SUPERSEDED: _superseded,
    State.REJECTED: _rejected,
    State.WITHDRAWN: _withdrawn,
}
