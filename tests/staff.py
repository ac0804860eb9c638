"""A browser at the staff door."""

from django.test import Client
from django.test.client import ClientHandler

from apps.accounts.models import User
from assetsite.doors import DOOR, Door

# One for all: its first request lists the static files, which takes longer than most pages.
_HANDLER = ClientHandler(enforce_csrf_checks=False)


def staff_client(user: User | None = None) -> Client:
    """Return a client whose requests come in by the staff door, logged in as `user`."""
    client = Client(headers={"host": "localhost"})
    client.handler = _HANDLER
    client.defaults[DOOR] = Door.STAFF
    if user:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
