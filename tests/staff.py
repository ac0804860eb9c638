"""A browser at the staff door."""

from django.test import Client

from apps.accounts.models import User
from assetsite.doors import DOOR, Door


def staff_client(user: User | None = None) -> Client:
    """Return a client whose requests come in by the staff door, logged in as `user`."""
    client = Client(headers={"host": "localhost"})
    client.defaults[DOOR] = Door.STAFF
    if user:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
