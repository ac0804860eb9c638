"""The only writers of webhooks. Every call leaves one entry in the audit log."""

import re
import secrets
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.notifications.addresses import target_of
from apps.notifications.exceptions import UnknownKind, WebhookDisabled, WrongWebhook
from apps.notifications.kinds import Kind
from apps.notifications.models import Delivery, Webhook

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@transaction.atomic
def add_webhook(*, name: str, url: str, actor: User, kinds: Sequence[str] = ()) -> Webhook:
    """Add an address that is told of events of these kinds, or of all; its `secret` is new.

    Raises `Forbidden`, `WrongWebhook`, `WrongAddress`, `UnknownKind`.
    """
    require(actor, "notifications.add_webhook", to="add webhooks")
    target_of(url)
    webhook = Webhook.objects.create(
        name=_free_name(name), url=url, secret=_new_secret(), kinds=_known(kinds), created_by=actor
    )
    _record(webhook, actor, "add", f"Added the webhook {name} to {_shown(url)}.", kinds=webhook.kinds)
    return webhook


@transaction.atomic
def disable(*, webhook: Webhook, actor: User) -> Webhook:
    """Tell a webhook nothing more; what waits for it is given up. Raises `Forbidden`, `WebhookDisabled`."""
    require(actor, "notifications.change_webhook", to="disable webhooks")
    if not Webhook.objects.filter(pk=webhook.pk, is_active=True).update(is_active=False):
        raise WebhookDisabled(f"{webhook} is disabled already.", next_step="Nothing more is to be done.")
    webhook.refresh_from_db()
    webhook.deliveries.filter(state=Delivery.State.WAITING).update(
        state=Delivery.State.DEAD, settled_at=timezone.now(), outcome=f"{actor} disabled the webhook."
    )
    _record(webhook, actor, "disable", f"Disabled the webhook {webhook}.")
    return webhook


@transaction.atomic
def enable(*, webhook: Webhook, actor: User) -> Webhook:
    """Tell a webhook again of what happens from now on. Raises `Forbidden`."""
    require(actor, "notifications.change_webhook", to="enable webhooks")
    Webhook.objects.filter(pk=webhook.pk).update(is_active=True)
    webhook.refresh_from_db()
    _record(webhook, actor, "enable", f"Enabled the webhook {webhook}.")
    return webhook


@transaction.atomic
def renew_secret(*, webhook: Webhook, actor: User) -> Webhook:
    """Sign with a new secret from now on, also what waits. Raises `Forbidden`."""
    require(actor, "notifications.change_webhook", to="renew the secrets of webhooks")
    Webhook.objects.filter(pk=webhook.pk).update(secret=_new_secret())
    webhook.refresh_from_db()
    _record(webhook, actor, "renew_secret", f"Gave the webhook {webhook} a new secret.")
    return webhook


@transaction.atomic
def test(*, webhook: Webhook, actor: User) -> Webhook:
    """Tell one webhook of a test, by the way of all events. Raises `Forbidden`, `WebhookDisabled`."""
    require(actor, "notifications.change_webhook", to="test webhooks")
    if not webhook.is_active:
        raise WebhookDisabled(f"{webhook} is disabled.", next_step="Enable it first.")
    _record(webhook, actor, "test", f"{actor} tests the webhook {webhook}.")
    return webhook


def _free_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise WrongWebhook(
            f"No webhook can be called {name!r}.",
            next_step="Use small letters, digits, - and _, as in chat-releases.",
        )
    if Webhook.objects.filter(name=name).exists():
        raise WrongWebhook(f"There is a webhook {name} already.", next_step="Choose another name.")
    return name


def _known(kinds: Sequence[str]) -> list[str]:
    choices = [kind.value for kind in Kind if kind is not Kind.TEST]
    if unknown := [kind for kind in kinds if kind not in choices]:
        raise UnknownKind(
            f"Nothing is told of {unknown[0]!r}.", next_step=f"There are: {', '.join(choices)}."
        )
    return sorted(set(kinds))


def _new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"


def _shown(url: str) -> str:
    """Return where a URL leads, without its path: that of a chat is a password."""
    target = target_of(url)
    return f"{'https' if target.is_tls else 'http'}://{target.host}"


def _record(webhook: Webhook, actor: User, action: str, summary: str, **details: object) -> None:
    record(
        actor=actor,
        action=f"webhook.{action}",
        target=f"webhook {webhook}",
        summary=summary,
        details={"webhook": webhook.pk} | details,
    )
