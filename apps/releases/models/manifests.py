from django.db import models
from django.db.models import Q

from apps.releases.models.channels import Channel


class ManifestFile(models.Model):
    """The newest file of something that is written as a manifest (see `apps.releases.manifest`)."""

    path_count = models.PositiveIntegerField()
    revision = models.PositiveIntegerField(default=1)
    file_name = models.CharField(max_length=200, help_text="Name in storage")
    file_sha256 = models.CharField(max_length=64)
    file_size_bytes = models.PositiveBigIntegerField()
    newest_representation = models.PositiveBigIntegerField(
        default=0, help_text="Id of the newest content coding that the file has taken into account."
    )

    class Meta:
        abstract = True


class Manifest(ManifestFile):
    """A built manifest: its digest, and the newest file that holds it.

    The digest is taken over canonical rows and never changes; content codings may be added later,
    which makes a new file of the next `revision`.
    """

    digest = models.CharField(primary_key=True, max_length=64)
    built_at = models.DateTimeField(auto_now_add=True)
    cleared_at = models.DateTimeField(
        null=True, blank=True, help_text="When its file was removed, since nobody could need it."
    )

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.digest[:12]


class RetainedNames(ManifestFile):
    """The fingerprinted names that a channel served and serves no longer, but still answers for.

    Derived from its publications, so a row that is lost, or whose file is, is made again (see
    `apps.releases.services.retention`). Where no name is kept there is no file.
    """

    channel = models.OneToOneField(
        Channel, on_delete=models.CASCADE, primary_key=True, related_name="retained_names"
    )
    first_publication = models.PositiveIntegerField(
        default=0, help_text="Number of the earliest publication whose names are kept."
    )
    last_publication = models.PositiveIntegerField(
        default=0, help_text="Number of the publication that was live when the names were gathered."
    )
    oldest_publication = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Number of the publication that the oldest of the names were last live in.",
    )

    class Meta:
        verbose_name_plural = "retained names"
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=Q(path_count=0, file_name="", oldest_publication__isnull=True)
                | (Q(path_count__gt=0, oldest_publication__isnull=False) & ~Q(file_name="")),
                name="retained_names_have_a_file",
            ),
        )

    def __str__(self) -> str:
        return f"names kept on {self.channel_id}"
