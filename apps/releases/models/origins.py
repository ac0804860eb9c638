from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.assets.models import Blob
from apps.releases.models.manifests import Manifest
from apps.releases.models.releases import Release

MAX_NAME_CHARACTERS = 1024  # as long as a path can be, and longer than a redirect's source


class Origin(models.Model):
    """That a release was made out of another one. Append-only.

    A promoted release names the manifest that it takes over: it is never built to another one.
    """

    class Kind(models.TextChoices):
        REVERT = "revert", "reverts"
        PROMOTE = "promote", "promotes"
        COMBINE = "combine", "combines"
        SPLIT = "split", "was split from"

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="origins")
    kind = models.CharField(max_length=8, choices=Kind)
    source = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="offspring")
    manifest = models.ForeignKey(Manifest, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("release", "source"), name="one_origin_a_source"),
            models.CheckConstraint(
                condition=Q(kind="promote", manifest__isnull=False)
                | (~Q(kind="promote") & Q(manifest__isnull=True)),
                name="origin_has_a_manifest_if_promoted",
            ),
        )

    def __str__(self) -> str:
        return f"{self.release_id} {self.get_kind_display()} {self.source_id}"

    @property
    def made_in_words(self) -> str:
        """How the page of the source names what was made of it."""
        words = {"revert": "reverted by", "promote": "promoted as", "combine": "combined into"}
        return words.get(self.kind, "split off")


class Contributor(models.Model):
    """Somebody whose work is in a release without being the author of one of its changes.

    They had a part in what became the change of `path` (the source of a redirect with a slash in front),
    or in the whole, where it is empty. Nobody approves what they contributed to.
    """

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="contributors")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    path = models.CharField(max_length=MAX_NAME_CHARACTERS, blank=True)

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("release", "person", "path"), name="one_contributor_a_path"),
        )

    def __str__(self) -> str:
        return f"{self.person} in {self.path or 'all'} of {self.release_id}"


class Resolution(models.Model):
    """What was decided about one conflict of a release with what is live, until it is rebased.

    It holds for the three values that were looked at, whose digest is `seen`. It changes nothing in the
    release by itself.
    """

    class Kind(models.TextChoices):
        FILE = "file", "file"
        REDIRECT = "redirect", "redirect"
        RULE = "rule", "cache rule"

    class Choice(models.TextChoices):
        OURS = "ours", "what the release has"
        THEIRS = "theirs", "what is live"
        MERGED = "merged", "both, merged"

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="resolutions")
    kind = models.CharField(max_length=8, choices=Kind)
    name = models.CharField(max_length=MAX_NAME_CHARACTERS, blank=True)
    choice = models.CharField(max_length=6, choices=Choice)
    blob = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    seen = models.CharField(max_length=64)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("release", "kind", "name")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("release", "kind", "name"), name="one_resolution_a_conflict"),
            models.CheckConstraint(
                condition=Q(choice="merged", kind="file", blob__isnull=False)
                | (~Q(choice="merged") & Q(blob__isnull=True)),
                name="resolution_has_a_blob_if_merged",
            ),
        )

    def __str__(self) -> str:
        return f"{self.choice} for {self.name} of {self.release_id}"
