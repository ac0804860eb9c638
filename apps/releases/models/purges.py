from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.releases.models.publications import Publication


class Purge(models.Model):
    """What one cache in front was told to forget after a publication, and how far that has come."""

    class State(models.TextChoices):
        WAITING = "waiting", "in progress"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    publication = models.ForeignKey(Publication, on_delete=models.PROTECT, related_name="purges")
    cache = models.CharField(max_length=200, help_text="The name of the cache, without any secret.")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    total = models.PositiveIntegerField(help_text="How many surrogate keys and addresses it is told.")
    key_count = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many of these are surrogate keys, which come first."
    )
    done = models.PositiveIntegerField(default=0, help_text="How many it has been told, from the first on.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="How often it was begun.")
    failures = models.PositiveSmallIntegerField(default=0, help_text="How often in a row nothing was done.")
    next_at = models.DateTimeField(null=True, blank=True, help_text="When it is tried again, if it stops.")
    words = models.TextField(blank=True, help_text="What the cache said last, where it refused.")
    begun_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ()
        indexes = (models.Index(fields=("next_at",), condition=Q(state="waiting"), name="purge_waiting"),)
        constraints = (
            models.UniqueConstraint(fields=("publication", "cache"), name="one_purge_a_cache"),
            models.CheckConstraint(
                condition=Q(done__lte=models.F("total")), name="purge_tells_what_there_is"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", finished_at__isnull=True)
                | Q(state="done", finished_at__isnull=False, done=models.F("total"))
                | (Q(state="failed", finished_at__isnull=False) & ~Q(words="")),
                name="purge_is_finished_or_waits",
            ),
        )

    def __str__(self) -> str:
        return f"{self.cache} for {self.publication_id}"
