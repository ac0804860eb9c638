from django.db import models
from django.db.models import F, Q


class RuleCount(models.Model):
    """What was answered under a version of a rule within an hour or a day (UTC), by publication.

    Channel, publication and rule are kept as they were named: what was counted outlives a database that
    was restored from before.
    """

    rule = models.CharField(max_length=60)
    version = models.PositiveIntegerField()
    channel = models.CharField(max_length=60)
    publication = models.PositiveIntegerField()
    began_at = models.DateTimeField()
    is_day = models.BooleanField(default=False, help_text="Whether it is of a day; else it is of an hour.")
    requests = models.PositiveBigIntegerField(default=0)
    body_bytes = models.PositiveBigIntegerField(default=0)
    not_modified = models.PositiveBigIntegerField(default=0)
    errors = models.PositiveBigIntegerField(default=0)

    class Meta:
        default_permissions = ()  # who sees the rule sees this
        indexes = (models.Index(fields=("is_day", "began_at"), name="rule_count_by_time"),)
        constraints = (
            models.UniqueConstraint(
                fields=("rule", "version", "channel", "publication", "is_day", "began_at"),
                name="one_count_a_time",
            ),
            models.CheckConstraint(
                condition=Q(requests__gte=F("not_modified") + F("errors")), name="counted_kinds_are_requests"
            ),
        )

    def __str__(self) -> str:
        return f"{self.rule} (version {self.version}) on {self.channel}, from {self.began_at:%Y-%m-%d %H:%M}"


class TakenCounts(models.Model):
    """The name of a file of counts that are in the table, so that none is added twice."""

    name = models.CharField(max_length=100, unique=True)
    taken_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
