"""A browser at the staff door."""

from copy import copy
from functools import cache

from django.test import Client
from django.test.client import ClientHandler

from apps.accounts.models import User
from assetsite.doors import DOOR, Door


def staff_client(user: User | None = None) -> Client:
    """Return a client whose requests come in by the staff door, logged in as `user`."""
    client = Client(headers={"host": "localhost"})
    client.handler = copy(_handler())
    client.defaults[DOOR] = Door.STAFF
    if user:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@cache
def _handler() -> ClientHandler:
    """Return what every client begins with: its middleware lists the static files, which takes a while."""
    handler = ClientHandler(enforce_csrf_checks=False)
    handler.load_middleware()
    return handler
