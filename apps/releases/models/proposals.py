from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.releases.models.channels import Channel


class ChannelProposal(models.Model):
    """That a channel should ask for less before something goes live on it; another administrator decides.

    `before` and `after` are values of the channel's column as text, of a group its id; nothing is "".
    A confirmed proposal lets the channel change to exactly that, once: the database then applies it.
    """

    class Field(models.TextChoices):
        APPROVALS = "required_approvals", "required approvals"
        APPROVERS = "approver_group", "group that may approve"
        PROTECTION = "is_protected", "protected"

    class State(models.TextChoices):
        OPEN = "open", "open"
        CONFIRMED = "confirmed", "confirmed"
        APPLIED = "applied", "done"
        DECLINED = "declined", "declined"

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="proposals")
    field = models.CharField(max_length=18, choices=Field)
    before = models.CharField(max_length=20, blank=True)
    after = models.CharField(max_length=20, blank=True)
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True, help_text="Why nobody else confirmed it.")

    class Meta:
        ordering = ("id",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("channel", "field"), condition=Q(state="open"), name="one_open_proposal_a_field"
            ),
            models.CheckConstraint(
                condition=Q(state="open", decided_by__isnull=True, decided_at__isnull=True)
                | Q(
                    state__in=("confirmed", "applied", "declined"),
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
                name="proposal_is_open_or_decided",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_field_display()} of {self.channel}"
