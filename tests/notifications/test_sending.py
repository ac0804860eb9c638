"""What is told arrives: once in the end, signed, with each attempt written down, or it is given up."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from unittest import mock

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.accounts.services import set_time_zone
from apps.notifications import lanes, tasks
from apps.notifications.backoff import MAX_ATTEMPTS, pause_after
from apps.notifications.exceptions import NotGivenUp, WebhookDisabled
from apps.notifications.models import Attempt, Delivery, Event, Webhook
from apps.notifications.services import webhooks
from apps.notifications.services.deliveries import send_again
from apps.notifications.services.handing_out import hand_out
from apps.notifications.services.sending import LEASE, Outcome, lanes_due, send_next, write_down
from apps.releases.models import Release
from apps.releases.services import publishing, review
from tests.notifications.conftest import with_addresses
from tests.notifications.receivers import MailServer, Receiver
from tests.releases.clock import Clock, stopped_clock

State = Delivery.State


@pytest.fixture
def clock() -> Iterator[Clock]:
    with stopped_clock() as clock:
        yield clock


@pytest.fixture
def delivery(webhook: Webhook, administrator: User) -> Delivery:
    """A test that is to be sent to the webhook."""
    webhooks.test(webhook=webhook, actor=administrator)
    hand_out()
    return Delivery.objects.get()


def send(webhook: Webhook, delivery: Delivery) -> Delivery:
    send_next(webhook=webhook.pk)
    delivery.refresh_from_db()
    return delivery


def test_a_webhook_gets_signed_json(
    approved: Release, manager: User, webhook: Webhook, receiver: Receiver, settings: Settings
) -> None:
    settings.STAFF_URL = "https://staff.example.com"
    Webhook.objects.update(kinds=["published"])
    hand_out()
    Delivery.objects.all()._raw_delete("default")
    publishing.publish(release=approved, actor=manager)
    hand_out()
    assert send_next(webhook=webhook.pk)

    (posted,) = receiver.posted
    time, _, mac = posted.headers["Assetsite-Signature"].partition(",v1=")
    signed = f"{time.removeprefix('t=')}.".encode() + posted.body
    assert mac == hmac.new(webhook.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert abs(int(time.removeprefix("t=")) - timezone.now().timestamp()) < 60
    body = json.loads(posted.body)
    delivery = Delivery.objects.get(webhook=webhook)
    assert body["id"] == posted.headers["Idempotency-Key"] == str(delivery.key)
    assert posted.headers["Assetsite-Event"] == body["event"] == "published"
    assert (body["release"], body["title"], body["channel"]) == (approved.pk, "Spring", "production")
    assert body["url"] == f"https://staff.example.com/admin/releases/release/{approved.pk}/change/"
    assert body["details"]["publication"] == 2
    assert (delivery.state, delivery.attempts) == (State.SENT, 1)
    assert Attempt.objects.get().status == 200
    assert not send_next(webhook=webhook.pk)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, "It answered 500."),
        (404, "It answered 404."),
        (302, "It answered 302; redirects are not followed."),
    ],
)
def test_another_answer_is_tried_again_later_with_the_same_key_and_bytes(
    webhook: Webhook, delivery: Delivery, receiver: Receiver, clock: Clock, status: int, error: str
) -> None:
    clock.forward(days=1)
    receiver.status = status
    send(webhook, delivery)
    assert (delivery.state, delivery.outcome) == (State.WAITING, error)
    assert delivery.next_at == clock.now + timedelta(seconds=10)
    assert not send_next(webhook=webhook.pk)

    clock.forward(seconds=11)
    receiver.status = 200
    send(webhook, delivery)
    assert (delivery.state, delivery.outcome) == (State.SENT, "")
    first, second = receiver.posted
    assert (first.body, first.headers["Idempotency-Key"]) == (second.body, second.headers["Idempotency-Key"])
    assert list(Attempt.objects.order_by("number").values_list("number", "status", "error")) == [
        (1, status, error),
        (2, 200, ""),
    ]


def test_it_is_given_up_in_the_end_and_can_be_sent_again(
    webhook: Webhook, delivery: Delivery, receiver: Receiver, administrator: User, editor: User, clock: Clock
) -> None:
    receiver.status = 503
    clock.forward(days=1)
    for number in range(1, MAX_ATTEMPTS + 1):
        send(webhook, delivery)
        clock.now += pause_after(number)
    assert delivery.state == State.DEAD
    assert delivery.outcome == "Given up after 8 attempts. The last: It answered 503."

    with pytest.raises(Forbidden):
        send_again(delivery=delivery, actor=editor)
    send_again(delivery=delivery, actor=administrator)
    send(webhook, delivery)
    assert (delivery.state, delivery.attempts, delivery.next_at) == (
        State.WAITING, 9, clock.now + timedelta(seconds=10),
    )  # fmt: skip
    clock.forward(seconds=10)
    receiver.status = 200
    assert send(webhook, delivery).state == State.SENT
    with pytest.raises(NotGivenUp):
        send_again(delivery=delivery, actor=administrator)


def test_a_disabled_webhook_is_told_nothing_more(
    webhook: Webhook, delivery: Delivery, receiver: Receiver, administrator: User
) -> None:
    webhooks.disable(webhook=webhook, actor=administrator)
    assert not send_next(webhook=webhook.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.outcome) == (State.DEAD, "ann disabled the webhook.")
    with pytest.raises(WebhookDisabled):
        send_again(delivery=Delivery.objects.get(), actor=administrator)
    with pytest.raises(WebhookDisabled):
        webhooks.test(webhook=webhook, actor=administrator)


def test_killed_between_sending_and_writing_it_down_it_is_sent_again_with_the_same_key(
    webhook: Webhook, delivery: Delivery, receiver: Receiver, clock: Clock
) -> None:
    clock.forward(days=1)
    killed = mock.patch("apps.notifications.services.sending.write_down", side_effect=SystemExit)
    with killed, pytest.raises(SystemExit):
        send_next(webhook=webhook.pk)
    assert not send_next(webhook=webhook.pk)
    clock.now += LEASE
    assert send(webhook, delivery).state == State.SENT
    first, second = receiver.posted
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body
    assert list(Attempt.objects.values_list("number", flat=True)) == [2]


def test_of_two_workers_one_claims_it(webhook: Webhook, delivery: Delivery, receiver: Receiver) -> None:
    with mock.patch("apps.notifications.services.sending._try", return_value=Outcome()) as sent:
        sent.side_effect = lambda _: [send_next(webhook=webhook.pk), Outcome()][1]
        assert send_next(webhook=webhook.pk)
    assert sent.call_count == 1


def test_a_claim_that_was_lost_meanwhile_changes_nothing_but_the_log(
    webhook: Webhook, delivery: Delivery
) -> None:
    delivery.attempts = 1
    Delivery.objects.update(attempts=2)
    write_down(delivery, Outcome("too slow"), at=timezone.now(), took_ms=1)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.outcome) == (State.WAITING, "")
    assert Attempt.objects.count() == 1


def test_people_get_plain_mail_with_a_link_and_times_of_their_own(
    spring: Release, editor: User, manager: User, smtp: MailServer, settings: Settings
) -> None:
    settings.STAFF_URL = "https://staff.example.com"
    with_addresses(manager)
    set_time_zone(user=manager, name="Asia/Tokyo", actor=manager)
    hand_out()
    review.submit(release=spring, actor=editor)
    hand_out()
    assert send_next(webhook=None)

    (mail,) = smtp.mails
    assert mail["Subject"] == f"[Assetsite] Review asked: Spring (release {spring.pk})"
    assert (mail["To"], mail["From"]) == ("ben@example.com", "assetsite@example.com")
    assert mail.get_content_type() == "text/plain"
    text = mail.get_content()
    assert f"https://staff.example.com/admin/releases/release/{spring.pk}/change/" in text
    assert "Asia/Tokyo" in text
    assert "https://staff.example.com/admin/settings/" in text
    assert Delivery.objects.get(person=manager).state == State.SENT
    assert mail["Message-ID"] == f"<{Delivery.objects.get(person=manager).key}@example.com>"


def test_a_title_cannot_begin_another_header(
    spring: Release, editor: User, manager: User, smtp: MailServer
) -> None:
    with_addresses(manager)
    Release.objects.filter(pk=spring.pk).update(title="Spring\r\nBcc: everybody@example.com\x07\u2028Sale")
    hand_out()
    review.submit(release=spring, actor=editor)
    hand_out()
    send_next(webhook=None)
    (mail,) = smtp.mails
    assert mail["Bcc"] is None
    assert (
        mail["Subject"].strip()
        == f"[Assetsite] Review asked: Spring Bcc: everybody@example.com Sale (release {spring.pk})"
    )
    assert smtp.recipients == ["rcpt to:<ben@example.com>"]


def test_a_mail_server_that_refuses_or_is_away_is_tried_again(
    spring: Release, editor: User, manager: User, smtp: MailServer, settings: Settings
) -> None:
    with_addresses(manager)
    review.submit(release=spring, actor=editor)
    hand_out()
    smtp.refuses = True
    send_next(webhook=None)
    waiting = Delivery.objects.get(person=manager)
    assert "no such person here" in waiting.outcome
    Delivery.objects.update(next_at=timezone.now())
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": 1},
        }
    }
    send_next(webhook=None)
    waiting.refresh_from_db()
    assert "ConnectionRefusedError" in waiting.outcome
    User.objects.filter(pk=manager.pk).update(email="")
    Delivery.objects.update(next_at=timezone.now())
    send_next(webhook=None)
    waiting.refresh_from_db()
    assert waiting.outcome == "They have no mail address any more."


def test_a_backend_that_fails_in_its_own_way_is_an_attempt_that_failed(
    webhook: Webhook, delivery: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    with mock.patch("apps.notifications.services.sending.post", side_effect=RuntimeError("odd")):
        send(webhook, delivery)
    assert delivery.outcome == "RuntimeError: odd"
    assert "was not sent" in caplog.text


def test_an_address_that_is_not_allowed_any_more_is_an_attempt_that_failed(
    webhook: Webhook, delivery: Delivery, settings: Settings, receiver: Receiver
) -> None:
    settings.WEBHOOK_NETWORKS = []
    send(webhook, delivery)
    assert "to which nothing is sent" in delivery.outcome
    assert receiver.posted == []


def test_one_that_hangs_holds_up_nobody_else(administrator: User) -> None:
    slow = webhooks.add_webhook(name="slow", url="https://slow.example", actor=administrator)
    quick = webhooks.add_webhook(name="quick", url="https://quick.example", actor=administrator)
    for webhook in (slow, quick):
        webhooks.test(webhook=webhook, actor=administrator)
    hand_out()
    assert set(lanes_due()) == {slow.pk, quick.pk}
    goes_on, sent = threading.Event(), threading.Event()

    def send_one(*, webhook: int) -> bool:
        if webhook == slow.pk:
            return not goes_on.wait(30)
        sent.set()
        return False

    with (
        mock.patch("apps.notifications.lanes.send_next", send_one),
        mock.patch("apps.notifications.lanes.connections"),
    ):
        threads = lanes.start_lanes()
        assert sent.wait(30)
        next(thread for thread in threads if thread is not lanes._running[slow.pk]).join(30)
        assert [lanes._running[slow.pk].is_alive(), len(threads)] == [True, 2]
        (again,) = lanes.start_lanes()  # the quick one, for which something is due still
        assert again is lanes._running[quick.pk]
        goes_on.set()
        for thread in (*threads, again):
            thread.join(30)


def test_the_worker_hands_out_and_starts_sending(webhook: Webhook, administrator: User) -> None:
    webhooks.test(webhook=webhook, actor=administrator)
    with mock.patch("apps.notifications.tasks.start_lanes") as start:
        assert tasks.send() == []
    assert start.call_count == 1
    assert Delivery.objects.count() == 1


def test_a_lane_ends_where_the_database_does(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    with (
        mock.patch("apps.notifications.lanes.send_next", side_effect=DatabaseError("gone")),
        mock.patch("apps.notifications.lanes.connections"),
    ):
        lanes._run(webhook.pk)
    assert "The database does not answer" in caplog.text


def test_the_database_keeps_what_was_sent_and_what_was_said(webhook: Webhook, delivery: Delivery) -> None:
    send(webhook, delivery)
    writes: tuple[Callable[[], object], ...] = (
        lambda: Delivery.objects.update(state=State.WAITING, settled_at=None),
        lambda: Event.objects.update(summary="Another."),
        lambda: Event.objects.update(handed_out_at=None),
        lambda: Attempt.objects.update(error="x"),
        lambda: Delivery.objects.filter(pk=delivery.pk).update(person=webhook.created_by),
    )
    for write in writes:
        with pytest.raises(IntegrityError), transaction.atomic():
            write()
