"""The emergency publish: two administrators instead of the approvals that a channel asks for.

One asks, with a reason. Another one, who is no author of the release either, confirms within hours. It
passes a freeze, whose mark it gets as well, and the checks that have failed, which the log names; but never a
hold: who holds a channel is asked first. What goes live this way is marked for ever.
"""

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.releases.exceptions import AlreadyAsked, NoEmergency, ReasonMissing, SamePerson, WrongState
from apps.releases.models import Channel, EmergencyPublication, EmergencyRequest, Publication, Release
from apps.releases.selectors import authors_of, live_publication
from apps.releases.selectors.checks import failed_checks
from apps.releases.selectors.emergencies import open_request
from apps.releases.services.freezes import refuse_if_frozen
from apps.releases.services.holding import refuse_if_held
from apps.releases.services.publishing import as_details, go_live, refuse_if_base_moved
from apps.releases.transitions import NEXT_STEPS, State, lock_with_channel

MAY = "releases.publish_in_emergency"
ASK_ANOTHER = "Ask another administrator, who has no part in the release, to look at it and confirm."


@transaction.atomic
def ask(*, release: Release, reason: str, actor: User) -> EmergencyRequest:
    """Ask that what is in review goes live without the approvals that are missing.

    Raises `Forbidden`, `ReasonMissing`, `WrongState`, `ChannelHeld`, `BaseMoved`, `AlreadyAsked`.
    """
    require(actor, MAY, to=f"ask for an emergency publish of release {release.pk}")
    if not reason.strip():
        raise ReasonMissing(
            f"Release {release.pk} is not published in an emergency without a reason.",
            next_step="Say in a few words what cannot wait for the review.",
        )
    release = lock_with_channel(release)
    channel = release.channel
    _refuse_unready(release, channel)
    if asked := open_request(release):
        raise AlreadyAsked(f"{_in_words(asked)} already.", next_step=ASK_ANOTHER)
    request = EmergencyRequest.objects.create(
        release=release,
        manifest_id=release.manifest_id or "",
        asked_by=actor,
        asked_at=timezone.now(),
        reason=reason.strip(),
    )
    record(
        actor=actor,
        action="release.ask_emergency",
        target=f"release {release.pk}",
        summary=f"Asked for an emergency publish of release {release.pk}: {request.reason}",
        details={"digest": release.manifest_id, "reason": request.reason} | _failed(release),
    )
    return request


@transaction.atomic
def confirm(*, release: Release, actor: User, digest: str | None = None) -> Publication:
    """Publish what another administrator has asked to publish in an emergency; return the publication.

    With `digest` (hex), only if that is what was asked for. Raises `Forbidden`, `NoEmergency`,
    `SamePerson`, `WrongState`, `ChannelHeld`, `BaseMoved`, `ManifestMissing`.
    """
    require(actor, MAY, to=f"confirm an emergency publish of release {release.pk}")
    release = lock_with_channel(release)
    channel = release.channel
    request = open_request(release)
    if request is None or digest not in (None, request.manifest_id):
        raise NoEmergency(
            f"Nobody has asked for an emergency publish of what release {release.pk} is now, or not in time.",
            next_step=f"`scripts/manage release emergency-publish {release.pk} --reason …` asks for it.",
        )
    refuse_confirming(request, actor)
    _refuse_unready(release, channel)
    freeze = refuse_if_frozen(channel, actor=actor, reason=request.reason)
    live = live_publication(channel)
    mark = EmergencyPublication.objects.create(
        request=request,
        channel=channel,
        sequence=live.sequence + 1 if live else 1,
        confirmed_by=actor,
        confirmed_at=timezone.now(),
    )
    publication = go_live(release, channel, actor=actor, reason=request.reason, freeze=freeze)
    record(
        actor=actor,
        action="release.publish_in_emergency",
        target=f"release {release.pk}",
        summary=f"Published release {release.pk} on {channel} as {publication.tag} in an emergency, as "
        f"{request.asked_by} asked: {request.reason}",
        details=as_details(publication)
        | {"asked_by": request.asked_by.get_username(), "reason": request.reason, "mark": mark.pk}
        | _failed(release),
    )
    return publication


def refuse_asking(release: Release, actor: User) -> None:
    """Raise what `ask` would raise for this person, apart from its reason; nothing is locked."""
    require(actor, MAY, to=f"ask for an emergency publish of release {release.pk}")
    _refuse_unready(release, release.channel)
    if asked := open_request(release):
        raise AlreadyAsked(f"{_in_words(asked)} already.", next_step=ASK_ANOTHER)


def refuse_confirmation(release: Release, request: EmergencyRequest, actor: User) -> None:
    """Raise what `confirm` would raise for this person; nothing is locked."""
    require(actor, MAY, to=f"confirm an emergency publish of release {release.pk}")
    refuse_confirming(request, actor)
    _refuse_unready(release, release.channel)


def refuse_confirming(request: EmergencyRequest, actor: User) -> None:
    """Raise `SamePerson` where `actor` has asked for it or is among the release's authors."""
    if actor == request.asked_by:
        raise SamePerson(f"{_in_words(request)}, and cannot confirm it as well.", next_step=ASK_ANOTHER)
    if actor.pk in authors_of(request.release):
        raise SamePerson(
            f"{actor} owns release {request.release_id} or has added to it, and cannot confirm its"
            " emergency publish.",
            next_step=ASK_ANOTHER,
        )


def _refuse_unready(release: Release, channel: Channel) -> None:
    if release.state != State.IN_REVIEW:
        now = State(release.state)
        raise WrongState(
            f"Release {release.pk} is {now.label} and cannot be published in an emergency.",
            next_step=NEXT_STEPS[now],
        )
    refuse_if_held(channel)
    refuse_if_base_moved(release)


def _failed(release: Release) -> dict[str, list[str]]:
    """Return the checks that are passed in this way, for the log."""
    failed = [standing.result.name for standing in failed_checks(release)]
    return {"failed_checks": failed} if failed else {}


def _in_words(request: EmergencyRequest) -> str:
    reason = request.reason.rstrip(".")
    return (
        f"{request.asked_by} has asked for an emergency publish of release {request.release_id} (“{reason}”)"
    )
