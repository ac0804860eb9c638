from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.releases.models.manifests import Manifest
from apps.releases.models.releases import Release


class Preview(models.Model):
    """A release shown on a host of its own before it is published.

    A row stays after its preview has ended. A candidate's shows one manifest for ever; a draft's shows
    what the draft held when it was last built, none before the first time. Guards are in the migration.
    """

    class Pointer(models.TextChoices):
        """What storage has of it, from which delivery reads: `due` where that has to be written (again)."""

        DUE = "due", "due"
        STORED = "stored", "stored"
        GONE = "gone", "gone"

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="previews")
    manifest = models.ForeignKey(Manifest, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=16, unique=True, help_text="Which preview it is, in its host's name.")
    is_of_draft = models.BooleanField(help_text="Whether it shows a draft, and may be built again.")
    built_at = models.DateTimeField(null=True, blank=True)
    change_count = models.PositiveIntegerField(
        default=0, help_text="How many changes the draft had when it was built."
    )
    expires_at = models.DateTimeField()
    has_banner = models.BooleanField(default=False)
    password = models.CharField(
        max_length=200, blank=True, help_text="Hashed; empty where none is asked for."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    pointer = models.CharField(max_length=6, choices=Pointer, default=Pointer.DUE)

    class Meta:
        ordering = ("-id",)
        default_permissions = ("view", "add")
        permissions = (("revoke_preview", "Can revoke previews that others have made"),)
        indexes = (
            models.Index(fields=("pointer", "id"), name="preview_to_settle", condition=~Q(pointer="gone")),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(pointer__in=("due", "stored", "gone")), name="preview_pointer_is_known"
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by__isnull=True)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="preview_is_revoked_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(manifest__isnull=False, built_at__isnull=False)
                | Q(manifest__isnull=True, built_at__isnull=True, is_of_draft=True),
                name="preview_of_candidate_has_its_manifest",
            ),
        )

    def __str__(self) -> str:
        return f"preview {self.key} of release {self.release_id}"
