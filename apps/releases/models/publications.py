from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.releases.models.channels import Channel
from apps.releases.models.manifests import Manifest
from apps.releases.models.releases import Release


class Publication(models.Model):
    """One entry of a channel's history, numbered from 1. Append-only (guards in migration 0002)."""

    class Kind(models.TextChoices):
        PUBLISH = "publish", "publish"
        ROLLBACK = "rollback", "roll back"

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="publications")
    sequence = models.PositiveIntegerField()
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="publications")
    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, related_name="publications")
    kind = models.CharField(max_length=8, choices=Kind)
    returns_to = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    tag = models.CharField(max_length=80, unique=True)
    published_at = models.DateTimeField()

    class Meta:
        ordering = ("channel", "-sequence")
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("release", "channel", "sequence"), name="publication_by_release"),
            models.Index(fields=("channel", "published_at"), name="publication_by_time"),
        )
        constraints = (
            models.UniqueConstraint(fields=("channel", "sequence"), name="one_publication_a_number"),
            models.CheckConstraint(
                condition=Q(kind="publish", returns_to__isnull=True)
                | (Q(kind="rollback", returns_to__isnull=False) & ~Q(reason="")),
                name="rollback_names_its_goal_and_reason",
            ),
        )

    def __str__(self) -> str:
        return self.tag
