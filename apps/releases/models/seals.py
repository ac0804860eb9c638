from django.db import models

from apps.releases.models.channels import Channel
from apps.releases.models.publications import Publication


class PublicationSeal(models.Model):
    """What makes a publication verifiable (see `apps.releases.history.seals`). Append-only, as that is.

    `channel` and `sequence` repeat the publication's, so that the chain is followed, and guarded, by
    this table alone.
    """

    publication = models.OneToOneField(
        Publication, on_delete=models.PROTECT, primary_key=True, related_name="seal"
    )
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="+")
    sequence = models.PositiveIntegerField()
    previous_hash = models.CharField(max_length=64)
    statement = models.TextField(help_text="One line of JSON: what was published, by whom, and why.")
    hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the statement.")
    key_id = models.CharField(max_length=16)
    signature = models.CharField(max_length=88, help_text="Ed25519 of the statement, in base64.")

    class Meta:
        ordering = ("channel", "-sequence")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("channel", "sequence"), name="one_seal_a_publication"),
        )

    def __str__(self) -> str:
        return self.hash[:12]
