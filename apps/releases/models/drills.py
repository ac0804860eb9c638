from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.releases.models.channels import Channel
from apps.releases.models.manifests import Manifest
from apps.releases.models.publications import Publication
from apps.releases.models.releases import Release


class Drill(models.Model):
    """A rehearsal of rolling a release back: it goes live on another channel, and is taken back there.

    It says something of one manifest digest: once the release has another, it is void. What ended never
    changes (guards in the migration that made the table).
    """

    class Outcome(models.TextChoices):
        PASSED = "passed", "passed"
        FAILED = "failed", "failed"

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="drills")
    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, related_name="+")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="drills")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    earlier = models.ForeignKey(
        Publication,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="What was live there before, and has to be again.",
    )
    published = models.OneToOneField(Publication, on_delete=models.PROTECT, related_name="+")
    rolled_back = models.OneToOneField(
        Publication, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=6, choices=Outcome, blank=True)
    words = models.TextField(blank=True, help_text="Why it failed.")

    class Meta:
        ordering = ("-id",)
        default_permissions = ("view",)
        indexes = (models.Index(fields=("id",), condition=Q(finished_at=None), name="drill_open"),)
        constraints = (
            models.UniqueConstraint(
                fields=("channel",), condition=Q(finished_at=None), name="one_drill_at_a_time_on_a_channel"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, outcome="", words="")
                | Q(finished_at__isnull=False, outcome="passed", words="", rolled_back__isnull=False)
                | (Q(finished_at__isnull=False, outcome="failed") & ~Q(words="")),
                name="drill_has_an_outcome_when_finished",
            ),
        )

    def __str__(self) -> str:
        return f"drill of release {self.release_id} on {self.channel}"

    @property
    def holds(self) -> bool:
        """Whether the release still has the digest that was rehearsed."""
        return self.release.manifest_id == self.manifest_id

    @property
    def elapsed_seconds(self) -> float | None:
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None
