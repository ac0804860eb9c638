from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.releases.models.manifests import Manifest
from apps.releases.models.publications import Publication
from apps.releases.models.releases import Release


class Schedule(models.Model):
    """That one digest of a release is to go live, or to be taken down, at a moment.

    It is settled once: done, late (done, but after its time), failed or cancelled, with the words for it
    in `outcome` (guards in migration 0007).
    """

    class Action(models.TextChoices):
        PUBLISH = "publish", "publish"
        END = "end", "take down"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        DONE = "done", "done"
        LATE = "late", "done late"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="schedules")
    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=7, choices=Action)
    at = models.DateTimeField()
    time_zone = models.CharField(max_length=64, help_text="The zone in which the time was typed.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    tried_at = models.DateTimeField(null=True, blank=True, help_text="When storage first failed to do it.")
    outcome = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    publication = models.OneToOneField(
        Publication, null=True, blank=True, on_delete=models.PROTECT, related_name="schedule"
    )
    revert = models.ForeignKey(
        Release,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The draft that would take it down, where later releases are on top.",
    )

    class Meta:
        ordering = ("at", "id")
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("state", "at"), name="schedule_by_time"),
            models.Index(fields=("release", "-id"), name="schedule_by_release"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("release", "action"),
                condition=Q(state="waiting"),
                name="one_waiting_schedule_an_action",
            ),
            models.CheckConstraint(
                condition=Q(action__in=("publish", "end")), name="schedule_action_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", done_at__isnull=True)
                | (
                    Q(state__in=("done", "late", "failed", "cancelled"), done_at__isnull=False)
                    & ~Q(outcome="")
                ),
                name="schedule_is_settled_with_words",
            ),
            models.CheckConstraint(
                condition=Q(publication__isnull=True) | Q(state__in=("done", "late")),
                name="schedule_has_a_publication_if_done",
            ),
            models.CheckConstraint(
                condition=Q(revert__isnull=True) | Q(state="failed", action="end"),
                name="schedule_has_a_revert_if_not_ended",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_action_display()} release {self.release_id}"
