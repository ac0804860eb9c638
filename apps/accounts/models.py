from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person of the team. What they may do follows from their role, a group (see `roles`)."""

    time_zone = models.CharField(
        max_length=64,
        null=True,
        blank=True,
        help_text="The zone in which they read and type times; none for the site's own.",
    )

    def __str__(self) -> str:
        return self.get_full_name() or self.username
