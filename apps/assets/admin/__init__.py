"""The staff's pages of files: what they consisted of, and how they are tagged."""

from apps.assets.admin.assets import AssetAdmin
from apps.assets.admin.versions import AssetVersionAdmin

__all__ = ["AssetAdmin", "AssetVersionAdmin"]
