from django.db import models
from django.db.models import Q

from apps.assets.paths import MAX_PATH_CHARACTERS


class Channel(models.Model):
    """What a set of host names serves. Its history is the list of its publications."""

    name = models.SlugField(max_length=40, unique=True)
    required_approvals = models.PositiveSmallIntegerField(default=1)
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
        default_permissions = ("view", "change")
        permissions = (("roll_back_channel", "Can roll a channel back"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(required_approvals__lte=3), name="channel_asks_for_at_most_3_approvals"
            ),
            models.CheckConstraint(
                condition=Q(retention_days__range=(1, 365), retention_publications__range=(1, 100)),
                name="channel_retains_names_for_a_while",
            ),
        )

    def __str__(self) -> str:
        return self.name
