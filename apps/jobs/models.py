from django.db import models
from django.utils import timezone


class Job(models.Model):
    """A piece of background work that may be run again: same key, same outcome.

    `django.tasks` carries it to a worker; this row is the truth about it. A running job whose
    heartbeat is old belongs to a worker that died and is taken over (`services.requeue_abandoned`).
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    key = models.CharField(max_length=200, unique=True, help_text="Idempotency key: one job for one effect.")
    kind = models.CharField(max_length=60)
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    log = models.TextField(blank=True)
    error = models.TextField(blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-queued_at", "-id")
        default_permissions = ("view",)
        permissions = (("retry_job", "Can run a failed job again"),)
        indexes = (models.Index(fields=("state", "-queued_at"), name="job_by_state"),)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=("queued", "running", "succeeded", "failed")),
                name="job_state_is_known",
            ),
        )

    def __str__(self) -> str:
        return self.key
