from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require, who_may
from apps.audit.services import record
from apps.releases.exceptions import (
    AlreadyApproved,
    BriefIncomplete,
    NotAnApprover,
    NothingChanges,
    ReasonMissing,
    SelfApproval,
    StaleDigest,
    WrongState,
)
from apps.releases.models import Approval, Comment, Involvement, Release
from apps.releases.review.brief import in_words
from apps.releases.selectors import approvals_needed, approvals_of, missing_brief, parts_in
from apps.releases.selectors.checks import check_standings, failed_checks
from apps.releases.services.building import build
from apps.releases.services.checking import failed_in_words, refuse_failed_checks, run_checks
from apps.releases.services.conversation import say
from apps.releases.services.involvements import note_involvement
from apps.releases.services.pins import pins_other_rules
from apps.releases.services.preview_pointers import end_with
from apps.releases.services.previews import open_for_review
from apps.releases.services.publishing import refuse_if_base_moved
from apps.releases.services.redirects import refuse_bad_redirects
from apps.releases.transitions import NEXT_STEPS, State, lock_with_channel, move
from apps.texts import listed

# What a reviewer may send back to its owner.
REVIEWED = (State.IN_REVIEW, State.APPROVED)


@transaction.atomic
def submit(*, release: Release, actor: User) -> Release:
    """Build the release's manifest, try the checks on it, and hand it in for review.

    Where the channel asks for no approval, and every check has passed, it is approved at once. Raises
    `Forbidden`, `WrongState`, `BriefIncomplete`, `NothingChanges`, `BaseMoved`, `RedirectLoop`,
    `TooManyRedirects`; the release is then the draft that it was.
    """
    require(actor, "releases.submit_release", to=f"submit release {release.pk}")
    release = lock_with_channel(release)
    _refuse_unless(release, State.DRAFT, step="submitted")
    _refuse_incomplete_brief(release)
    refuse_if_base_moved(release)
    manifest = build(release)
    refuse_bad_redirects(release, manifest)
    if release.base_manifest_id == manifest.digest and not pins_other_rules(release):
        raise NothingChanges(
            f"Release {release.pk} would serve exactly what {release.channel} serves now.",
            next_step="Add a change to it, or withdraw it.",
        )
    note_involvement(release, actor, Involvement.Kind.SUBMITTED)
    move(release, State.IN_REVIEW, step="submitted", manifest=manifest, submitted_at=timezone.now())
    run_checks(release)
    approve_if_complete(release)
    needed = approvals_needed(release.channel)
    record(
        actor=actor,
        action="release.submit",
        target=f"release {release.pk}",
        summary=f"Submitted release {release.pk} as {manifest}: {_waits(release, needed)}.",
        details={
            "digest": manifest.digest,
            "paths": manifest.path_count,
            "approvals_needed": needed,
            "checks": {each.result.name: each.result.outcome for each in check_standings(release)},
        },
    )
    open_for_review(release, actor)
    return release


def approve(*, release: Release, digest: str, actor: User) -> Approval:
    """Approve one manifest digest (hex) of a release; with the last approval needed it is approved.

    Raises `Forbidden`, `WrongState`, `StaleDigest`, `NotAnApprover`, `SelfApproval`, `ChecksFailed`,
    `AlreadyApproved`.
    """
    require(actor, "releases.approve_release", to=f"approve release {release.pk}")
    _try_missing_checks(release)
    return _approve(release, digest, actor)


@transaction.atomic
def _try_missing_checks(release: Release) -> None:
    """Try what a release that was submitted before there was such a check has no result of.

    In a transaction of its own: a refusal for what has failed does not take the result along, which has to
    be there to be read, and to be overridden.
    """
    release = lock_with_channel(release)
    if release.state == State.IN_REVIEW:
        run_checks(release, only_missing=True)


@transaction.atomic
def _approve(release: Release, digest: str, actor: User) -> Approval:
    release = lock_with_channel(release)
    _refuse_unless(release, State.IN_REVIEW, step="approved")
    refuse_other_digest(release, digest)
    refuse_outsider(release, actor)
    refuse_own_work(release, actor)
    refuse_failed_checks(release, step="approved")
    approval, is_new = Approval.objects.get_or_create(
        release=release, manifest_id=release.manifest_id, approver=actor
    )
    if not is_new:
        raise AlreadyApproved(
            f"{actor} has approved release {release.pk} already.", next_step="Somebody else has to, too."
        )
    given, needed = approvals_of(release), approvals_needed(release.channel)
    record(
        actor=actor,
        action="release.approve",
        target=f"release {release.pk}",
        summary=f"Approved release {release.pk} ({given} of {needed}).",
        details={"digest": digest, "given": given, "needed": needed},
    )
    approve_if_complete(release)
    return approval


def approve_if_complete(release: Release) -> None:
    """Let what is in review be approved where it has all that its channel asks for, and no check fails."""
    if release.state != State.IN_REVIEW or failed_checks(release):
        return
    if approvals_of(release) >= approvals_needed(release.channel):
        move(release, State.APPROVED, step="approved")


@transaction.atomic
def request_changes(*, release: Release, reason: str, actor: User) -> Release:
    """Take a release that was looked at back to draft, with what its owner has to change.

    The reason stands at the top of the release until it is submitted again, and begins a thread of its
    conversation. Raises `Forbidden`, `WrongState`, `ReasonMissing`.
    """
    require(actor, "releases.approve_release", to=f"ask for changes of release {release.pk}")
    if not reason.strip():
        raise ReasonMissing(
            f"Nobody can change release {release.pk} without knowing what.",
            next_step="Say what has to change.",
        )
    release = lock_with_channel(release)
    if release.state not in REVIEWED:
        now = State(release.state)
        raise WrongState(
            f"Release {release.pk} is {now.label}, so no changes can be asked for.", next_step=NEXT_STEPS[now]
        )
    say(release, actor, reason, Comment.Kind.REQUEST)
    return _step(
        release,
        State.DRAFT,
        step="taken back to draft for changes",
        action="request_changes",
        actor=actor,
        reason=reason.strip(),
        manifest=None,
        submitted_at=None,
    )


@transaction.atomic
def reject(*, release: Release, reason: str, actor: User) -> Release:
    """Turn a release down, with a reason that its owner reads.

    Raises `Forbidden`, `WrongState`, `ReasonMissing`.
    """
    require(actor, "releases.approve_release", to=f"reject release {release.pk}")
    if not reason.strip():
        raise ReasonMissing(
            f"Release {release.pk} is not rejected without a reason.", next_step="Say what has to change."
        )
    say(release, actor, reason, Comment.Kind.REJECTION)  # first: the database asks for it
    return _step(
        release, State.REJECTED, step="rejected", action="reject", actor=actor, reason=reason.strip()
    )


@transaction.atomic
def reopen(*, release: Release, actor: User) -> Release:
    """Take a release back to draft, so that it can be changed; approvals are asked for again.

    Raises `Forbidden`, `WrongState`.
    """
    require(actor, "releases.change_release", to=f"take release {release.pk} back to draft")
    return _step(
        release,
        State.DRAFT,
        step="taken back to draft",
        action="reopen",
        actor=actor,
        manifest=None,
        submitted_at=None,
    )


@transaction.atomic
def withdraw(*, release: Release, actor: User) -> Release:
    """Give a release up before it goes live. Raises `Forbidden`, `WrongState`."""
    require(actor, "releases.change_release", to=f"withdraw release {release.pk}")
    end_with(release)
    return _step(release, State.WITHDRAWN, step="withdrawn", action="withdraw", actor=actor)


def refuse_other_digest(release: Release, digest: str | None) -> None:
    """Raise `StaleDigest` unless `release` still has what somebody looked at; None names nothing."""
    if release.manifest_id is None or digest not in (None, release.manifest_id):
        raise StaleDigest(
            f"Release {release.pk} no longer has the digest {str(digest)[:12]}.",
            next_step="Look at what it holds now, and approve that.",
        )


def refuse_own_work(release: Release, actor: User) -> None:
    """Raise `SelfApproval` where `actor` owns, made or ever added to `release` (see `parts_in`)."""
    if parts := parts_in(release).get(actor.pk):
        raise SelfApproval(
            f"{actor} cannot approve release {release.pk}: {actor} {listed(parts)}.",
            next_step=f"Ask somebody else who may: {who_may('releases.approve_release')}.",
        )


def refuse_outsider(release: Release, actor: User) -> None:
    """Raise `NotAnApprover` where the channel names a group of approvers and `actor` is not in it."""
    group = release.channel.approver_group
    if group is None or actor.groups.filter(pk=group.pk).exists():
        return
    members = ", ".join(str(user) for user in group.user_set.filter(is_active=True).order_by("username")[:5])
    raise NotAnApprover(
        f"{actor} is not in the group {group}, which approves what goes live on {release.channel}.",
        next_step=f"Ask one of its members: {members or 'it has none yet; an administrator adds them'}.",
    )


def _refuse_unless(release: Release, state: State, *, step: str) -> None:
    if release.state != state:
        now = State(release.state)
        raise WrongState(
            f"Release {release.pk} is {now.label} and cannot be {step}.", next_step=NEXT_STEPS[now]
        )


def _refuse_incomplete_brief(release: Release) -> None:
    missing = missing_brief(release)
    if missing:
        options = " ".join(f"--{name.replace('_', '-')} …" for name in missing)
        raise BriefIncomplete(
            f"Release {release.pk} lacks its {in_words(missing)}.",
            next_step=f"Fill in on its page, or with `scripts/manage release edit {release.pk} {options}`.",
        )


def _waits(release: Release, needed: int) -> str:
    """Say what a release that was just submitted waits for."""
    approvals = f"it waits for {needed} approval{'s' if needed > 1 else ''}"
    if failed := failed_checks(release):
        return f"{failed_in_words(failed)}; that is mended or overridden first"
    return approvals if needed else "no approval is asked for, so it may go live"


def _step(
    release: Release, to: State, *, step: str, action: str, actor: User, reason: str = "", **fields: object
) -> Release:
    before = release.get_state_display()
    move(release, to, step=step, **fields)
    record(
        actor=actor,
        action=f"release.{action}",
        target=f"release {release.pk}",
        summary=f"Release {release.pk} was {step}{f': {reason}' if reason else '.'}",
        details={"before": before, "reason": reason} if reason else {"before": before},
    )
    return release
