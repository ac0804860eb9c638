from apps.refusals import Refusal


class ReleaseRefusal(Refusal):
    code = "release_refused"


class UnknownRelease(ReleaseRefusal):
    code = "unknown_release"


class UnknownChannel(ReleaseRefusal):
    code = "unknown_channel"


class UnknownPublication(ReleaseRefusal):
    code = "unknown_publication"


class ReleaseClosed(ReleaseRefusal):
    """Only a draft can be changed."""

    code = "release_closed"


class WrongState(ReleaseRefusal):
    """The release is in a state from which this step does not lead on."""

    code = "wrong_state"


class NothingChanges(ReleaseRefusal):
    code = "nothing_changes"


class InvalidPath(ReleaseRefusal):
    code = "invalid_path"


class UnknownField(ReleaseRefusal):
    code = "unknown_field"


class BriefIncomplete(ReleaseRefusal):
    code = "brief_incomplete"


class SelfApproval(ReleaseRefusal):
    code = "self_approval"


class NotAnApprover(ReleaseRefusal):
    """The channel names a group of approvers, and the person is not in it."""

    code = "not_an_approver"


class UnknownComment(ReleaseRefusal):
    code = "unknown_comment"


class UnknownChange(ReleaseRefusal):
    """The release does not change what was named."""

    code = "unknown_change"


class CommentMissing(ReleaseRefusal):
    """A comment says nothing, or more than anybody reads."""

    code = "comment_missing"


class AlreadyApproved(ReleaseRefusal):
    code = "already_approved"


class ChecksFailed(ReleaseRefusal):
    """A check of this digest has failed, and nobody has written down why it may go on."""

    code = "checks_failed"


class UnknownCheck(ReleaseRefusal):
    code = "unknown_check"


class NothingToOverride(ReleaseRefusal):
    """The check does not stand in the way."""

    code = "nothing_to_override"


class StaleDigest(ReleaseRefusal):
    """The digest named is not the one that is in review."""

    code = "stale_digest"


class ReasonMissing(ReleaseRefusal):
    code = "reason_missing"


class BaseMoved(ReleaseRefusal):
    """The channel serves something else than what the release was begun on."""

    code = "base_moved"


class PromotedContent(ReleaseRefusal):
    """A promoted release is exactly what another channel served."""

    code = "promoted_content"


class NothingToRebase(ReleaseRefusal):
    code = "nothing_to_rebase"


class ConflictsOpen(ReleaseRefusal):
    """Somebody has to decide about `names` first."""

    code = "conflicts_open"

    def __init__(self, message: str, *, next_step: str, names: tuple[str, ...]) -> None:
        super().__init__(message, next_step=next_step)
        self.names = names


class UnknownConflict(ReleaseRefusal):
    code = "unknown_conflict"


class WrongResolution(ReleaseRefusal):
    """The conflict cannot be resolved in that way: left-over markers, a picture that is no text."""

    code = "wrong_resolution"


class NothingToRevert(ReleaseRefusal):
    code = "nothing_to_revert"


class NothingToPromote(ReleaseRefusal):
    code = "nothing_to_promote"


class BuiltDifferently(ReleaseRefusal):
    """The channels build releases in different manners, so that no digest of one can be one of the other."""

    code = "built_differently"


class CannotCombine(ReleaseRefusal):
    code = "cannot_combine"


class CannotSplit(ReleaseRefusal):
    code = "cannot_split"


class ApprovalsMissing(ReleaseRefusal):
    """The channel asks for more approvals by now than the release was approved with."""

    code = "approvals_missing"


class AlreadyLive(ReleaseRefusal):
    code = "already_live"


class ManifestMissing(ReleaseRefusal):
    """Storage lacks a manifest's file, or holds another one under its name."""

    code = "manifest_missing"


class ReceiptIncomplete(ReleaseRefusal):
    """What was asked of a receipt is not in it: not yet, or storage has lost it."""

    code = "receipt_incomplete"


class BlobsMissing(ReleaseRefusal):
    """Storage lacks contents that would come back."""

    code = "blobs_missing"


class NothingToReturnTo(ReleaseRefusal):
    """A rehearsal on a channel that serves nothing would have no way back."""

    code = "nothing_to_return_to"


class NowhereToFetch(ReleaseRefusal):
    """A rehearsal is verified by what visitors get, and its channel has no host for any."""

    code = "nowhere_to_fetch"


class DrillRuns(ReleaseRefusal):
    """One release is rehearsed at a time on a channel."""

    code = "drill_runs"


class WrongApprovals(ReleaseRefusal):
    code = "wrong_approvals"


class WrongChannel(ReleaseRefusal):
    code = "wrong_channel"


class UnknownProposal(ReleaseRefusal):
    code = "unknown_proposal"


class ProposalOpen(ReleaseRefusal):
    """Somebody has proposed something else already, which is not decided yet."""

    code = "proposal_open"


class ProposalDecided(ReleaseRefusal):
    """What was proposed is decided already, or no longer fits."""

    code = "proposal_decided"


class WrongOption(ReleaseRefusal):
    """`option` of a channel cannot have that value: a page that is no path, a number out of range."""

    code = "wrong_option"

    def __init__(self, option: str, message: str, *, next_step: str) -> None:
        super().__init__(message, next_step=next_step)
        self.option = option


class InvalidRedirect(ReleaseRefusal):
    """`field` (source, target or status) of a redirect cannot be as it was typed."""

    code = "invalid_redirect"

    def __init__(self, field: str, message: str, *, next_step: str) -> None:
        super().__init__(message, next_step=next_step)
        self.field = field


class UnknownRedirect(ReleaseRefusal):
    code = "unknown_redirect"


class RedirectLoop(ReleaseRefusal):
    """A request would be led from redirect to redirect without end."""

    code = "redirect_loop"


class TooManyRedirects(ReleaseRefusal):
    code = "too_many_redirects"


class WrongSchedule(ReleaseRefusal):
    """That moment cannot be chosen: it has passed, or an end comes before its beginning."""

    code = "wrong_schedule"


class NotScheduled(ReleaseRefusal):
    code = "not_scheduled"


class KeyIsSet(ReleaseRefusal):
    """The signing key comes from the environment: the program cannot replace it."""

    code = "key_is_set"


class KeyInUse(ReleaseRefusal):
    code = "key_in_use"


class UnknownKey(ReleaseRefusal):
    code = "unknown_key"


class UnknownComparable(ReleaseRefusal):
    """What was typed names no release, channel or publication."""

    code = "unknown_comparable"


class DraftTooLarge(ReleaseRefusal):
    """A draft of very many changes is compared once it was built."""

    code = "draft_too_large"


class ChannelHeld(ReleaseRefusal):
    """Nothing is published on the channel until somebody lifts what holds it."""

    code = "channel_held"


class NotHeld(ReleaseRefusal):
    code = "not_held"


class SamePerson(ReleaseRefusal):
    """It takes two people, and this one has been the first."""

    code = "same_person"


class WrongOrder(ReleaseRefusal):
    """Of two tags the later one was named first."""

    code = "wrong_order"


class PreviewOver(ReleaseRefusal):
    """A preview has expired, was revoked, or has ended with its release."""

    code = "preview_over"


class TooManyPreviews(ReleaseRefusal):
    code = "too_many_previews"


class WrongExpiry(ReleaseRefusal):
    code = "wrong_expiry"


class ExportRefused(ReleaseRefusal):
    code = "export_refused"


class WrongWindow(ReleaseRefusal):
    """A freeze window cannot be that, or is there already."""

    code = "wrong_window"


class UnknownWindow(ReleaseRefusal):
    code = "unknown_window"


class ChannelFrozen(ReleaseRefusal):
    """Nothing is published on the channel in its freeze windows, unless somebody says why."""

    code = "channel_frozen"


class WrongHost(ReleaseRefusal):
    """That is no host name that a channel can have."""

    code = "wrong_host"


class HostTaken(ReleaseRefusal):
    """Another channel has the host, or the environment has given it to one."""

    code = "host_taken"


class AsksForLess(ReleaseRefusal):
    """A host would go on to a channel that asks for less before something goes live."""

    code = "asks_for_less"


class UnknownHost(ReleaseRefusal):
    code = "unknown_host"


class WrongName(ReleaseRefusal):
    """A channel cannot be called that, or another one is."""

    code = "wrong_name"


class ChannelKept(ReleaseRefusal):
    """The channel has a history, or is protected, and is not removed."""

    code = "channel_kept"


class NoEmergency(ReleaseRefusal):
    """Nobody has asked for an emergency publish, or it has expired."""

    code = "no_emergency"


class AlreadyAsked(ReleaseRefusal):
    code = "already_asked"


class WrongAddress(ReleaseRefusal):
    """What was asked about is no address that a channel could answer."""

    code = "wrong_address"


class WrongQuestion(ReleaseRefusal):
    """A trace is asked for things that do not go together, or with headers that are none."""

    code = "wrong_question"


class CannotLookAgain(ReleaseRefusal):
    """There is nothing to see through the caches in front that a receipt could tell."""

    code = "cannot_look_again"


class CannotPurge(ReleaseRefusal):
    code = "cannot_purge"
