"""What writes assets: what they consist of, in `contents`, and their tags, in `tagging`."""

from apps.assets.services.contents import (
    NewCoding,
    enqueue_encoding,
    ensure_assets,
    ensure_blobs,
    ensure_versions,
    keep_codings,
)
from apps.assets.services.tagging import planned_tagging, tag_assets, undo_tagging

__all__ = [
    "NewCoding",
    "enqueue_encoding",
    "ensure_assets",
    "ensure_blobs",
    "ensure_versions",
    "keep_codings",
    "planned_tagging",
    "tag_assets",
    "undo_tagging",
]
