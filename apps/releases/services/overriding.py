"""Letting a release go on although a check has failed: by somebody who may approve it, and written down."""

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.refusals import Refusal
from apps.releases.checks import title_of
from apps.releases.exceptions import (
    NothingToOverride,
    ReasonMissing,
    UnknownCheck,
    WrongState,
)
from apps.releases.models import CheckOverride, CheckResult, Release
from apps.releases.selectors.checks import CheckStanding, check_standings
from apps.releases.services.checking import run_checks
from apps.releases.services.review import (
    REVIEWED,
    approve_if_complete,
    refuse_other_digest,
    refuse_outsider,
    refuse_own_work,
)
from apps.releases.transitions import NEXT_STEPS, State, lock_with_channel


@transaction.atomic
def check_again(*, release: Release, actor: User) -> list[CheckStanding]:
    """Try the checks once more on what is in review or approved; return how they stand.

    What comes out otherwise than before is kept beside it, and counts from then on. Raises `Forbidden`,
    `WrongState`, `ManifestMissing`.
    """
    require(actor, "releases.submit_release", to=f"check release {release.pk}")
    release = lock_with_channel(release)
    _refuse_unless_reviewed(release, step="checked")
    new = run_checks(release)
    for result in new:
        record(
            actor=actor,
            action="release.check",
            target=f"release {release.pk}",
            summary=f"Checked release {release.pk} again. {title_of(result.name)}: {result.words}.",
            details={"digest": release.manifest_id, "check": result.name, "outcome": result.outcome},
        )
    approve_if_complete(release)
    return check_standings(release)


@transaction.atomic
def override_check(
    *, release: Release, name: str, reason: str, actor: User, digest: str | None = None
) -> CheckOverride:
    """Write down why a release goes on although the check `name` has failed on what it is now.

    It holds for that result on that digest alone. Who overrides is somebody who may approve the release:
    nobody with a part in it. With `digest` (hex), only if the release still has it. Raises `Forbidden`,
    `ReasonMissing`, `WrongState`, `StaleDigest`, `UnknownCheck`, `NothingToOverride`, `NotAnApprover`,
    `SelfApproval`.
    """
    require(actor, "releases.approve_release", to=f"override checks of release {release.pk}")
    if not reason.strip():
        raise ReasonMissing(
            f"No check of release {release.pk} is overridden without a reason.",
            next_step="Say in a few words why what it found may go live.",
        )
    release = lock_with_channel(release)
    _refuse_unless_reviewed(release, step="let past a check")
    refuse_other_digest(release, digest)
    result = _failed_result(release, name)
    refuse_outsider(release, actor)
    refuse_own_work(release, actor)
    override = CheckOverride.objects.create(result=result, by=actor, reason=reason.strip(), at=timezone.now())
    record(
        actor=actor,
        action="release.override_check",
        target=f"release {release.pk}",
        summary=f"Overrode a check of release {release.pk} ({title_of(name)}: {result.words}):"
        f" {override.reason}",
        details={"digest": release.manifest_id, "check": name, "reason": override.reason},
    )
    approve_if_complete(release)
    return override


def why_no_override(release: Release, actor: User) -> str:
    """Return why this person cannot override a check of `release`, "" where they may; nothing is locked."""
    try:
        require(actor, "releases.approve_release", to=f"override checks of release {release.pk}")
        _refuse_unless_reviewed(release, step="let past a check")
        refuse_outsider(release, actor)
        refuse_own_work(release, actor)
    except Refusal as refusal:
        return str(refusal)
    return ""


def _failed_result(release: Release, name: str) -> CheckResult:
    standings = {standing.result.name: standing for standing in check_standings(release)}
    standing = standings.get(name)
    if standing is None:
        raise UnknownCheck(
            f"Release {release.pk} has no result of a check {name[:100]!r}.",
            next_step=f"It has these: {', '.join(standings)}."
            if standings
            else f"`scripts/manage release check {release.pk}` tries the checks first.",
        )
    if not standing.stands_in_the_way:
        why = (
            "has passed" if standing.override is None else f"is overridden already, by {standing.override.by}"
        )
        raise NothingToOverride(
            f"{title_of(name)}: this check of release {release.pk} {why}.",
            next_step="There is nothing to override.",
        )
    return standing.result


def _refuse_unless_reviewed(release: Release, *, step: str) -> None:
    if release.state not in REVIEWED:
        now = State(release.state)
        raise WrongState(
            f"Release {release.pk} is {now.label} and cannot be {step}.", next_step=NEXT_STEPS[now]
        )
