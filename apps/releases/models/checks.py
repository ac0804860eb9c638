from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.releases.models.manifests import Manifest
from apps.releases.models.releases import Release


class CheckResult(models.Model):
    """What a check came to on one digest of a release; the newest of a check counts. Append-only.

    `findings` are `apps.releases.checks.Finding`, the first of them; `finding_count` counts all.
    """

    class Outcome(models.TextChoices):
        PASSED = "passed", "passed"
        FAILED = "failed", "failed"

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="check_results")
    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=60, help_text="Of the check, as commands call it.")
    outcome = models.CharField(max_length=6, choices=Outcome)
    words = models.TextField()
    findings = models.JSONField(default=list)
    finding_count = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=Q(outcome="passed", finding_count=0) | Q(outcome="failed", finding_count__gt=0),
                name="check_fails_by_its_findings",
            ),
            models.CheckConstraint(condition=~Q(name="") & ~Q(words=""), name="check_result_says_something"),
        )

    def __str__(self) -> str:
        return f"{self.name} of release {self.release_id}: {self.outcome}"


class CheckOverride(models.Model):
    """Why a release may go on although a check failed: of one result, and so of one digest. Append-only."""

    result = models.ForeignKey(CheckResult, on_delete=models.CASCADE, related_name="overrides")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("result", "by"), name="one_check_override_a_person"),
            models.CheckConstraint(condition=~Q(reason=""), name="check_override_has_a_reason"),
        )

    def __str__(self) -> str:
        return f"{self.by} overrides {self.result_id}"
