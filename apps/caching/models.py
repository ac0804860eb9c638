from django.conf import settings
from django.db import models

from apps.caching.rules import Combination, RuleState


class CacheRule(models.Model):
    """A named rule on what caches may do with some paths. Its content lies in its versions."""

    slug = models.SlugField(max_length=60, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("slug",)
        default_permissions = ("view", "add", "change")

    def __str__(self) -> str:
        return self.slug


class CacheRuleVersion(models.Model):
    """One wording of a rule, never changed afterwards; a release pins the versions it ships with.

    The JSON fields hold the shapes of `apps.caching.rules`: `Match`, `Policy`, `Bypass`, `Example`.
    """

    rule = models.ForeignKey(CacheRule, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    order = models.PositiveIntegerField(
        help_text="Rules are tried in this order; the first that matches decides."
    )
    match = models.JSONField()
    policy = models.JSONField()
    bypass_conditions = models.JSONField(default=list)
    examples = models.JSONField(default=list)
    expected_result = models.TextField()
    rollback_note = models.TextField()
    state = models.CharField(
        max_length=8,
        choices=[(state.value, state.value) for state in RuleState],
        default=RuleState.ACTIVE.value,
        db_default=RuleState.ACTIVE.value,
        help_text="Only an active version ships with the releases that are begun from then on.",
    )
    reason = models.TextField(
        blank=True, default="", db_default="", help_text="Why this version was made after the one before it."
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("order", "rule", "-number")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("rule", "number"), name="one_version_a_number"),
            models.CheckConstraint(
                condition=~models.Q(expected_result="") & ~models.Q(rollback_note=""),
                name="rule_states_result_and_rollback",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} (version {self.number})"


class RuleCombination(models.Model):
    """A decision on what becomes of a file that several rules match; the newest one counts."""

    combination = models.CharField(max_length=5, choices=[(each.value, each.value) for each in Combination])
    reason = models.TextField()
    chosen_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    chosen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=models.Q(combination__in=[each.value for each in Combination]),
                name="combination_is_known",
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="combination_has_reason"),
        )

    def __str__(self) -> str:
        return self.combination
