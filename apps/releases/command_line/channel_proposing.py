from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from apps.releases.channels.reports import proposal_report
from apps.releases.command_line.channel_subcommands import ChannelSubcommands
from apps.releases.models import ChannelProposal
from apps.releases.selectors import channel_named
from apps.releases.selectors.proposals import open_proposals, proposal_in_words, proposal_numbered
from apps.releases.services import proposals


class ProposingSubcommands(ChannelSubcommands):
    """Decide that a channel asks for less, as somebody else has proposed."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        listing = add("proposals", self.proposals, help="show what waits for another administrator")
        listing.add_argument("name", nargs="?", help="only of this channel")
        confirm = add("confirm", self.confirm, help="let a channel ask for less, as somebody else proposed")
        decline = add("decline", self.decline, help="leave a channel as it is")
        for parser in (confirm, decline):
            parser.add_argument("proposal", type=int, metavar="PROPOSAL")
        super().add_subcommands(add)

    def proposals(self, *, name: str | None, **options: Any) -> object:
        found = list(open_proposals(channel_named(name) if name else None))
        for proposal in found:
            self.say(f"{proposal.pk:>5}  {proposal_in_words(proposal)} ({proposal.proposed_by})")
        if not found:
            self.say("Nothing is proposed.")
        return [proposal_report(proposal) for proposal in found]

    def confirm(self, *, proposal: int, **options: Any) -> object:
        done = proposals.confirm(proposal=proposal_numbered(proposal), actor=self.actor(options))
        return self._say(done, "Done")

    def decline(self, *, proposal: int, **options: Any) -> object:
        done = proposals.decline(proposal=proposal_numbered(proposal), actor=self.actor(options))
        return self._say(done, "Declined")

    def _say(self, proposal: ChannelProposal, words: str) -> object:
        self.say(f"{words}: {proposal_in_words(proposal)}")
        return proposal_report(proposal)
