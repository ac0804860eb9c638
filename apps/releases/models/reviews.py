from django.conf import settings
from django.db import models

from apps.releases.models.manifests import Manifest
from apps.releases.models.releases import Release


class Approval(models.Model):
    """A person's word that one manifest digest may go live. It says nothing about any other digest."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="approvals")
    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, related_name="+")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("release", "manifest", "approver"), name="one_approval_a_person"),
        )

    def __str__(self) -> str:
        return f"{self.approver} approves {self.manifest_id[:12]}"
