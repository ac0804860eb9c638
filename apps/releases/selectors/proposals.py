from django.contrib.auth.models import Group
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.releases.exceptions import UnknownProposal
from apps.releases.models import Channel, ChannelProposal

Field = ChannelProposal.Field


def open_proposals(channel: Channel | None = None) -> QuerySet[ChannelProposal]:
    """Return what waits for another administrator, oldest first: of one channel, or of all."""
    found = ChannelProposal.objects.select_related("channel", "proposed_by")
    found = found.filter(state=ChannelProposal.State.OPEN).order_by("pk")
    return found.filter(channel=channel) if channel else found


def proposals_for(user: User) -> QuerySet[ChannelProposal]:
    """Return the open proposals of others that `user`, who may change channels, can decide."""
    return open_proposals().exclude(proposed_by=user)


def proposal_numbered(number: int) -> ChannelProposal:
    """Return a proposal with its channel and people. Raises `UnknownProposal`."""
    found = ChannelProposal.objects.select_related("channel", "proposed_by", "decided_by")
    proposal = found.filter(pk=number).first()
    if proposal is None:
        raise UnknownProposal(
            f"There is no proposal {number}.", next_step="`scripts/manage channel proposals` lists them."
        )
    return proposal


def other_confirmers(user: User) -> QuerySet[User]:
    """Return who else than `user` may change channels, and so confirm what `user` proposes, by name."""
    backend = "django.contrib.auth.backends.ModelBackend"
    others = User.objects.with_perm("releases.change_channel", backend=backend)
    return others.exclude(pk=user.pk).order_by("username")


def stored(channel: Channel, field: str) -> str:
    """Return the value of a channel's column as a proposal keeps it."""
    value = getattr(channel, "approver_group_id" if field == Field.APPROVERS else field)
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)


def value_in_words(field: str, value: str) -> str:
    """Return a value that a proposal keeps as people read it: of a group its name."""
    if field != Field.APPROVERS:
        return value
    group = Group.objects.filter(pk=value).first() if value else None
    return group.name if group else "none: everybody whose role lets them"


def proposal_in_words(proposal: ChannelProposal) -> str:
    """Return what is proposed: "required approvals of production: 1, before: 2"."""
    after = value_in_words(proposal.field, proposal.after)
    before = value_in_words(proposal.field, proposal.before)
    return f"{proposal.get_field_display()} of {proposal.channel}: {after}, now: {before}"
