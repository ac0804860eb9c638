from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.functions import Lower

from apps.releases.channels.hosts import MAX_HOST_CHARACTERS
from apps.releases.models.channels import Channel


class ChannelHost(models.Model):
    """A host name that a channel serves, as browsers send it; `*` is every host that no channel has."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="hosts")
    host = models.CharField(max_length=MAX_HOST_CHARACTERS, unique=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ()
        constraints = (
            models.CheckConstraint(condition=models.Q(host=Lower(F("host"))), name="host_is_in_lower_case"),
        )

    def __str__(self) -> str:
        return self.host


class FormerHost(models.Model):
    """A host that a channel with publications served last, and that no channel has now.

    The database writes it when the host is taken away, and removes it when a channel has that host again: a
    host goes on to a channel that asks for as much, also by way of none. Guards are in migration 0022.
    """

    host = models.CharField(max_length=MAX_HOST_CHARACTERS, primary_key=True)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="+")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.host}, of {self.channel_id} before"
