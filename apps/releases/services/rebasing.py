from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets.intake import take_in
from apps.assets.services import ensure_versions
from apps.audit.services import record
from apps.releases.conflicts.standing import (
    Conflict,
    Kind,
    Standing,
    compute_standing,
    decisions_about,
    is_behind,
)
from apps.releases.conflicts.text_merging import leftover_markers
from apps.releases.conflicts.texts import texts_of
from apps.releases.exceptions import (
    ConflictsOpen,
    NothingToRebase,
    PromotedContent,
    UnknownConflict,
    WrongResolution,
    WrongState,
)
from apps.releases.models import Publication, Release, Resolution
from apps.releases.selectors import is_promoted, live_publication
from apps.releases.services.replaying import as_details, in_words, replay, settle
from apps.releases.transitions import NEXT_STEPS, State, lock_with_channel, move

Choice = Resolution.Choice

REBASED_FROM = (State.DRAFT, State.IN_REVIEW, State.APPROVED, State.REJECTED)
NAMED_CONFLICTS = 20
_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a conflict: one side's value, or, `merged`, this `content`."""

    choice: Choice
    content: bytes | None = None


@transaction.atomic
def rebase(
    *,
    release: Release,
    actor: User,
    resolutions: Mapping[str, Decision] | None = None,
    rest: Choice | None = None,
) -> Release:
    """Replay the changes of a release on what its channel serves now; it is a draft then, on that base.

    `resolutions` decide conflicts by their label (`css/site.css`, `/old`, `rule:pages`), beside those that
    were decided before (`resolve`); `rest` decides what is left. Text whose lines do not clash is merged
    by itself. What is live already is no change any more.

    Raises `Forbidden`, `WrongState`, `PromotedContent`, `NothingToRebase`, `UnknownConflict`,
    `WrongResolution`, and `ConflictsOpen` where somebody has to decide first; nothing has changed then.
    """
    require(actor, "releases.change_release", to=f"rebase release {release.pk}")
    release, live, standing = _looked_at(release)
    for name, decision in (resolutions or {}).items():
        _keep(release, _named(standing, name), decision, actor)
    settled, still_open = settle(standing.conflicts, decisions_about(release, standing.conflicts))
    if rest:
        _keep_all(release, still_open, rest, actor)
        settled, still_open = settle(standing.conflicts, decisions_about(release, standing.conflicts))
    _refuse_open(release, still_open)
    before, state = release.base_id, release.state
    begin_anew(release, live)
    replay(release, live, standing, settled, actor)
    release.resolutions.all().delete()
    release.refresh_from_db()
    record(
        actor=actor,
        action="release.rebase",
        target=f"release {release.pk}",
        summary=f"Rebased release {release.pk} from {_base_in_words(before)} onto"
        f" {_base_in_words(release.base_id)}: {in_words(standing, settled)}.",
        details={"base_before": before, "base": release.base_id, "state_before": state}
        | as_details(standing, settled),
    )
    return release


@transaction.atomic
def resolve(*, release: Release, name: str, decision: Decision, actor: User) -> Resolution:
    """Decide one conflict, by its label, for when the release is rebased; a later decision replaces it.

    Raises `Forbidden`, `WrongState`, `PromotedContent`, `NothingToRebase`, `UnknownConflict`,
    `WrongResolution`.
    """
    require(actor, "releases.change_release", to=f"decide conflicts of release {release.pk}")
    release, _, standing = _looked_at(release)
    conflict = _named(standing, name)
    resolution = _keep(release, conflict, decision, actor)
    record(
        actor=actor,
        action="release.resolve",
        target=f"release {release.pk}",
        summary=f"Decided about {conflict.in_words} in release {release.pk}:"
        f" {resolution.get_choice_display()}.",
        details={"name": conflict.label, "choice": resolution.choice, "blob": resolution.blob_id},
    )
    return resolution


@transaction.atomic
def resolve_rest(*, release: Release, choice: Choice, actor: User) -> int:
    """Decide all conflicts at once that are not decided and do not merge by themselves; return how many.

    Raises what `resolve` raises.
    """
    require(actor, "releases.change_release", to=f"decide conflicts of release {release.pk}")
    release, _, standing = _looked_at(release)
    _, still_open = settle(standing.conflicts, decisions_about(release, standing.conflicts))
    _keep_all(release, still_open, choice, actor)
    if still_open:
        record(
            actor=actor,
            action="release.resolve_rest",
            target=f"release {release.pk}",
            summary=f"Decided {len(still_open)} conflicts of release {release.pk}: {choice.label}.",
            details={"choice": choice.value, "count": len(still_open)},
        )
    return len(still_open)


@transaction.atomic
def forget_resolution(*, release: Release, name: str, actor: User) -> None:
    """Take a decision about a conflict back. Raises what `resolve` raises."""
    require(actor, "releases.change_release", to=f"decide conflicts of release {release.pk}")
    release, _, standing = _looked_at(release)
    conflict = _named(standing, name)
    release.resolutions.filter(kind=conflict.kind, name=conflict.name).delete()
    record(
        actor=actor,
        action="release.forget_resolution",
        target=f"release {release.pk}",
        summary=f"Took back the decision about {conflict.in_words} in release {release.pk}.",
        details={"name": conflict.label},
    )


def refuse_unless_behind(release: Release, live: Publication | None) -> None:
    """Raise `NothingToRebase` where `release` was begun on what is live."""
    if not is_behind(release, live):
        raise NothingToRebase(
            f"Release {release.pk} was begun on what {release.channel} serves now.",
            next_step="There is nothing to rebase; go on with it as it is.",
        )


def refuse_to_rebase_promoted(release: Release, *, is_promoted: bool) -> None:
    """Raise `PromotedContent` where another base would make another digest than was served."""
    if is_promoted:
        raise PromotedContent(
            f"Release {release.pk} promotes exactly what was served elsewhere; on another base it would be"
            " something else.",
            next_step=f"Withdraw it. Bring what {release.channel} serves to where it came from, and promote"
            " that again.",
        )


def begin_anew(release: Release, live: Publication | None) -> None:
    """Make the release a draft on what is live."""
    base = {
        "base": live.release if live else None,
        "base_manifest": live.manifest if live else None,
        "manifest": None,
        "submitted_at": None,
    }
    if release.state == State.DRAFT:
        Release.objects.filter(pk=release.pk).update(updated_at=timezone.now(), **base)
        release.refresh_from_db()
    else:
        move(release, State.DRAFT, step="rebased", **base)


def _looked_at(release: Release) -> tuple[Release, Publication | None, Standing]:
    """Lock a release that can be rebased; return it with what is live, and how it stands to that."""
    release = lock_with_channel(release)
    if State(release.state) not in REBASED_FROM:
        now = State(release.state)
        raise WrongState(
            f"Release {release.pk} is {now.label} and cannot be rebased.", next_step=NEXT_STEPS[now]
        )
    refuse_to_rebase_promoted(release, is_promoted=is_promoted(release))
    live = live_publication(release.channel)
    refuse_unless_behind(release, live)
    return release, live, compute_standing(release, live)


def _named(standing: Standing, name: str) -> Conflict:
    found = {conflict.label: conflict for conflict in standing.conflicts}
    if name not in found:
        some = ", ".join(list(found)[:NAMED_CONFLICTS])
        raise UnknownConflict(
            f"There is no conflict about {name}.", next_step=f"In conflict: {some or 'nothing'}."
        )
    return found[name]


def _keep(release: Release, conflict: Conflict, decision: Decision, actor: User) -> Resolution:
    blob = None
    if decision.choice == Choice.MERGED:
        blob = _take_in(conflict, decision.content, actor)
    resolution, _ = Resolution.objects.update_or_create(
        release=release,
        kind=conflict.kind,
        name=conflict.name,
        defaults={"choice": decision.choice, "blob_id": blob, "seen": conflict.seen, "decided_by": actor},
    )
    return resolution


def _keep_all(release: Release, conflicts: list[Conflict], choice: Choice, actor: User) -> None:
    """Keep one side for many conflicts, in few statements whatever their number."""
    rows = [
        Resolution(
            release=release,
            kind=conflict.kind,
            name=conflict.name,
            choice=choice,
            seen=conflict.seen,
            decided_by=actor,
        )
        for conflict in conflicts
    ]
    Resolution.objects.bulk_create(
        rows,
        batch_size=_ROWS_AT_ONCE,
        update_conflicts=True,
        unique_fields=("release", "kind", "name"),
        update_fields=("choice", "blob", "seen", "decided_by", "decided_at"),
    )


def _take_in(conflict: Conflict, content: bytes | None, actor: User) -> str:
    """Store what a file is merged to; return its digest."""
    if conflict.kind is not Kind.FILE or content is None:
        raise WrongResolution(
            f"{conflict.in_words[0].upper()}{conflict.in_words[1:]} cannot be merged.",
            next_step="Choose what the release has, or what is live.",
        )
    _refuse_markers(conflict, content)
    taken = take_in([content], path=conflict.name)
    ensure_versions([taken], actor=actor)
    return taken.digest


def _refuse_markers(conflict: Conflict, content: bytes) -> None:
    texts = texts_of(conflict)
    left = leftover_markers(content.decode(errors="replace"), texts.all) if texts else []
    if left:
        lines = f"line{'s' if len(left) > 1 else ''} {', '.join(map(str, left[:NAMED_CONFLICTS]))}"
        raise WrongResolution(
            f"Markers of a conflict are left in {conflict.label}, in {lines}.",
            next_step="Put what should be served there, and take the markers out.",
        )


def _refuse_open(release: Release, still_open: list[Conflict]) -> None:
    if still_open:
        names = [conflict.in_words for conflict in still_open]
        more = f" and {len(names) - NAMED_CONFLICTS} more" if len(names) > NAMED_CONFLICTS else ""
        raise ConflictsOpen(
            f"Release {release.pk} and {release.channel} have both changed"
            f" {', '.join(names[:NAMED_CONFLICTS])}{more}.",
            next_step="Decide what becomes of each, on its page of conflicts or with"
            f" `scripts/manage release rebase {release.pk} --ours PATH --theirs PATH --merged PATH=FILE`.",
            names=tuple(conflict.label for conflict in still_open),
        )


def _base_in_words(number: int | None) -> str:
    return f"release {number}" if number else "an empty channel"
