"""Releases to tell of, and somebody who listens."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.notifications.models import Webhook
from apps.notifications.services.webhooks import add_webhook
from tests.notifications.receivers import MailServer, Receiver, http_receiver, mail_server
from tests.releases.conftest import (  # noqa: F401 - fixtures
    approved,
    live,
    make_release,
    production,
    publish,
    spring,
)


@pytest.fixture(autouse=True)
def _mail_is_on(settings: Settings) -> None:
    settings.SENDS_MAIL = True
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    settings.EMAIL_FROM = "assetsite@example.com"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def smtp(settings: Settings) -> Iterator[MailServer]:
    with mail_server() as server:
        settings.MAILERS = {
            "default": {
                "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
                "OPTIONS": {"host": "127.0.0.1", "port": server.port, "timeout": 10},
            }
        }
        yield server


@pytest.fixture
def webhook(administrator: User, receiver: Receiver) -> Webhook:
    return add_webhook(name="chat", url=receiver.url, actor=administrator)


def with_addresses(*people: User) -> None:
    for person in people:
        User.objects.filter(pk=person.pk).update(email=f"{person.username}@example.com")
