"""The changes of a release as a page shows them: old beside new, within limits that keep it fast."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from apps.assets import store
from apps.assets.media_types import media_type_of
from apps.assets.models import Blob
from apps.releases.comparison import (
    MAX_SHOWN_LINES,
    MAX_TEXT_BYTES,
    TextComparison,
    as_text,
    compare,
    is_text,
    visible,
)
from apps.releases.impact import SIGNS
from apps.releases.manifest import ManifestReader
from apps.releases.models import Change
from apps.releases.pictures import MAX_PICTURE_BYTES, RASTER_TYPES, Picture, examine


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one change is shown: bytes a side, and lines."""

    text_bytes: int
    lines: int
    picture_bytes: int


IN_A_LIST = Limits(text_bytes=32 * 1024, lines=80, picture_bytes=1024 * 1024)
ON_ITS_OWN = Limits(text_bytes=MAX_TEXT_BYTES, lines=MAX_SHOWN_LINES, picture_bytes=MAX_PICTURE_BYTES)
BYTES_READ_FOR_A_LIST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Side:
    """What a path is on one side of a change."""

    digest: str
    size_bytes: int
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change, ready to be shown. `note` says why there is no comparison, where there is none.

    `served_as` is the fingerprinted name under which the new content is served as well, if it has one;
    `missed_by` are the files that refer to a removed path which nothing answers for.
    """

    change: Change
    kind: str
    media_type: str
    old: Side | None
    new: Side | None
    text: TextComparison | None = None
    note: str = ""
    is_left_to_its_page: bool = False
    served_as: str = ""
    missed_by: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return visible(self.change.asset.path)

    @property
    def sign(self) -> str:
        return SIGNS[self.kind]

    @property
    def pictures(self) -> list[tuple[str, Side]]:
        """The sides that are pictures, as ("old", side) and ("new", side)."""
        sides = (("old", self.old), ("new", self.new))
        return [(name, side) for name, side in sides if side and side.picture]


def rows_of(changes: Iterable[Change], built: ManifestReader | None = None) -> list[ChangeRow]:
    """Return the rows of one page of a list; what is too large for a list is left to a page of its own.

    Names are those in the manifest that was `built` of their release.
    """
    remaining, rows = BYTES_READ_FOR_A_LIST, []
    for change in changes:
        cost = sum(blob.size_bytes for blob in _blobs(change) if blob)
        row = _row(change, IN_A_LIST, is_affordable=cost <= remaining)
        if row.text or row.pictures:
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
    old, new = _blobs(change)
    media_type = change.version.media_type if change.version else media_type_of(change.asset.path, b"")
    plain = ChangeRow(change, _kind(change), media_type, _side(old), _side(new))
    if is_text(media_type):
        limit, show = limits.text_bytes, _with_text
    elif media_type in RASTER_TYPES:
        limit, show = limits.picture_bytes, _with_pictures
    else:
        return replace(plain, note="Only pictures and text can be looked at here.")
    if max(side.size_bytes for side in (plain.old, plain.new) if side) > limit:
        is_larger_elsewhere = limits is IN_A_LIST
        return replace(plain, note="Too large to compare here.", is_left_to_its_page=is_larger_elsewhere)
    if not is_affordable:
        return replace(plain, is_left_to_its_page=True)
    try:
        return show(plain, limits)
    except FileNotFoundError:
        return replace(plain, note="Storage lacks its bytes; restore them from a backup.")


def _with_text(row: ChangeRow, limits: Limits) -> ChangeRow:
    old, new = (as_text(store.read_blob(side.digest)) if side else "" for side in (row.old, row.new))
    if old is None or new is None:
        return replace(row, note="It is not text in UTF-8.")
    return replace(row, text=compare(old, new, max_lines=limits.lines))


def _with_pictures(row: ChangeRow, limits: Limits) -> ChangeRow:
    shown = replace(row, old=_examined(row.old), new=_examined(row.new))
    return shown if shown.pictures else replace(row, note="It is not the picture that its name says.")


def _examined(side: Side | None) -> Side | None:
    if side is None:
        return None
    with store.open_blob(side.digest) as stream:
        return Side(side.digest, side.size_bytes, examine(stream))


def _blobs(change: Change) -> tuple[Blob | None, Blob | None]:
    return change.replaced_blob, change.version.blob if change.version else None


def _side(blob: Blob | None) -> Side | None:
    return Side(blob.digest, blob.size_bytes) if blob else None


def _kind(change: Change) -> str:
    if change.kind == Change.Kind.REMOVE:
        return "removed"
    return "changed" if change.replaced_blob_id else "added"
