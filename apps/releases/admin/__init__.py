"""The staff's pages of releases and channels, in the frame of Django's admin."""

from apps.releases.admin import rule_suggestions, rule_tags  # noqa: F401 - they register themselves
from apps.releases.admin.channels import ChannelAdmin
from apps.releases.admin.releases import ReleaseAdmin

__all__ = ["ChannelAdmin", "ReleaseAdmin"]
