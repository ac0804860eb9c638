"""That a channel asks for less before something goes live is itself approved, by another administrator."""

from collections.abc import Mapping

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.releases.exceptions import ProposalDecided, ProposalOpen, SelfApproval, WrongApprovals
from apps.releases.models import Channel, ChannelProposal
from apps.releases.selectors.proposals import (
    open_proposals,
    other_confirmers,
    proposal_in_words,
    stored,
)

Field, State = ChannelProposal.Field, ChannelProposal.State
NOBODY_ELSE = "Nobody else could confirm it: {actor} is the only one who may change channels."

Value = bool | int | str


def settable(channel: Channel, wanted: Mapping[str, Value], actor: User) -> dict[str, Value]:
    """Return those of the wanted values that `actor` may set at once, in the caller's transaction.

    A value with which the channel asks for less becomes a proposal instead, which somebody else confirms.
    Where nobody else could, it is confirmed with a note that says so. A group is named by its name.
    Raises `ProposalOpen` where another value is proposed already.
    """
    return {
        name: value
        for name, value in wanted.items()
        if not _loosens(channel, name, value) or _is_alone_with(channel, name, value, actor)
    }


@transaction.atomic
def confirm(*, proposal: ChannelProposal, actor: User) -> ChannelProposal:
    """Let a channel ask for less, as somebody else has proposed.

    Raises `Forbidden`, `SelfApproval`, `ProposalDecided`, and `WrongApprovals` where a protected channel
    would be left without approvals.
    """
    proposal = _locked(proposal, actor, "confirm")
    if proposal.proposed_by_id == actor.pk:
        others = ", ".join(str(user) for user in other_confirmers(actor)[:5])
        raise SelfApproval(
            f"{actor} proposed that, and cannot confirm it.",
            next_step=f"Ask {others}." if others else "Decline it and set it again: nobody else can confirm.",
        )
    _refuse_stale(proposal)
    _decide(proposal, State.CONFIRMED, actor)
    column = "approver_group_id" if proposal.field == Field.APPROVERS else proposal.field
    Channel.objects.filter(pk=proposal.channel_id).update(**{column: _column_value(proposal)})
    proposal.refresh_from_db()
    _record(proposal, actor, "confirm", "Confirmed")
    return proposal


@transaction.atomic
def decline(*, proposal: ChannelProposal, actor: User) -> ChannelProposal:
    """Leave a channel as it is; who proposed otherwise takes that back with this as well.

    Raises `Forbidden`, `ProposalDecided`.
    """
    proposal = _locked(proposal, actor, "decline")
    _decide(proposal, State.DECLINED, actor)
    _record(proposal, actor, "decline", "Declined")
    return proposal


def is_proposed(channel: Channel, field: str) -> bool:
    """Say whether it waits for somebody that this field of a channel is loosened."""
    return open_proposals(channel).filter(field=field).exists()


def _loosens(channel: Channel, name: str, value: Value) -> bool:
    if name == Field.APPROVALS:
        return int(value) < channel.required_approvals
    if name == Field.PROTECTION:
        return channel.is_protected and not value
    return (
        name == Field.APPROVERS
        and channel.approver_group is not None
        and (channel.approver_group.name != value)
    )


def _is_alone_with(channel: Channel, field: str, value: Value, actor: User) -> bool:
    """Propose a value; say whether it is confirmed already, since nobody else could."""
    after = _as_stored(field, value)
    is_alone = not other_confirmers(actor).exists()
    if earlier := open_proposals(channel).filter(field=field).first():
        if earlier.after == after and not is_alone:
            return False
        _refuse_or_take_back(earlier, actor)
    decided = {"state": State.CONFIRMED, "decided_by": actor, "decided_at": timezone.now()}
    proposal = ChannelProposal.objects.create(
        channel=channel,
        field=field,
        before=stored(channel, field),
        after=after,
        proposed_by=actor,
        **(decided | {"note": NOBODY_ELSE.format(actor=actor)} if is_alone else {}),
    )
    _record(proposal, actor, "propose", "Proposed", note=proposal.note)
    return is_alone


def _refuse_or_take_back(earlier: ChannelProposal, actor: User) -> None:
    """Make room for another value: who proposed the first one takes it back; others decide it first."""
    if earlier.proposed_by_id != actor.pk and other_confirmers(actor).exists():
        raise ProposalOpen(
            f"{earlier.proposed_by} has proposed already: {proposal_in_words(earlier)}.",
            next_step=f"Confirm or decline that first: `scripts/manage channel decline {earlier.pk}`.",
        )
    _decide(earlier, State.DECLINED, actor)
    _record(earlier, actor, "decline", "Took back")


def _locked(proposal: ChannelProposal, actor: User, verb: str) -> ChannelProposal:
    require(actor, "releases.change_channel", to=f"{verb} what is proposed for {proposal.channel}")
    Channel.objects.select_for_update(no_key=True).get(pk=proposal.channel_id)
    proposal = ChannelProposal.objects.select_for_update(of=("self",), no_key=True).get(pk=proposal.pk)
    if proposal.state != State.OPEN:
        raise ProposalDecided(
            f"Proposal {proposal.pk} is {proposal.get_state_display()} already.",
            next_step=f"See `scripts/manage channel show {proposal.channel}`.",
        )
    return proposal


def _refuse_stale(proposal: ChannelProposal) -> None:
    channel = proposal.channel
    if stored(channel, proposal.field) != proposal.before:
        raise ProposalDecided(
            f"{channel} has changed since: {proposal_in_words(proposal)} no longer fits.",
            next_step="Decline it, and propose what is wanted now.",
        )
    if proposal.field == Field.APPROVALS and proposal.after == "0" and channel.is_protected:
        raise WrongApprovals(
            f"{channel} is protected, so nobody publishes on it alone.",
            next_step="Confirm first that its protection is taken away.",
        )


def _decide(proposal: ChannelProposal, state: ChannelProposal.State, actor: User) -> None:
    proposal.state, proposal.decided_by, proposal.decided_at = state, actor, timezone.now()
    proposal.save(update_fields=["state", "decided_by", "decided_at"])


def _as_stored(field: str, value: Value) -> str:
    if field == Field.APPROVERS:
        group = Group.objects.filter(name=value).first()
        return str(group.pk) if group else ""
    return ("on" if value else "off") if field == Field.PROTECTION else str(value)


def _column_value(proposal: ChannelProposal) -> int | bool | None:
    if proposal.field == Field.PROTECTION:
        return proposal.after == "on"
    return int(proposal.after) if proposal.after else None


def _record(proposal: ChannelProposal, actor: User, action: str, words: str, note: str = "") -> None:
    record(
        actor=actor,
        action=f"channel.{action}",
        target=f"channel {proposal.channel}",
        summary=f"{words}: {proposal_in_words(proposal)}.{f' {note}' if note else ''}",
        details={
            "proposal": proposal.pk,
            "field": proposal.field,
            "before": proposal.before,
            "after": proposal.after,
            **({"note": note} if note else {}),
        },
    )
