from collections.abc import Iterable, Sequence
from itertools import batched

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets import rows
from apps.assets.paths import path_fault
from apps.assets.services import ensure_assets, ensure_versions
from apps.audit.services import record
from apps.releases.contents import ChangeInput, PutChange, RedirectInput, RemoveChange
from apps.releases.exceptions import InvalidPath, UnknownField
from apps.releases.manifest import ManifestReader
from apps.releases.models import Change, Channel, Involvement, Release
from apps.releases.selectors import ChangeCounts, change_counts, live_publication, open_manifest
from apps.releases.services.involvements import note_involvement
from apps.releases.services.pins import pin_todays
from apps.releases.services.redirects import write_redirects
from apps.releases.transitions import lock_content, lock_draft

BRIEF_FIELDS = (
    "title",
    "owner",
    "expected_result",
    "rollback_note",
    "route",
    "expected_input",
    "failing_command",
    "noticed_at",
)
_ROWS_AT_ONCE = 5_000
_NAMED_FAULTS = 20
_PUTS = """
    INSERT INTO releases_change
        (release_id, asset_id, kind, version_id, replaced_blob_id, author_id, created_at)
    SELECT %s, version.asset_id, 'put', version.id, value ->> 1, %s, %s
    FROM {rows} AS given JOIN assets_assetversion AS version ON version.id = CAST(value ->> 0 AS bigint)
"""
_REMOVES = """
    INSERT INTO releases_change
        (release_id, asset_id, kind, version_id, replaced_blob_id, author_id, created_at)
    SELECT %s, CAST(value ->> 0 AS bigint), 'remove', NULL, value ->> 1, %s, %s FROM {rows} AS given
"""


@transaction.atomic
def create_release(
    *,
    title: str,
    channel: Channel,
    changes: Iterable[ChangeInput],
    redirects: Iterable[RedirectInput] = (),
    actor: User,
    **brief: object,
) -> Release:
    """Begin a draft with `changes` and `redirects` on top of what `channel` serves now; return it.

    The actor owns it unless `owner` says otherwise. Changes that change nothing are left out. The
    cache rules of today are pinned to it. Raises `Forbidden`, `InvalidPath`, `UnknownField`.
    """
    require(actor, "releases.add_release", to="make a release")
    live = live_publication(channel)
    release = Release.objects.create(
        title=title.strip() or "Untitled",
        channel=channel,
        base=live.release if live else None,
        base_manifest=live.manifest if live else None,
        created_by=actor,
        **{"owner": actor, **_checked(brief)},
    )
    pin_todays(release)
    write_changes(release, changes, actor)
    write_redirects(release, redirects, actor)
    counts = change_counts(release)
    record(
        actor=actor,
        action="release.create",
        target=f"release {release.pk}",
        summary=f"Made release {release.pk} “{release.title}” for {channel}: {_in_words(counts)}.",
        details={"channel": channel.name, "base": release.base_id, **_as_details(counts)},
    )
    return release


@transaction.atomic
def apply_changes(*, release: Release, changes: Iterable[ChangeInput], actor: User) -> Release:
    """Add changes to a draft; a change of the same path replaces the earlier one.

    Putting back what the base serves takes the change out. Raises `Forbidden`, `ReleaseClosed`,
    `PromotedContent`, `InvalidPath`.
    """
    require(actor, "releases.change_release", to=f"change release {release.pk}")
    lock_content(release)
    before = change_counts(release)
    write_changes(release, changes, actor)
    note_involvement(release, actor, Involvement.Kind.CHANGED)
    counts = change_counts(release)
    record(
        actor=actor,
        action="release.apply_changes",
        target=f"release {release.pk}",
        summary=f"Changed release {release.pk}: it now holds {_in_words(counts)}.",
        details={"before": _as_details(before), "after": _as_details(counts)},
    )
    return release


@transaction.atomic
def discard_change(*, change: Change, actor: User) -> Release:
    """Take one change out of its draft. Raises `Forbidden`, `ReleaseClosed`, `PromotedContent`."""
    release = change.release
    require(actor, "releases.change_release", to=f"change release {release.pk}")
    lock_content(release)
    path = change.asset.path
    change.delete()
    note_involvement(release, actor, Involvement.Kind.CHANGED)
    record(
        actor=actor,
        action="release.discard_change",
        target=f"release {release.pk}",
        summary=f"Took the change of {path} out of release {release.pk}.",
        details={"path": path},
    )
    return release


@transaction.atomic
def edit_release(*, release: Release, actor: User, **fields: object) -> Release:
    """Change the brief of a draft: any of `BRIEF_FIELDS`. Nothing to change is no entry in the log.

    Raises `Forbidden`, `ReleaseClosed`, `UnknownField`.
    """
    require(actor, "releases.change_release", to=f"edit release {release.pk}")
    lock_draft(release)
    changed = {name: value for name, value in _checked(fields).items() if getattr(release, name) != value}
    if not changed:
        return release
    for name, value in changed.items():
        setattr(release, name, value)
    release.save(update_fields=[*changed, "updated_at"])
    note_involvement(release, actor, Involvement.Kind.BRIEFED)
    record(
        actor=actor,
        action="release.edit",
        target=f"release {release.pk}",
        summary=f"Edited {', '.join(name.replace('_', ' ') for name in changed)} of release {release.pk}.",
        details={name: str(value) for name, value in changed.items()},
    )
    return release


def write_changes(release: Release, changes: Iterable[ChangeInput], actor: User) -> None:
    """Write changes into a locked draft, each in place of an earlier one of its path.

    What the base serves already, or lacks already, is no change. Raises `InvalidPath`.
    """
    base = open_manifest(release.base_manifest) if release.base_manifest else None
    seen: set[str] = set()
    for batch in batched(changes, _ROWS_AT_ONCE):
        _refuse_bad_paths(batch, seen)
        Change.objects.filter(release=release, asset__path__in=[change.path for change in batch]).delete()
        _write_batch(release, batch, base, actor)
    Release.objects.filter(pk=release.pk).update(updated_at=timezone.now())


def _checked(fields: dict[str, object]) -> dict[str, object]:
    unknown = sorted(set(fields) - set(BRIEF_FIELDS))
    if unknown:
        raise UnknownField(
            f"A release has no field {', '.join(unknown)}.", next_step=f"It has: {', '.join(BRIEF_FIELDS)}."
        )
    return {name: value.strip() if isinstance(value, str) else value for name, value in fields.items()}


def _write_batch(
    release: Release, batch: Sequence[ChangeInput], base: ManifestReader | None, actor: User
) -> None:
    served = base.uploaded_many(change.path for change in batch) if base else {}
    puts = [
        change.content
        for change in batch
        if isinstance(change, PutChange)
        and not ((old := served.get(change.path)) and old.blob == change.content.digest)
    ]
    removes = [change.path for change in batch if isinstance(change, RemoveChange) and change.path in served]
    versions = ensure_versions(puts, actor=actor)
    assets = ensure_assets(removes)
    replaced = {path: entry.blob for path, entry in served.items()}
    put_rows = [(version, replaced.get(path)) for path, version in versions.items()]
    remove_rows = [(asset, replaced[path]) for path, asset in assets.items()]
    rows.write(_PUTS, put_rows, release.pk, actor.pk, rows.now())
    rows.write(_REMOVES, remove_rows, release.pk, actor.pk, rows.now())


def _refuse_bad_paths(batch: Sequence[ChangeInput], seen: set[str]) -> None:
    faults = [f"{change.path!r}: {fault}" for change in batch if (fault := path_fault(change.path))]
    for change in batch:
        if change.path in seen:
            faults.append(f"{change.path!r} is named twice")
        seen.add(change.path)
    if faults:
        more = f"; and {len(faults) - _NAMED_FAULTS} more" if len(faults) > _NAMED_FAULTS else ""
        raise InvalidPath(
            "These paths cannot be served: " + "; ".join(faults[:_NAMED_FAULTS]) + more,
            next_step="Rename them and try again.",
        )


def _in_words(counts: ChangeCounts) -> str:
    words = []
    if counts.total:
        words.append(f"{counts.added} added, {counts.changed} changed, {counts.removed} removed")
    if counts.redirects:
        words.append(f"{counts.redirects} redirect{'s' if counts.redirects > 1 else ''}")
    return ", ".join(words) or "no change"


def _as_details(counts: ChangeCounts) -> dict[str, int]:
    files = {"added": counts.added, "changed": counts.changed, "removed": counts.removed}
    return {**files, "redirects": counts.redirects} if counts.redirects else files
