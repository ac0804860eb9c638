from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.releases.models.channels import Channel
from apps.releases.models.manifests import Manifest
from apps.releases.models.releases import Release


class EmergencyRequest(models.Model):
    """An administrator asks that a digest goes live without the approvals its channel asks for."""

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="emergency_requests")
    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    reason = models.TextField()

    class Meta:
        ordering = ("-id",)
        default_permissions = ()
        permissions = (("publish_in_emergency", "Can ask for and confirm an emergency publish"),)
        constraints = (models.CheckConstraint(condition=~Q(reason=""), name="emergency_has_a_reason"),)

    def __str__(self) -> str:
        return f"emergency publish of release {self.release_id}"


class EmergencyPublication(models.Model):
    """The mark of a publication that two administrators decided, for ever.

    It is written before the publication of that number, which its guard (migration 0012) lets pass for it.
    """

    request = models.OneToOneField(EmergencyRequest, on_delete=models.PROTECT, related_name="publication")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="+")
    sequence = models.PositiveIntegerField()
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("channel", "sequence"), name="one_emergency_a_publication"),
        )

    def __str__(self) -> str:
        return f"emergency publication {self.sequence} of {self.channel}"
