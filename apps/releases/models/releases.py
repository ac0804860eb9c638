from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.assets.models import Tagging
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination
from apps.releases.models.channels import Channel
from apps.releases.models.manifests import Manifest


class Release(models.Model):
    """A named set of changes on top of what a channel served when it was begun, its base."""

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        IN_REVIEW = "in_review", "in review"
        APPROVED = "approved", "approved"
        PUBLISHED = "published", "published"
        SUPERSEDED = "superseded", "superseded"
        REJECTED = "rejected", "rejected"
        WITHDRAWN = "withdrawn", "withdrawn"

    title = models.CharField(max_length=200)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="releases")
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    base = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    base_manifest = models.ForeignKey(
        Manifest, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    manifest = models.ForeignKey(
        Manifest, null=True, blank=True, on_delete=models.PROTECT, related_name="releases"
    )
    rules = models.ManyToManyField(CacheRuleVersion, related_name="releases")
    rule_combination = models.CharField(
        max_length=5,
        choices=[(each.value, each.value) for each in Combination],
        default=Combination.FIRST.value,
        db_default=Combination.FIRST.value,
        help_text="What becomes of a file that several of its rules match.",
    )
    tagging = models.ForeignKey(
        Tagging,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="How files are tagged for its rules; none where they do not ask.",
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="owned_releases",
        help_text="Who answers for it.",
    )
    expected_result = models.TextField(
        blank=True, help_text="What should be better afterwards, and how you will see it."
    )
    rollback_note = models.TextField(
        blank=True, help_text="When to roll back, whom to tell, and what else has to be undone."
    )
    route = models.CharField(max_length=500, blank=True, help_text="The URL or page that this is about.")
    expected_input = models.TextField(blank=True, help_text="What visitors or systems send there.")
    failing_command = models.TextField(
        blank=True, help_text="The slow query or failing command as it is now."
    )
    noticed_at = models.TextField(blank=True, help_text="The exact place where a user notices it.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    submitted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        default_permissions = ("view", "add", "change")
        permissions = (
            ("submit_release", "Can submit a release for review"),
            ("approve_release", "Can approve or reject a release"),
            ("publish_release", "Can publish a release"),
        )
        indexes = (
            models.Index(fields=("state", "-id"), name="release_by_state"),
            models.Index(fields=("owner", "-id"), name="release_by_owner"),
            models.Index(fields=("tagging",), condition=Q(tagging__isnull=False), name="release_by_tagging"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    state__in=(
                        "draft",
                        "in_review",
                        "approved",
                        "published",
                        "superseded",
                        "rejected",
                        "withdrawn",
                    )
                ),
                name="release_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("draft", "withdrawn"))
                | (
                    Q(owner__isnull=False, manifest__isnull=False)
                    & ~Q(expected_result="")
                    & ~Q(rollback_note="")
                ),
                name="release_is_briefed_before_review",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pk} {self.title}"

    @property
    def is_editable(self) -> bool:
        return self.state == self.State.DRAFT
