from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.releases.models.publications import Publication


class Receipt(models.Model):
    """What became of a publication: it is opened with it, filled in as things happen, and closed once.

    A closed one never changes, nor does any row of its (guards in the migration that made the table); but
    what caches in front show comes afterwards, and is added once.
    """

    class Verdict(models.TextChoices):
        VERIFIED = "verified", "verified"
        FAILED = "failed", "not verified"
        UNKNOWN = "unknown", "could not be verified"

    publication = models.OneToOneField(
        Publication, on_delete=models.PROTECT, primary_key=True, related_name="receipt"
    )
    pointer_at = models.DateTimeField(null=True, blank=True, help_text="When storage had its pointer.")
    followed_at = models.DateTimeField(
        null=True, blank=True, help_text="When the last node followed, or was waited for no longer."
    )
    url_count = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many addresses answer otherwise than before."
    )
    urls_name = models.CharField(max_length=200, blank=True, help_text="Name in storage of their list.")
    urls_sha256 = models.CharField(max_length=64, blank=True)
    surrogate_keys = models.JSONField(
        null=True, blank=True, help_text="How many of the addresses caches held under each surrogate key."
    )
    keyed_url_count = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many of the addresses caches held under any surrogate key."
    )
    verdict = models.CharField(max_length=8, choices=Verdict, blank=True)
    words = models.TextField(blank=True, help_text="Why it is not verified.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)
        indexes = (models.Index(fields=("publication",), condition=Q(finished_at=None), name="receipt_open"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True, verdict="", words="")
                | Q(finished_at__isnull=False, verdict="verified", words="", url_count__isnull=False)
                | (Q(finished_at__isnull=False, verdict__in=("failed", "unknown")) & ~Q(words="")),
                name="receipt_has_a_verdict_when_finished",
            ),
            models.CheckConstraint(
                condition=Q(url_count__isnull=True, urls_name="", urls_sha256="")
                | (Q(url_count__isnull=False) & ~Q(urls_name="") & ~Q(urls_sha256="")),
                name="receipt_has_a_list_if_counted",
            ),
        )

    def __str__(self) -> str:
        return f"receipt of {self.publication_id}"


class ReceiptStep(models.Model):
    """One thing seen after a publication: a node that followed or did not, an answer. Append-only.

    Of the examples of its rules those are noted that do not hold and, as number 0, what all come to: by what
    this site answers, and by what the caches in front of it do. What these show when somebody has it looked
    again begins with number 1000, 2000, …
    """

    class Kind(models.TextChoices):
        NODE = "node", "node"
        FETCH = "fetch", "fetched"
        EXAMPLE = "rule", "example"
        IN_FRONT = "front", "through the caches in front"

    NUMBERS_OF_A_LOOK = 1_000

    receipt = models.ForeignKey(Receipt, on_delete=models.PROTECT, related_name="steps")
    kind = models.CharField(max_length=5, choices=Kind)
    number = models.PositiveIntegerField(
        help_text="From 0 for each kind, so that none is noted twice; of a second look from 1000."
    )
    subject = models.TextField(help_text="The node's name, or the address.")
    at = models.DateTimeField()
    is_good = models.BooleanField()
    words = models.TextField(help_text="What was seen, and what was expected where that differs.")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="Who had it looked again; nobody for what the site sees by itself.",
    )

    class Meta:
        ordering = ("id",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("receipt", "kind", "number"), name="one_receipt_step_a_number"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
