from django.db import models
from django.db.models import Q

from apps.releases.models.channels import Channel


class Drift(models.Model):
    """How the public address of a channel answered: the same from `began_at` until it was last looked at.

    `findings` are dictionaries with `address`, `header`, `expected`, `seen` and `where`, all of them text.
    `caches` is what caches on the way said at the last look: rule → `asked`, how many of its addresses were
    asked for, `said`, for how many a cache told what it did, and `hit`, for how many it had a copy.
    """

    class Outcome(models.TextChoices):
        RIGHT = "right", "as this site sends it"
        DRIFTED = "drifted", "changed on the way"
        NO_ANSWER = "no_answer", "no answer"

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="drifts")
    url = models.CharField(max_length=500)
    began_at = models.DateTimeField()
    looked_at = models.DateTimeField()
    outcome = models.CharField(max_length=9, choices=Outcome)
    asked = models.PositiveIntegerField(help_text="How many addresses were asked for.")
    words = models.TextField()
    findings = models.JSONField(default=list)
    caches = models.JSONField(null=True)

    class Meta:
        default_permissions = ()  # who sees the channel sees this
        indexes = (models.Index(fields=("channel", "-id"), name="drift_newest"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(outcome__in=("right", "drifted", "no_answer")), name="drift_outcome_is_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.channel} at {self.url}: {self.get_outcome_display()}"
