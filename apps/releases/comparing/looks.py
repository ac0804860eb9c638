"""Two contents of a path side by side, as a person looks at them: as text, as pictures, or not at all."""

from dataclasses import dataclass, replace

from apps.assets import store
from apps.releases.comparing.pictures import MAX_PICTURE_BYTES, RASTER_TYPES, Picture, examine
from apps.releases.comparing.texts import (
    MAX_SHOWN_LINES,
    MAX_TEXT_BYTES,
    TextComparison,
    as_text,
    compare,
    is_text,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one change is shown: bytes a side, and lines."""

    text_bytes: int
    lines: int
    picture_bytes: int


IN_A_LIST = Limits(text_bytes=32 * 1024, lines=80, picture_bytes=1024 * 1024)
ON_ITS_OWN = Limits(text_bytes=MAX_TEXT_BYTES, lines=MAX_SHOWN_LINES, picture_bytes=MAX_PICTURE_BYTES)


@dataclass(frozen=True, slots=True)
class Side:
    """What a path is on one side of a change."""

    digest: str
    size_bytes: int
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to see. `note` says why there is no comparison, where there is none."""

    old: Side | None
    new: Side | None
    text: TextComparison | None = None
    note: str = ""
    is_left_to_its_page: bool = False

    @property
    def pictures(self) -> list[tuple[str, Side]]:
        """The sides that are pictures, as ("old", side) and ("new", side)."""
        sides = (("old", self.old), ("new", self.new))
        return [(name, side) for name, side in sides if side and side.picture]


def look_at(
    old: Side | None, new: Side | None, media_type: str, limits: Limits, *, is_affordable: bool = True
) -> Look:
    """Return as much of two contents as `limits` let; what is not affordable is left to a page of its own."""
    plain = Look(old, new)
    if is_text(media_type):
        limit, show = limits.text_bytes, _with_text
    elif media_type in RASTER_TYPES:
        limit, show = limits.picture_bytes, _with_pictures
    else:
        return replace(plain, note="Only pictures and text can be looked at here.")
    if max((side.size_bytes for side in (old, new) if side), default=0) > limit:
        is_larger_elsewhere = limits is IN_A_LIST
        return replace(plain, note="Too large to compare here.", is_left_to_its_page=is_larger_elsewhere)
    if not is_affordable:
        return replace(plain, is_left_to_its_page=True)
    try:
        return show(plain, limits)
    except FileNotFoundError:
        return replace(plain, note="Storage lacks its bytes; restore them from a backup.")


def _with_text(look: Look, limits: Limits) -> Look:
    old, new = (as_text(store.read_blob(side.digest)) if side else "" for side in (look.old, look.new))
    if old is None or new is None:
        return replace(look, note="It is not text in UTF-8.")
    return replace(look, text=compare(old, new, max_lines=limits.lines))


def _with_pictures(look: Look, limits: Limits) -> Look:
    shown = replace(look, old=_examined(look.old), new=_examined(look.new))
    return shown if shown.pictures else replace(look, note="It is not the picture that its name says.")


def _examined(side: Side | None) -> Side | None:
    if side is None:
        return None
    with store.open_blob(side.digest) as stream:
        return Side(side.digest, side.size_bytes, examine(stream))
