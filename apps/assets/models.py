from django.conf import settings
from django.db import models

from apps.tag_names import MAX_TAG_CHARACTERS


class Effort(models.IntegerChoices):
    """How hard it was tried to make content codings small."""

    NONE = 0, "not tried"
    FAST = 1
    BEST = 2


class Blob(models.Model):
    """Bytes named by their SHA-256. The bytes lie in storage (`store`), written once."""

    digest = models.CharField(primary_key=True, max_length=64, help_text="SHA-256, lower-case hex")
    size_bytes = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    effort = models.PositiveSmallIntegerField(
        choices=Effort,
        default=Effort.NONE,
        help_text="How hard content codings have been tried; those worth keeping are representations.",
    )

    class Meta:
        default_permissions = ("view",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(digest__regex=r"^[0-9a-f]{64}$"), name="blob_digest_is_sha256"
            ),
        )

    def __str__(self) -> str:
        return self.digest[:12]


class Representation(models.Model):
    """A content coding of a blob, itself kept as a blob, that is worth sending instead of it.

    A smaller one takes its place as a new row, and ids are given in the order of commits
    (`services.keep_codings`): what has a higher id than any that a reader knows is news to it.
    """

    class Coding(models.TextChoices):
        ZSTD = "zstd"
        BR = "br"
        GZIP = "gzip"

    blob = models.ForeignKey(Blob, on_delete=models.CASCADE, related_name="representations")
    coding = models.CharField(max_length=8, choices=Coding)
    encoded = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    effort = models.PositiveSmallIntegerField(choices=Effort, default=Effort.BEST)

    class Meta:
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("blob", "coding"), name="one_representation_a_coding"),
        )

    def __str__(self) -> str:
        return f"{self.blob_id[:12]} as {self.coding}"


class Leftover(models.Model):
    """A name in storage that nothing refers to, `since` then. See `apps.assets.leftovers`.

    The row stays for a day once its bytes were removed, for who has seen them just before.
    """

    name = models.CharField(primary_key=True, max_length=200)
    size_bytes = models.PositiveBigIntegerField()
    since = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=("removed_at", "since"), name="leftover_due"),)

    def __str__(self) -> str:
        return self.name


class Asset(models.Model):
    """A path that the site has served or is about to serve."""

    path = models.CharField(max_length=1024, unique=True)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("path",)
        default_permissions = ("view", "add", "change")

    def __str__(self) -> str:
        return self.path


class Tagging(models.Model):
    """An act of giving tags to assets, or of taking them away. Append-only.

    Ids are given in the order of commits, so that an id stands for what was tagged how from then on, until
    the next: a release pins one.
    """

    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"tagging {self.pk}"


class AssetTag(models.Model):
    """A tag that an asset has carried `since` one act `until` another one, or carries still."""

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="tags")
    name = models.CharField(max_length=MAX_TAG_CHARACTERS)
    since = models.ForeignKey(Tagging, on_delete=models.PROTECT, related_name="given")
    until = models.ForeignKey(
        Tagging, null=True, blank=True, on_delete=models.PROTECT, related_name="taken_away"
    )

    class Meta:
        ordering = ("name", "asset")
        default_permissions = ()
        indexes = (models.Index(fields=("name", "asset"), name="asset_tag_by_name"),)
        constraints = (
            models.UniqueConstraint(
                fields=("asset", "name"), condition=models.Q(until__isnull=True), name="asset_tag_once"
            ),
            models.CheckConstraint(
                condition=models.Q(until__isnull=True) | models.Q(until__gt=models.F("since")),
                name="asset_tag_ends_after_it_began",
            ),
            models.CheckConstraint(condition=~models.Q(name=""), name="asset_tag_has_a_name"),
        )

    def __str__(self) -> str:
        return self.name


class AssetVersion(models.Model):
    """What an asset consisted of at one time: a blob and its media type."""

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="versions")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    media_type = models.CharField(max_length=127)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("asset", "-id")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("asset", "blob", "media_type"), name="one_version_a_content"),
        )

    def __str__(self) -> str:
        return f"{self.asset} {self.blob_id[:12]}"
