"""What the database keeps of releases: fields and constraints, no workflows."""

from apps.releases.models.changes import Change, RedirectChange
from apps.releases.models.channels import Channel
from apps.releases.models.checks import CheckOverride, CheckResult
from apps.releases.models.drift import Drift
from apps.releases.models.drills import Drill
from apps.releases.models.emergencies import EmergencyPublication, EmergencyRequest
from apps.releases.models.freezes import FreezeOverride, FreezeWindow
from apps.releases.models.holds import Hold
from apps.releases.models.hosts import ChannelHost, FormerHost
from apps.releases.models.manifests import Manifest, ManifestFile, RetainedNames
from apps.releases.models.origins import Contributor, Origin, Resolution
from apps.releases.models.previews import Preview
from apps.releases.models.proposals import ChannelProposal
from apps.releases.models.publications import Publication
from apps.releases.models.purges import Purge
from apps.releases.models.receipts import Receipt, ReceiptStep
from apps.releases.models.releases import Release
from apps.releases.models.reviews import Approval, Comment, Involvement, Settlement
from apps.releases.models.schedules import Schedule
from apps.releases.models.seals import PublicationSeal

__all__ = [
    "Approval",
    "Change",
    "Channel",
    "ChannelHost",
    "ChannelProposal",
    "CheckOverride",
    "CheckResult",
    "Comment",
    "Contributor",
    "Drift",
    "Drill",
    "EmergencyPublication",
    "EmergencyRequest",
    "FormerHost",
    "FreezeOverride",
    "FreezeWindow",
    "Hold",
    "Involvement",
    "Manifest",
    "ManifestFile",
    "Origin",
    "Preview",
    "Publication",
    "PublicationSeal",
    "Purge",
    "Receipt",
    "ReceiptStep",
    "RedirectChange",
    "Release",
    "Resolution",
    "RetainedNames",
    "Schedule",
    "Settlement",
]
