from django.conf import settings
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce

from apps.releases.models.channels import Channel
from apps.releases.models.publications import Publication


class Hold(models.Model):
    """Nothing is published on a channel, or on any where none is named, until somebody lifts this.

    A row is written once, and once more when it is lifted (guards in migration 0010).
    """

    channel = models.ForeignKey(
        Channel, null=True, blank=True, on_delete=models.PROTECT, related_name="holds"
    )
    reason = models.TextField()
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    placed_at = models.DateTimeField()
    rollback = models.OneToOneField(
        Publication,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="hold",
        help_text="The roll back that this came with.",
    )
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)
    lift_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                Coalesce("channel", Value(0)),
                condition=Q(lifted_at__isnull=True),
                name="one_open_hold_a_channel",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="hold_has_a_reason"),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by__isnull=True, lift_reason="")
                | (Q(lifted_at__isnull=False, lifted_by__isnull=False) & ~Q(lift_reason="")),
                name="hold_is_lifted_by_somebody_for_a_reason",
            ),
        )

    def __str__(self) -> str:
        return f"hold of {self.scope}"

    @property
    def is_stop(self) -> bool:
        """Whether it holds every channel, also those that are made while it lasts."""
        return self.channel_id is None

    @property
    def scope(self) -> str:
        return self.channel.name if self.channel else "all channels"
