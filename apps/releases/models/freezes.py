from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.releases.channels.freezing import Window
from apps.releases.models.channels import Channel
from apps.releases.models.publications import Publication


class FreezeWindow(models.Model):
    """A time in which nothing is published on a channel: every week, or once.

    Days and times are those of a clock on a wall in the channel's time zone
    (see `apps.releases.channels.freezing`).
    """

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="freeze_windows")
    from_weekday = models.PositiveSmallIntegerField(null=True, blank=True, help_text="0 is Monday.")
    to_weekday = models.PositiveSmallIntegerField(null=True, blank=True)
    from_date = models.DateField(null=True, blank=True)
    to_date = models.DateField(null=True, blank=True)
    from_time = models.TimeField()
    to_time = models.TimeField()
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    from_weekday__isnull=False,
                    to_weekday__isnull=False,
                    from_weekday__lte=6,
                    to_weekday__lte=6,
                    from_date__isnull=True,
                    to_date__isnull=True,
                )
                | Q(
                    from_weekday__isnull=True,
                    to_weekday__isnull=True,
                    from_date__isnull=False,
                    to_date__isnull=False,
                ),
                name="freeze_window_is_weekly_or_once",
            ),
        )

    def __str__(self) -> str:
        return self.window.words

    @property
    def window(self) -> Window:
        """The window as a value, which decides."""
        return Window(
            from_day=self.from_date if self.from_weekday is None else self.from_weekday,  # type: ignore[arg-type]
            from_time=self.from_time,
            to_day=self.to_date if self.to_weekday is None else self.to_weekday,  # type: ignore[arg-type]
            to_time=self.to_time,
        )


class FreezeOverride(models.Model):
    """Why something was published in a freeze window after all, for ever. Its actor decided it."""

    publication = models.OneToOneField(Publication, on_delete=models.PROTECT, related_name="freeze_override")
    reason = models.TextField()
    windows = models.TextField(help_text="The windows it was published in, in words, with their time zone.")
    frozen_until = models.DateTimeField(null=True, blank=True, help_text="None where no end was in sight.")

    class Meta:
        default_permissions = ()
        constraints = (models.CheckConstraint(condition=~Q(reason=""), name="override_has_a_reason"),)

    def __str__(self) -> str:
        return f"{self.publication} in {self.windows}"
