from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

from apps.assets.paths import MAX_PATH_CHARACTERS


class Channel(models.Model):
    """What a set of host names serves. Its history is the list of its publications."""

    name = models.SlugField(max_length=40, unique=True)
    required_approvals = models.PositiveSmallIntegerField(default=1)
    requires_baseline = models.BooleanField(
        default=False, help_text="Whether a brief has to say what the system does now."
    )
    approver_group = models.ForeignKey(
        Group,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who may approve, of those whose role lets them; nobody named: all of them.",
    )
    is_protected = models.BooleanField(
        default=False, help_text="Whether no single person can publish on it, open it again or remove it."
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text="The zone in which its freeze windows are meant."
    )
    clean_urls = models.BooleanField(default=False, help_text="Whether /about serves about.html.")
    not_found_page = models.CharField(
        max_length=MAX_PATH_CHARACTERS,
        default="404.html",
        blank=True,
        help_text="The path of the page that a 404 shows; empty for none.",
    )
    names_release = models.BooleanField(
        default=True, help_text="Whether answers carry Assetsite-Release and Assetsite-Rule."
    )
    early_hints = models.BooleanField(
        default=False, help_text="Whether a 103 names the parts of a page before the page is sent."
    )
    fingerprints = models.BooleanField(
        default=False, help_text="Whether pages are built to refer to files by fingerprinted names."
    )
    retention_days = models.PositiveSmallIntegerField(default=30)
    retention_publications = models.PositiveSmallIntegerField(default=20)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ("view", "add", "change", "delete")
        permissions = (
            ("roll_back_channel", "Can roll a channel back"),
            ("hold_channel", "Can put a channel on hold, and let it go on"),
            ("override_freeze", "Can publish during a freeze window"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(required_approvals__lte=3), name="channel_asks_for_at_most_3_approvals"
            ),
            models.CheckConstraint(
                condition=Q(retention_days__range=(1, 365), retention_publications__range=(1, 100)),
                name="channel_retains_names_for_a_while",
            ),
            models.CheckConstraint(
                condition=Q(is_protected=False) | Q(required_approvals__gte=1),
                name="channel_protected_asks_for_approval",
            ),
        )

    def __str__(self) -> str:
        return self.name
