"""The section of a release's page on rehearsals of its roll back, and the step that begins one."""

from typing import Any

from django.http import HttpRequest, QueryDict

from apps.accounts.models import User
from apps.accounts.staff_pages import actor_of
from apps.refusals import Refusal
from apps.releases.exceptions import StaleDigest
from apps.releases.models import Channel, Release
from apps.releases.selectors import channel_named
from apps.releases.selectors.drills import last_drill_of
from apps.releases.services.drills import REHEARSED_ON, refuse_drill, start_drill
from apps.releases.transitions import State

_REHEARSED_IN = (State.IN_REVIEW, State.APPROVED)


def drill_section(request: HttpRequest, release: Release) -> dict[str, Any]:
    """Return how the last rehearsal went, and whether its reader can begin another."""
    drill = last_drill_of(release)
    is_due = release.state in _REHEARSED_IN
    return {
        "drill": drill,
        "rehearsed_on": REHEARSED_ON,
        "is_drill_due": is_due,
        "why_no_drill": _why_not(release, actor_of(request)) if is_due else "",
    }


def begin_drill(release: Release, typed: QueryDict, actor: User) -> str:
    """Rehearse what the page showed; return what has happened, in words for a message."""
    if typed.get("digest", "") != release.manifest_id:
        raise StaleDigest(
            f"Release {release.pk} is no longer what this page showed.",
            next_step="Look at what it holds now, and rehearse that.",
        )
    drill = start_drill(release=release, channel=channel_named(REHEARSED_ON), actor=actor)
    return (
        f"Release {release.pk} is being rehearsed on {drill.channel}. "
        f"In a moment {drill.channel} serves {drill.earlier} again, by itself."
    )


def _why_not(release: Release, actor: User) -> str:
    channel = Channel.objects.filter(name=REHEARSED_ON).first()
    if channel is None:
        return f"There is no channel {REHEARSED_ON}."
    try:
        refuse_drill(release=release, channel=channel, actor=actor)
    except Refusal as refusal:
        return str(refusal)
    return ""
