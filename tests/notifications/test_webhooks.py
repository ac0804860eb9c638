"""Webhooks are added, tested and disabled by service and by command; each act is in the audit log."""

import json
from typing import Any

import pytest
from django.core.management import call_command

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.notifications.exceptions import (
    UnknownKind,
    UnknownWebhook,
    WebhookDisabled,
    WrongAddress,
    WrongWebhook,
)
from apps.notifications.kinds import Kind
from apps.notifications.models import Mute, Webhook
from apps.notifications.selectors import webhook_named
from apps.notifications.services import webhooks
from apps.notifications.services.handing_out import hand_out
from apps.notifications.services.preferences import muted_by, set_muted
from apps.notifications.services.sending import send_next
from tests.notifications.receivers import Receiver

Capture = pytest.CaptureFixture[str]
URL = "https://chat.example.com/hooks/secret-part"


def run(capsys: Capture, *words: object) -> Any:
    capsys.readouterr()
    call_command("webhook", *map(str, words), "--json")
    return json.loads(capsys.readouterr().out)


def test_adding_one_makes_a_secret_and_names_no_path_in_the_log(administrator: User) -> None:
    made = webhooks.add_webhook(name="chat", url=URL, kinds=["published", "published"], actor=administrator)
    assert made.secret.startswith("whsec_")
    assert len(made.secret) > 40
    assert made.kinds == ["published"]
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.target) == ("webhook.add", "webhook chat")
    assert entry.summary == "Added the webhook chat to https://chat.example.com."
    assert "secret" not in json.dumps(entry.details)


def test_what_cannot_be_added_is_refused(administrator: User, manager: User) -> None:
    webhooks.add_webhook(name="chat", url=URL, actor=administrator)
    for refusal, fields in (
        (WrongWebhook, {"name": "chat"}),
        (WrongWebhook, {"name": "No good"}),
        (WrongAddress, {"url": "http://chat.example.com/"}),
        (UnknownKind, {"kinds": ["lunch"]}),
        (UnknownKind, {"kinds": ["test"]}),
        (Forbidden, {"actor": manager}),
    ):
        values: dict[str, Any] = {"name": "other", "url": URL, "actor": administrator} | fields
        with pytest.raises(refusal):
            webhooks.add_webhook(**values)
    assert Webhook.objects.count() == 1
    with pytest.raises(UnknownWebhook, match=r"There are: chat\."):
        webhook_named("lunch")


def test_it_is_disabled_once_and_enabled_again(webhook: Webhook, administrator: User, manager: User) -> None:
    for act in (webhooks.disable, webhooks.enable, webhooks.test, webhooks.renew_secret):
        with pytest.raises(Forbidden):
            act(webhook=webhook, actor=manager)
    webhooks.disable(webhook=webhook, actor=administrator)
    with pytest.raises(WebhookDisabled):
        webhooks.disable(webhook=webhook, actor=administrator)
    webhooks.enable(webhook=webhook, actor=administrator)
    assert webhook.is_active


def test_everybody_decides_what_they_are_told(editor: User, other_editor: User) -> None:
    set_muted(person=editor, kinds=[Kind.PUBLISHED, Kind.APPROVED], actor=editor)
    set_muted(person=editor, kinds=[Kind.PUBLISHED], actor=editor)
    count = AuditEntry.objects.count()
    assert set_muted(person=editor, kinds=[Kind.PUBLISHED], actor=editor) == {"published"}
    assert AuditEntry.objects.count() == count
    assert muted_by(editor) == {"published"}
    assert Mute.objects.count() == 1
    with pytest.raises(Forbidden):
        set_muted(person=editor, kinds=[], actor=other_editor)
    with pytest.raises(UnknownKind):
        set_muted(person=editor, kinds=["lunch"], actor=editor)


def test_a_webhook_lives_by_command(administrator: User, receiver: Receiver, capsys: Capture) -> None:
    added = run(capsys, "add", "chat", receiver.url, "--kind", "published", "--kind", "rolled_back")
    assert added["kinds"] == ["published", "rolled_back"]
    assert added["secret"] == Webhook.objects.get().secret
    run(capsys, "test", "chat")
    hand_out()
    send_next(webhook=Webhook.objects.get().pk)
    shown = run(capsys, "show", "chat")
    (sent,) = shown["deliveries"]
    assert (sent["event"], sent["state"], sent["attempts"][0]["status"]) == ("test", "sent", 200)
    assert "secret" not in shown
    (row,) = run(capsys, "list")
    assert (row["waiting"], row["given_up"], bool(row["last_sent"])) == (0, 0, True)
    assert run(capsys, "renew-secret", "chat")["secret"] != added["secret"]
    assert run(capsys, "disable", "chat")["is_active"] is False
    assert run(capsys, "enable", "chat")["is_active"] is True


def test_for_people_it_prints_lines(administrator: User, receiver: Receiver, capsys: Capture) -> None:
    call_command("webhook", "list")
    assert "None yet" in capsys.readouterr().out
    call_command("webhook", "add", "chat", receiver.url)
    assert "Its secret, shown only now: whsec_" in capsys.readouterr().out
    receiver.status = 500
    call_command("webhook", "test", "chat")
    hand_out()
    send_next(webhook=Webhook.objects.get().pk)
    call_command("webhook", "list")
    call_command("webhook", "show", "chat")
    words = capsys.readouterr().out
    assert "active    1 waiting, 0 given up" in words
    assert "told of: everything" in words
    assert "waiting, 1 tries: It answered 500." in words
