from collections.abc import Iterator
from itertools import batched

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets.intake import Content
from apps.audit.services import record
from apps.releases.conflicts.standing import compute_standing, is_behind
from apps.releases.contents import (
    ChangeInput,
    PutChange,
    PutRedirect,
    RedirectInput,
    RemoveChange,
    RemoveRedirect,
)
from apps.releases.exceptions import NothingToRevert
from apps.releases.models import Origin, Publication, Release
from apps.releases.redirects.selectors import base_redirects
from apps.releases.selectors import live_publication, open_manifest
from apps.releases.services.drafts import write_changes
from apps.releases.services.pins import pin_as, pins_other_rules
from apps.releases.services.rebasing import begin_anew
from apps.releases.services.redirects import write_redirects
from apps.releases.services.replaying import in_words, replay, settle
from apps.releases.transitions import NEXT_STEPS, State, lock_with_channel

REVERTED_FROM = (State.PUBLISHED, State.SUPERSEDED)
_CHANGES_AT_ONCE = 5_000


@transaction.atomic
def revert(*, release: Release, actor: User) -> Release:
    """Make a draft that takes back what `release` changed when it went live, and keeps what came later.

    Files, redirects and cache rules that it changed become what they were before it. What later releases
    have changed again is in conflict: the draft then stands on `release` itself until somebody has decided
    (`rebasing.rebase`, with the result of `release` as what both began with). Without conflicts it stands
    on what is live. The actor owns it, and is the author of its changes.

    Raises `Forbidden`, and `NothingToRevert` where `release` was never live, or nothing of it is left.
    """
    require(actor, "releases.add_release", to=f"revert release {release.pk}")
    reverted = lock_with_channel(release)
    refuse_unless_published(reverted)
    draft = _inverse_of(reverted, actor)
    live = live_publication(reverted.channel)
    words = "on what is live"
    if is_behind(draft, live):
        words = _bring_onto(draft, live, actor)
    _refuse_empty(draft, reverted)
    record(
        actor=actor,
        action="release.revert",
        target=f"release {draft.pk}",
        summary=f"Made release {draft.pk}, which reverts release {reverted.pk}: {words}.",
        details={"reverts": reverted.pk, "base": draft.base_id},
    )
    return draft


def refuse_unless_published(release: Release) -> None:
    """Raise `NothingToRevert` where a release was never live."""
    if State(release.state) not in REVERTED_FROM:
        raise NothingToRevert(
            f"Release {release.pk} is {release.get_state_display()}: there is nothing of it to revert.",
            next_step=NEXT_STEPS[State(release.state)],
        )


def _inverse_of(release: Release, actor: User) -> Release:
    """Make a draft on `release` that holds the inverse of what it changed."""
    draft = Release.objects.create(
        title=f"Revert release {release.pk}: {release.title}"[:200],
        channel=release.channel,
        base=release,
        base_manifest=release.manifest,
        created_by=actor,
        owner=actor,
        expected_result=f"What release {release.pk} changed is again as it was before it.",
        rollback_note=f"Revert this one or roll back, and what release {release.pk} changed is there again.",
    )
    pin_as(draft, release.base or release)
    write_changes(draft, _inverse_changes(release), actor)
    write_redirects(draft, _inverse_redirects(release), actor)
    Origin.objects.create(release=draft, kind=Origin.Kind.REVERT, source=release)
    return draft


def _inverse_changes(release: Release) -> Iterator[ChangeInput]:
    base = open_manifest(release.base_manifest) if release.base_manifest else None
    changes = release.changes.order_by("asset__path").values_list("asset__path", "replaced_blob")
    for some in batched(changes.iterator(chunk_size=_CHANGES_AT_ONCE), _CHANGES_AT_ONCE):
        before = base.uploaded_many(path for path, replaced in some if replaced) if base else {}
        for path, _ in some:
            entry = before.get(path)
            if entry is None:
                yield RemoveChange(path)
            else:
                yield PutChange(Content(path, entry.blob, entry.size, entry.media_type))


def _inverse_redirects(release: Release) -> Iterator[RedirectInput]:
    before = base_redirects(release)
    for source in release.redirect_changes.order_by("source").values_list("source", flat=True):
        redirect = before.get(source)
        yield PutRedirect(redirect) if redirect else RemoveRedirect(source)


def _bring_onto(draft: Release, live: Publication | None, actor: User) -> str:
    """Bring the draft onto what is live, if nobody has to decide anything; say what came of it."""
    standing = compute_standing(draft, live)
    settled, still_open = settle(standing.conflicts, {})
    if still_open:
        return f"{len(still_open)} of it were changed again since, and have to be decided about"
    begin_anew(draft, live)
    replay(draft, live, standing, settled, actor)
    draft.refresh_from_db()
    return in_words(standing, settled)


def _refuse_empty(draft: Release, reverted: Release) -> None:
    has_changes = draft.changes.exists() or draft.redirect_changes.exists()
    if not has_changes and draft.base and not pins_other_rules(draft):
        raise NothingToRevert(
            f"Nothing of what release {reverted.pk} changed is live any more.",
            next_step="There is nothing to do: see what is live on its channel's page.",
        )
