from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.assets.models import Asset, AssetVersion, Blob
from apps.releases.manifest import Redirect
from apps.releases.models.releases import Release
from apps.releases.redirects.values import (
    MAX_SOURCE_CHARACTERS,
    MAX_TARGET_CHARACTERS,
    STATUSES,
    typed_source,
)


class Change(models.Model):
    """One line of a release: a path gets a version (`put`) or disappears (`remove`)."""

    class Kind(models.TextChoices):
        PUT = "put", "put"
        REMOVE = "remove", "remove"

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="changes")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="changes")
    kind = models.CharField(max_length=6, choices=Kind)
    version = models.ForeignKey(
        AssetVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    replaced_blob = models.ForeignKey(
        Blob,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="What the base serves at this path; none where the path is new.",
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("release", "asset__path")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("release", "asset"), name="one_change_a_path"),
            models.CheckConstraint(
                condition=Q(kind="put", version__isnull=False)
                | Q(kind="remove", version__isnull=True, replaced_blob__isnull=False),
                name="change_has_a_version_if_put",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.asset}"


class RedirectChange(models.Model):
    """One line of a release: a path that is not served leads elsewhere (`put`), or no longer does (`remove`).

    Source and target are as manifests keep them (see `apps.releases.redirects.values`).
    """

    class Kind(models.TextChoices):
        PUT = "put", "put"
        REMOVE = "remove", "remove"

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="redirect_changes")
    source = models.CharField(max_length=MAX_SOURCE_CHARACTERS, blank=True)
    kind = models.CharField(max_length=6, choices=Kind)
    target = models.CharField(max_length=MAX_TARGET_CHARACTERS, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("release", "source")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("release", "source"), name="one_redirect_change_a_source"),
            models.CheckConstraint(
                # A status that is null would pass a check of its range.
                condition=Q(kind="put", status__isnull=False, status__in=STATUSES) & ~Q(target="")
                | Q(kind="remove", status__isnull=True, target=""),
                name="redirect_change_has_a_target_if_put",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {typed_source(self.source)}"

    @property
    def redirect(self) -> Redirect | None:
        """What the source leads to with this change, or None where it no longer leads anywhere."""
        return Redirect(self.source, self.target, self.status) if self.status else None
