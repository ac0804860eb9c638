"""What is proposed for a channel: shown with who may decide it, and decided on its page."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.accounts.staff_pages import actor_of
from apps.refusals import Refusal
from apps.releases.models import Channel, ChannelProposal
from apps.releases.selectors.proposals import (
    open_proposals,
    other_confirmers,
    proposal_in_words,
    proposal_numbered,
)
from apps.releases.services import proposals


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal, and why the reader cannot confirm or decline it: empty where they can."""

    proposal: ChannelProposal
    words: str
    why_no_confirm: str
    why_no_decline: str


def proposal_rows(channel: Channel, reader: User) -> list[ProposalRow]:
    """Return what waits for another administrator, as it is for `reader`."""
    found = list(open_proposals(channel))
    forbidden = _why_forbidden(channel, reader) if found else ""
    return [
        ProposalRow(
            proposal,
            proposal_in_words(proposal),
            why_no_confirm=forbidden or _why_own(proposal, reader),
            why_no_decline=forbidden,
        )
        for proposal in found
    ]


def decide(request: HttpRequest, channel: Channel) -> None:
    """Confirm or decline what the page named, with a message. Raises what the service raises."""
    number = request.POST.get("proposal", "")
    proposal = proposal_numbered(int(number) if number.isdecimal() and len(number) < 19 else 0)
    if request.POST.get("decision") == "confirm":
        done = proposals.confirm(proposal=proposal, actor=actor_of(request))
        messages.success(request, f"Confirmed: {proposal_in_words(done)}. Set it back below.")
    else:
        done = proposals.decline(proposal=proposal, actor=actor_of(request))
        messages.success(request, f"Declined. {channel} stays as it is; it can be proposed again below.")


def proposed_in_words(channel: Channel, actor: User) -> str:
    """Say what `actor` has proposed for a channel and who can confirm it; empty where nothing waits."""
    mine = [proposal_in_words(each) for each in open_proposals(channel).filter(proposed_by=actor)]
    if not mine:
        return ""
    others = " or ".join(str(user) for user in other_confirmers(actor)[:5])
    return f"Proposed, until {others} confirms it: {'; '.join(mine)}."


def _why_forbidden(channel: Channel, reader: User) -> str:
    try:
        require(reader, "releases.change_channel", to=f"decide what is proposed for {channel}")
    except Refusal as refusal:
        return str(refusal)
    return ""


def _why_own(proposal: ChannelProposal, reader: User) -> str:
    if proposal.proposed_by_id != reader.pk:
        return ""
    others = ", ".join(str(user) for user in other_confirmers(reader)[:5])
    return f"You proposed it. {others or 'Nobody else'} can confirm it."
