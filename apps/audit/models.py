from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """One thing that somebody did. Append-only: triggers refuse UPDATE and DELETE (migration 0001)."""

    sequence = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    actor_name = models.CharField(max_length=150, help_text="The user name at that time; “system” for none.")
    action = models.CharField(max_length=60, help_text="Verb and object: release.publish")
    target = models.CharField(max_length=200, help_text="What it was done to: release 42")
    summary = models.TextField(help_text="One sentence for people.")
    details = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ("-sequence",)
        verbose_name_plural = "audit entries"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("target", "-sequence"), name="audit_by_target"),
            models.Index(fields=("actor", "-sequence"), name="audit_by_actor"),
        )

    def __str__(self) -> str:
        return f"{self.sequence}: {self.action}"


class AuditHead(models.Model):
    """The newest entry, in a single row: appending locks it, and a cut-off tail shows against it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="audit_head_is_single"),)

    def __str__(self) -> str:
        return f"head at {self.sequence}"
