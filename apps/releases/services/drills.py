"""Drills: a release goes live on a channel for rehearsals and is rolled back there, before it is published.

The rehearsal is what it rehearses: a publication and a roll back by the same services, with rows in that
channel's history, receipts, and the same digest. It is begun in one transaction. What follows is driven by
the background worker from what is in the database, so a rehearsal that was interrupted is finished by the
next start, and the channel always comes back to what it served.
"""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.refusals import Refusal
from apps.releases.channels.probing import host_of
from apps.releases.exceptions import (
    AlreadyLive,
    ApprovalsMissing,
    DrillRuns,
    NothingToReturnTo,
    NowhereToFetch,
    WrongChannel,
    WrongState,
)
from apps.releases.models import Channel, Drill, Publication, Receipt, Release
from apps.releases.rolling_back.wholeness import refuse_unless_whole
from apps.releases.selectors import live_publication
from apps.releases.selectors.drills import open_drills
from apps.releases.services import publishing
from apps.releases.services.pins import pin_as
from apps.releases.transitions import NEXT_STEPS, State, move

logger = logging.getLogger(__name__)

REHEARSED_ON = "staging"
AT_MOST = timedelta(minutes=5)  # then it is taken back, whatever is not seen yet
_BRIEF = ("route", "expected_input", "failing_command", "noticed_at")
_STATES = (State.IN_REVIEW, State.APPROVED)


def start_drill(*, release: Release, channel: Channel, actor: User) -> Drill:
    """Let `channel` serve what `release` would, to be rolled back in a moment; return the rehearsal.

    Raises `Forbidden`, `WrongState`, `WrongChannel`, `NothingToReturnTo`, `AlreadyLive`, `DrillRuns`,
    `ApprovalsMissing`, `ManifestMissing`, `BlobsMissing`, and what `publish` raises.
    """
    refuse_drill(release=release, channel=channel, actor=actor)
    earlier = live_publication(channel)
    assert earlier  # noqa: S101 - refuse_drill has seen to it
    refuse_unless_whole(earlier.manifest, instead_of=release.manifest)
    return _start(release, channel, actor, seen=(earlier.manifest.file_name, release.manifest_id))


@transaction.atomic
def _start(release: Release, channel: Channel, actor: User, *, seen: tuple[str, str | None]) -> Drill:
    """Begin a rehearsal under the locks; what was `seen` to be whole is not looked at anew."""
    channel = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    release = Release.objects.select_for_update(no_key=True).get(pk=release.pk)
    refuse_drill(release=release, channel=channel, actor=actor)
    earlier = live_publication(channel)
    manifest = release.manifest
    assert earlier  # noqa: S101 - refuse_drill has seen to both
    assert manifest  # noqa: S101
    if (earlier.manifest.file_name, manifest.digest) != seen:
        refuse_unless_whole(earlier.manifest, instead_of=manifest)
    copy = _rehearsal_of(release, earlier, actor)
    drill = Drill.objects.create(
        release=release,
        manifest=manifest,
        channel=channel,
        actor=actor,
        earlier=earlier,
        published=publishing.publish(release=copy, digest=manifest.digest, actor=actor),
        started_at=timezone.now(),
    )
    record(
        actor=actor,
        action="release.drill",
        target=f"release {release.pk}",
        summary=f"Began to rehearse the roll back of release {release.pk} on {channel}.",
        details={
            "digest": manifest.digest,
            "channel": channel.name,
            "returns_to": earlier.tag,
            "rehearsal": copy.pk,
        },
    )
    return drill


def refuse_drill(*, release: Release, channel: Channel, actor: User) -> None:
    """Raise what stands in the way of a rehearsal, as far as it can be seen without a lock."""
    require(actor, "releases.publish_release", to=f"rehearse release {release.pk}")
    require(actor, "releases.roll_back_channel", to=f"rehearse release {release.pk}")
    if release.state not in _STATES or release.manifest_id is None:
        now = State(release.state)
        raise WrongState(
            f"Release {release.pk} is {now.label} and cannot be rehearsed.", next_step=NEXT_STEPS[now]
        )
    if channel.pk == release.channel_id:
        raise WrongChannel(
            f"A rehearsal of release {release.pk} on {channel} would be its publication.",
            next_step="Choose another channel with --on; staging is the usual one.",
        )
    _refuse_channel(release, channel)


def _refuse_channel(release: Release, channel: Channel) -> None:
    live = live_publication(channel)
    if live is None:
        raise NothingToReturnTo(
            f"{channel} serves nothing yet, so nothing could be returned to.",
            next_step=f"Publish what is live elsewhere on {channel} first.",
        )
    if Drill.objects.filter(channel=channel, finished_at=None).exists():
        raise DrillRuns(
            f"Another release is being rehearsed on {channel}.", next_step="Wait until that is finished."
        )
    if live.manifest_id == release.manifest_id:
        raise AlreadyLive(
            f"{channel} serves exactly what release {release.pk} would, so there is no step to rehearse.",
            next_step=f"Roll {channel} back to something else first, or rehearse on another channel.",
        )
    if host_of(channel) is None:
        raise NowhereToFetch(
            f"{channel} has no host, so nothing of a rehearsal could be fetched.",
            next_step=f"`scripts/manage channel host {channel} {channel}.localhost` gives it one.",
        )
    if channel.required_approvals:
        raise ApprovalsMissing(
            f"{channel} asks for approvals, which nobody gives to a rehearsal.",
            next_step="Rehearse on a channel that asks for none; staging is made without.",
        )


def continue_drills() -> list[str]:
    """Bring each rehearsal one step further, as far as its receipts have come; return a line for each."""
    lines = []
    for drill in open_drills():
        try:
            lines.append(_continue(drill))
        except Exception:  # one that fails for a reason nobody foresaw does not hold up the others
            logger.exception("The %s could not go on; it is tried again.", drill)
    return list(filter(None, lines))


def _continue(drill: Drill) -> str:
    if drill.rolled_back is None:
        return _take_back(drill) if _is_seen(drill.published) else ""
    return _conclude(drill, drill.rolled_back) if _is_seen(drill.rolled_back) else ""


def _is_seen(publication: Publication) -> bool:
    """Say whether a publication's receipt is finished, or has been waited for long enough."""
    receipt: Receipt = publication.receipt
    return bool(receipt.finished_at) or timezone.now() - publication.published_at > AT_MOST


def _take_back(drill: Drill) -> str:
    """Roll the channel back to what it served, unless somebody has made it serve something else since."""
    live = live_publication(drill.channel)
    if live != drill.published:
        return _finish(drill, f"{live} took its place on {drill.channel}, which was left with that")
    reason = f"Rehearsed the roll back of release {drill.release_id}."
    try:
        with transaction.atomic():
            done = publishing.roll_back(
                channel=drill.channel,
                to=drill.earlier.sequence,
                reason=reason,
                actor=drill.actor,
                is_planned=True,
            )
            Drill.objects.filter(pk=drill.pk, rolled_back=None).update(rolled_back=done)
    except Refusal as refusal:
        by_hand = f"roll {drill.channel} back to {drill.earlier} by hand"
        return _finish(drill, f"{drill.channel} could not be rolled back: {refusal} Then {by_hand}")
    return f"The {drill} is rolled back to {drill.earlier}."


def _conclude(drill: Drill, rolled_back: Publication) -> str:
    faults = [
        f"{publication} was not verified: {_fault_of(publication)}"
        for publication in (drill.published, rolled_back)
        if publication.receipt.verdict != Receipt.Verdict.VERIFIED
    ]
    if rolled_back.manifest_id != drill.earlier.manifest_id:
        faults.append(f"{rolled_back} has not the digest of {drill.earlier}")
    return _finish(drill, "; ".join(faults), rolled_back=rolled_back)


def _fault_of(publication: Publication) -> str:
    return publication.receipt.words or f"nothing was seen within {AT_MOST.total_seconds():.0f} s"


@transaction.atomic
def _finish(drill: Drill, fault: str, *, rolled_back: Publication | None = None) -> str:
    """Close a rehearsal, if nobody else has, and enter it in the log."""
    outcome = Drill.Outcome.FAILED if fault else Drill.Outcome.PASSED
    closed = Drill.objects.filter(pk=drill.pk, finished_at=None).update(
        outcome=outcome, words=fault, finished_at=timezone.now()
    )
    if not closed:
        return ""
    said = f"Rehearsing the roll back of release {drill.release_id} on {drill.channel} {outcome.label}"
    record(
        actor=drill.actor,
        action="release.drill_end",
        target=f"release {drill.release_id}",
        summary=f"{said}{f': {fault}' if fault else ''}.",
        details={
            "digest": drill.manifest_id,
            "outcome": outcome.value,
            "rolled_back": rolled_back.tag if rolled_back else None,
        },
    )
    return f"{said}."


def _rehearsal_of(release: Release, earlier: Publication, actor: User) -> Release:
    """Return an approved release on the channel of `earlier` that serves exactly what `release` would."""
    copy = Release.objects.create(
        title=f"Rehearsal of release {release.pk}: {release.title}"[:200],
        channel=earlier.channel,
        base=earlier.release,
        base_manifest=earlier.manifest,
        manifest=release.manifest,
        created_by=actor,
        owner=actor,
        expected_result=f"What {earlier} served is served again in a moment.",
        rollback_note=f"It is rolled back by itself; by hand: back to {earlier}.",
        **{name: getattr(release, name) for name in _BRIEF},
    )
    pin_as(copy, release)
    move(copy, State.IN_REVIEW, step="rehearsed", submitted_at=timezone.now())
    move(copy, State.APPROVED, step="rehearsed")
    return copy
