"""The changes of a release as a page shows them: old beside new, within limits that keep it fast."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from apps.assets.media_types import media_type_of
from apps.assets.models import Blob
from apps.releases.comparing.impact import SIGNS
from apps.releases.comparing.looks import IN_A_LIST, ON_ITS_OWN, Limits, Look, Side, look_at
from apps.releases.comparing.texts import visible
from apps.releases.manifest import ManifestReader
from apps.releases.models import Change

BYTES_READ_FOR_A_LIST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change, ready to be shown.

    `served_as` is the fingerprinted name under which the new content is served as well, if it has one;
    `missed_by` are the files that refer to a removed path which nothing answers for.
    """

    change: Change
    kind: str
    media_type: str
    look: Look
    served_as: str = ""
    missed_by: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return visible(self.change.asset.path)

    @property
    def sign(self) -> str:
        return SIGNS[self.kind]


def rows_of(changes: Iterable[Change], built: ManifestReader | None = None) -> list[ChangeRow]:
    """Return the rows of one page of a list; what is too large for a list is left to a page of its own.

    Names are those in the manifest that was `built` of their release.
    """
    remaining, rows = BYTES_READ_FOR_A_LIST, []
    for change in changes:
        cost = sum(blob.size_bytes for blob in _blobs(change) if blob)
        row = _row(change, IN_A_LIST, is_affordable=cost <= remaining)
        if row.look.text or row.look.pictures:
            remaining -= cost
        rows.append(_with_what_was_built(row, built))
    return rows


def row_of(change: Change, built: ManifestReader | None = None) -> ChangeRow:
    """Return one change with as much of it as is ever shown."""
    return _with_what_was_built(_row(change, ON_ITS_OWN), built)


def _with_what_was_built(row: ChangeRow, built: ManifestReader | None) -> ChangeRow:
    path = row.change.asset.path
    if built is None:
        return row
    if row.kind != "removed":
        return replace(row, served_as=visible(built.fingerprinted_name_of(path)))
    missed_by = () if built.is_answered(path) else tuple(map(visible, built.references_to(path)))
    return replace(row, missed_by=missed_by)


def _row(change: Change, limits: Limits, *, is_affordable: bool = True) -> ChangeRow:
    old, new = map(_side, _blobs(change))
    media_type = change.version.media_type if change.version else media_type_of(change.asset.path, b"")
    look = look_at(old, new, media_type, limits, is_affordable=is_affordable)
    return ChangeRow(change, _kind(change), media_type, look)


def _blobs(change: Change) -> tuple[Blob | None, Blob | None]:
    return change.replaced_blob, change.version.blob if change.version else None


def _side(blob: Blob | None) -> Side | None:
    return Side(blob.digest, blob.size_bytes) if blob else None


def _kind(change: Change) -> str:
    if change.kind == Change.Kind.REMOVE:
        return "removed"
    return "changed" if change.replaced_blob_id else "added"
