from functools import partial

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.releases.channels.freezing import Freeze
from apps.releases.channels.schedule_life import settle_by
from apps.releases.channels.who_was_first import done_by, first_words
from apps.releases.exceptions import (
    AlreadyLive,
    ApprovalsMissing,
    BaseMoved,
    ReasonMissing,
    StaleDigest,
    UnknownPublication,
    WrongChannel,
    WrongState,
)
from apps.releases.files import manifest_file
from apps.releases.models import Channel, Manifest, Publication, Release
from apps.releases.rolling_back.wholeness import refuse_unless_whole
from apps.releases.seen import Seen
from apps.releases.selectors import (
    approvals_needed,
    approvals_of,
    live_publication,
    next_tag,
    publication_before,
)
from apps.releases.services.checking import refuse_failed_checks
from apps.releases.services.freezes import note_override, refuse_if_frozen
from apps.releases.services.holding import hold_after, refuse_if_held
from apps.releases.services.pointers import follow_with_pointer
from apps.releases.services.preview_pointers import end_with
from apps.releases.services.receipts import open_receipt
from apps.releases.services.sealing import seal
from apps.releases.transitions import NEXT_STEPS, State, move

_NAMED_CONFLICTS = 20


@transaction.atomic
def publish(
    *, release: Release, actor: User, digest: str | None = None, override_freeze: str = ""
) -> Publication:
    """Make an approved release what its channel serves; return the publication.

    With `digest` (hex), the one that was looked at, only if the release still has it. `override_freeze` is
    the reason why it goes live although its channel is frozen, and is kept beside it. Once the
    transaction is committed the channel's pointer is written to storage, from which every delivery
    process follows. Raises `Forbidden`, `WrongState`, `StaleDigest`, `ChannelHeld`, `ChannelFrozen`,
    `ApprovalsMissing`, `ChecksFailed`, `BaseMoved`, `ManifestMissing`.
    """
    require(actor, "releases.publish_release", to=f"publish release {release.pk}")
    channel = Channel.objects.select_for_update(no_key=True).get(pk=release.channel_id)
    release = Release.objects.select_for_update(no_key=True).get(pk=release.pk)
    if release.state != State.APPROVED or release.manifest is None:
        now = State(release.state)
        raise WrongState(
            f"Release {release.pk} is {now.label} and cannot be published.{first_words(release)}",
            next_step=NEXT_STEPS[now],
        )
    if digest not in (None, release.manifest_id):
        raise StaleDigest(
            f"Release {release.pk} no longer has the digest {str(digest)[:12]}.",
            next_step="Look at what it holds now.",
        )
    refuse_if_held(channel)
    freeze = refuse_if_frozen(channel, actor=actor, reason=override_freeze)
    _refuse_missing_approvals(release, channel)
    refuse_failed_checks(release, step="published")
    refuse_if_base_moved(release)
    reason = override_freeze if freeze else ""
    publication = go_live(release, channel, actor=actor, reason=reason, freeze=freeze)
    record(
        actor=actor,
        action="release.publish",
        target=f"release {release.pk}",
        summary=f"Published release {release.pk} on {channel} as {publication.tag}.",
        details=as_details(publication),
    )
    return publication


def go_live(
    release: Release, channel: Channel, *, actor: User, reason: str = "", freeze: Freeze | None = None
) -> Publication:
    """Append the publication of a release that may go live, both being locked; return it.

    Whether it may, also in a `freeze`, is for the caller to say, and to write into the log. Raises
    `ManifestMissing`.
    """
    if release.manifest is None:
        raise WrongState(f"Release {release.pk} is not built.", next_step=NEXT_STEPS[State.DRAFT])
    manifest_file(release.manifest)
    live = live_publication(channel)
    publication = _append(
        channel,
        live,
        release=release,
        manifest=release.manifest,
        actor=actor,
        reason=reason.strip(),
        freeze=freeze,
    )
    move(release, State.PUBLISHED, step="published")
    end_with(release)
    if live:
        move(live.release, State.SUPERSEDED, step="superseded")
    settle_by(publication)
    return publication


def roll_back(
    *, channel: Channel, reason: str, actor: User, to: int | None = None, is_planned: bool = False
) -> Publication:
    """Make `channel` serve again what an earlier publication served: files and cache rules.

    `to` is that publication's number; without it, what was served before the live release ever was.
    The channel is on hold from then on, until somebody lets it go on (`services.holding`), unless this
    was planned, and nothing is wrong: an end that was scheduled, a rehearsal. Storage is looked at before
    the channel is locked. Raises `Forbidden`, `ReasonMissing`, `UnknownPublication`, `AlreadyLive`, and where
    storage lacks any of it `ManifestMissing` or `BlobsMissing`.
    """
    require(actor, "releases.roll_back_channel", to=f"roll {channel} back")
    if not reason.strip():
        raise ReasonMissing(
            f"{channel} is not rolled back without a reason.",
            next_step="Say in a few words what is wrong; whoever looks at it tomorrow will read it.",
        )
    live = live_publication(channel)
    goal = _goal(channel, live, to)
    refuse_unless_whole(goal.manifest, instead_of=live.manifest if live else None)
    return _switch_back(channel, reason=reason, actor=actor, to=to, is_planned=is_planned, seen=(live, goal))


@transaction.atomic
def _switch_back(
    channel: Channel,
    *,
    reason: str,
    actor: User,
    to: int | None,
    is_planned: bool,
    seen: tuple[Publication | None, Publication],
) -> Publication:
    """Roll a channel back under its lock; what was `seen` to be whole is not looked at anew."""
    channel = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    live = live_publication(channel)
    goal = _goal(channel, live, to)
    if _files_of(live, goal) != _files_of(*seen):
        refuse_unless_whole(goal.manifest, instead_of=live.manifest if live else None)
    manifest_file(goal.manifest)
    publication = _append(
        channel,
        live,
        release=goal.release,
        manifest=goal.manifest,
        actor=actor,
        returns_to=goal,
        reason=reason.strip(),
    )
    if live and live.release_id != goal.release_id:
        move(live.release, State.SUPERSEDED, step="rolled back")
        move(goal.release, State.PUBLISHED, step="served again")
    record(
        actor=actor,
        action="channel.roll_back",
        target=f"channel {channel}",
        summary=f"Rolled {channel} back to {goal.tag} (release {goal.release_id}): {reason.strip()}",
        details=as_details(publication) | {"returns_to": goal.sequence, "reason": reason.strip()},
    )
    if not is_planned:
        hold_after(publication)
    return publication


def refuse_other_channel(release: Release, channel: Channel) -> None:
    """Raise `WrongChannel` unless `release` was made for `channel`."""
    if release.channel_id != channel.pk:
        raise WrongChannel(
            f"Release {release.pk} was made for {release.channel}, not for {channel}.",
            next_step=f"Publish it on {release.channel}, or import its source for {channel}.",
        )


def refuse_if_base_moved(release: Release, seen: Seen | None = None) -> None:
    """Raise `BaseMoved`, naming the paths in conflict, where the channel serves another base by now.

    A page has `seen` the release already; a service, which decides, looks at it anew.
    """
    seen = seen or Seen(release)
    live = seen.live
    if not seen.is_behind:
        return
    conflicts = [conflict.in_words for conflict in seen.standing.conflicts]
    named = ", ".join(conflicts[:_NAMED_CONFLICTS])
    more = f" and {len(conflicts) - _NAMED_CONFLICTS} more" if len(conflicts) > _NAMED_CONFLICTS else ""
    both = f"Changed in both: {named}{more}." if conflicts else "No path was changed in both."
    now = f"release {live.release_id} by now ({done_by(live)})" if live else "nothing by now"
    raise BaseMoved(
        f"{release.channel} serves {now}, and release {release.pk} was begun on "
        f"{f'release {release.base_id}' if release.base_id else 'an empty channel'}. {both}",
        next_step="Promote it again: that asks what would change now."
        if seen.is_promoted
        else f"Rebase it: on its page, or with `scripts/manage release rebase {release.pk}`.",
    )


def _refuse_missing_approvals(release: Release, channel: Channel) -> None:
    given, needed = approvals_of(release), approvals_needed(channel)
    if given < needed:
        raise ApprovalsMissing(
            f"{channel} asks for {needed} approvals by now, and release {release.pk} has {given}.",
            next_step="Take it back to draft and submit it again; approvals of the same digest still count.",
        )


def _goal(channel: Channel, live: Publication | None, to: int | None) -> Publication:
    goal = _numbered(channel, to) if to is not None else live and publication_before(live)
    if goal is None or live is None:
        known = f"{channel} has publications 1 to {live.sequence}" if live else f"{channel} has none yet"
        raise UnknownPublication(
            f"There is nothing to roll {channel} back to."
            if to is None
            else f"{channel} has no publication {to}.",
            next_step=f"{known}; name one with --to, or choose it in the channel's history.",
        )
    if goal.manifest_id == live.manifest_id:
        raise AlreadyLive(
            f"{channel} serves exactly what publication {goal.sequence} served ({done_by(live)}).",
            next_step="Choose another one from its history.",
        )
    return goal


def _files_of(live: Publication | None, goal: Publication) -> tuple[str, str]:
    """Return the manifest files in storage that a roll back was looked at with."""
    return live.manifest.file_name if live else "", goal.manifest.file_name


def _numbered(channel: Channel, sequence: int) -> Publication | None:
    return channel.publications.select_related("release", "manifest").filter(sequence=sequence).first()


def _append(
    channel: Channel,
    live: Publication | None,
    *,
    release: Release,
    manifest: Manifest,
    actor: User,
    returns_to: Publication | None = None,
    reason: str = "",
    freeze: Freeze | None = None,
) -> Publication:
    now = timezone.now()
    publication = Publication.objects.create(
        channel=channel,
        sequence=live.sequence + 1 if live else 1,
        release=release,
        manifest=manifest,
        kind=Publication.Kind.ROLLBACK if returns_to else Publication.Kind.PUBLISH,
        returns_to=returns_to,
        actor=actor,
        reason=reason,
        tag=next_tag(channel, now),
        published_at=now,
    )
    note_override(publication, freeze, reason=reason)  # first: its seal says so
    seal(publication)
    open_receipt(publication)
    transaction.on_commit(partial(follow_with_pointer, channel), robust=True)
    return publication


def as_details(publication: Publication) -> dict[str, object]:
    """Return what the log keeps of a publication."""
    return {
        "channel": publication.channel.name,
        "publication": publication.sequence,
        "release": publication.release_id,
        "digest": publication.manifest_id,
        "tag": publication.tag,
    }
