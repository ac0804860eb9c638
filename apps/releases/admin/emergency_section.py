"""The section of a release's page on an emergency publish, and the steps that ask for one and confirm it."""

from typing import Any

from django.http import HttpRequest, QueryDict

from apps.accounts.models import User
from apps.accounts.staff_pages import actor_of
from apps.refusals import Refusal
from apps.releases.exceptions import StaleDigest
from apps.releases.models import EmergencyRequest, Release
from apps.releases.selectors.emergencies import VALID_HOURS, emergency_of, open_request
from apps.releases.services import emergencies
from apps.releases.transitions import State


def emergency_section(request: HttpRequest, release: Release) -> dict[str, Any]:
    """Return what was asked for and by whom, and what its reader can do about it."""
    is_due, actor = release.state == State.IN_REVIEW, actor_of(request)
    asked = open_request(release) if is_due else None
    was_live = release.state in (State.PUBLISHED, State.SUPERSEDED)
    return {
        "is_emergency_due": is_due and (asked is not None or actor.has_perm(emergencies.MAY)),
        "emergency_request": asked,
        "why_no_emergency": _why_not(release, asked, actor) if is_due else "",
        "emergency_hours": VALID_HOURS,
        "emergency": emergency_of(release) if was_live else None,
    }


def ask(release: Release, typed: QueryDict, actor: User) -> str:
    """Ask for an emergency publish; return what has happened, in words for a message."""
    _refuse_other_digest(release, typed)
    emergencies.ask(release=release, reason=typed.get("reason", ""), actor=actor)
    return (
        f"Another administrator has {VALID_HOURS} hours to confirm the emergency publish of release"
        f" {release.pk}, here. To call it off, take the release back to draft."
    )


def confirm(release: Release, typed: QueryDict, actor: User) -> str:
    """Publish what was asked for; return what has happened, in words for a message."""
    _refuse_other_digest(release, typed)
    done = emergencies.confirm(release=release, digest=typed.get("digest", ""), actor=actor)
    return f"Published in an emergency: {done.channel} serves it as {done.tag}. Its channel rolls it back."


def _refuse_other_digest(release: Release, typed: QueryDict) -> None:
    if typed.get("digest", "") != release.manifest_id:
        raise StaleDigest(
            f"Release {release.pk} is no longer what this page showed.",
            next_step="Look at what it holds now, and decide again.",
        )


def _why_not(release: Release, asked: EmergencyRequest | None, actor: User) -> str:
    try:
        if asked:
            emergencies.refuse_confirmation(release, asked, actor)
        else:
            emergencies.refuse_asking(release, actor)
    except Refusal as refusal:
        return str(refusal)
    return ""
