from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A person of the team. What they may do follows from their role, a group (see `roles`)."""

    def __str__(self) -> str:
        return self.get_full_name() or self.username
