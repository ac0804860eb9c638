from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.assets.paths import MAX_PATH_CHARACTERS
from apps.releases.models.manifests import Manifest
from apps.releases.models.releases import Release


class Approval(models.Model):
    """A person's word that one manifest digest may go live. It says nothing about any other digest."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="approvals")
    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, related_name="+")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("release", "manifest", "approver"), name="one_approval_a_person"),
        )

    def __str__(self) -> str:
        return f"{self.approver} approves {self.manifest_id[:12]}"


class Involvement(models.Model):
    """What somebody once did to a release, and that its changes of today no longer show. Append-only.

    Services write them. The database itself writes those that would be lost: of who owned the release,
    and whose change was replaced or taken out.
    """

    class Kind(models.TextChoices):
        BEGAN = "began", "began it"
        OWNED = "owned", "has owned it"
        CHANGED = "changed", "has changed what it holds"
        BRIEFED = "briefed", "has written its brief"
        SUBMITTED = "submitted", "has submitted it"
        TAGGED = "tagged", "has tagged files for its cache rules"

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="involvements")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=9, choices=Kind)
    at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("release", "person", "kind"), name="one_involvement_a_kind"),
        )

    def __str__(self) -> str:
        return f"{self.person} {self.get_kind_display()}"


class Comment(models.Model):
    """What somebody said of a release, of a path that it changes, or in answer to that. Append-only."""

    class Kind(models.TextChoices):
        REMARK = "remark", "said"
        REQUEST = "request", "asked for changes"
        REJECTION = "rejection", "rejected it"

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=9, choices=Kind, default=Kind.REMARK)
    path = models.CharField(
        max_length=MAX_PATH_CHARACTERS,
        blank=True,
        help_text="The file or, with a slash before it, the redirect that it is about; empty: the release.",
    )
    answers = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="answered_by"
    )
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ("view", "add")
        constraints = (
            models.CheckConstraint(condition=~Q(text=""), name="comment_says_something"),
            models.CheckConstraint(
                condition=Q(answers__isnull=True) | Q(kind="remark", path=""), name="answer_is_a_remark"
            ),
        )

    def __str__(self) -> str:
        return f"{self.author} {self.get_kind_display()}: {self.text[:60]}"


class Settlement(models.Model):
    """That a comment was settled, or is open again; the newest of a comment holds. Append-only."""

    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="settlements")
    is_resolved = models.BooleanField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.comment_id} {'settled' if self.is_resolved else 'open'}"
