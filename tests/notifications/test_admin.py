"""The staff's pages of webhooks, and of what one is told."""

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.notifications.kinds import WHO_IS_TOLD, Kind
from apps.notifications.models import Delivery, Webhook
from apps.notifications.services import webhooks
from apps.notifications.services.handing_out import hand_out
from apps.notifications.services.preferences import muted_by
from apps.notifications.services.sending import send_next
from apps.releases.models import Release
from apps.releases.services import review
from tests.conftest import MakeUser
from tests.notifications.conftest import with_addresses
from tests.notifications.receivers import Receiver
from tests.staff import staff_client

LIST = "/admin/notifications/webhook/"
SETTINGS = "/admin/settings/"


def page(webhook: Webhook) -> str:
    return f"{LIST}{webhook.pk}/change/"


def test_an_administrator_adds_one_and_sees_its_secret_once(administrator: User) -> None:
    client = staff_client(administrator)
    assertContains(client.get(LIST), "scripts/manage webhook add")
    assertContains(client.get(f"{LIST}add/"), "Add a webhook")
    typed = {"name": "chat", "url": "https://chat.example.com/1", "kinds": ["published"]}
    answer = client.post(f"{LIST}add/", typed)
    webhook = Webhook.objects.get()
    assertContains(answer, webhook.secret)
    assertNotContains(client.get(page(webhook)), webhook.secret)
    assertContains(client.get(LIST), "published")


def test_what_is_typed_wrong_is_said(administrator: User) -> None:
    client = staff_client(administrator)
    typed = {"name": "chat", "url": "http://chat.example.com/1"}
    assertContains(client.post(f"{LIST}add/", typed), "localhost alone", status_code=409)
    assertContains(client.post(f"{LIST}add/", {"name": ""}), "This field is required", status_code=400)
    assert not Webhook.objects.exists()


def test_it_is_tested_disabled_enabled_and_sent_again(
    webhook: Webhook, receiver: Receiver, administrator: User
) -> None:
    client = staff_client(administrator)
    receiver.status = 500
    assertContains(client.post(page(webhook), {"step": "test"}, follow=True), "A test is on its way")
    hand_out()
    send_next(webhook=webhook.pk)
    assertContains(client.get(page(webhook)), "It answered 500.")
    Delivery.objects.update(state="dead", settled_at=timezone.now(), outcome="Given up.")
    number = Delivery.objects.get().pk
    assertContains(client.get(page(webhook)), "1 given up")
    again = {"step": "send_again", "delivery": number}
    assertContains(client.post(page(webhook), again, follow=True), "sent again, with the same key")
    assertContains(client.post(page(webhook), again), "not given up", status_code=409)
    assert client.post(page(webhook), {"step": "send_again", "delivery": "x"}).status_code == 404

    assertContains(client.post(page(webhook), {"step": "disable"}, follow=True), "told nothing more")
    assertContains(client.get(page(webhook)), "Disabled")
    assertContains(client.post(page(webhook), {"step": "enable"}, follow=True), "from now on")
    secret = webhook.secret
    answer = client.post(page(webhook), {"step": "renew_secret"})
    webhook.refresh_from_db()
    assert webhook.secret != secret
    assertContains(answer, webhook.secret)
    assert client.post(page(webhook), {"step": "explode"}).status_code == 400


@pytest.mark.parametrize("name", ["viewer", "editor", "manager"])
def test_others_see_none_of_it(webhook: Webhook, name: str, request: pytest.FixtureRequest) -> None:
    client = staff_client(request.getfixturevalue(name))
    for address in (LIST, f"{LIST}add/", page(webhook)):
        assert client.get(address).status_code == 403
        assert client.post(address, {"step": "disable"}).status_code == 403
    webhook.refresh_from_db()
    assert webhook.is_active


def test_who_may_look_reads_why_they_may_not_change(webhook: Webhook, make_user: MakeUser) -> None:
    looker = make_user("lou")
    looker.user_permissions.add(Permission.objects.get(codename="view_webhook"))
    client = staff_client(looker)
    assertContains(client.get(page(webhook)), "lou may not change webhooks")
    assertContains(client.post(page(webhook), {"step": "disable"}), "may not disable", status_code=403)
    assert client.get(f"{LIST}999/change/").status_code == 404
    assert client.get(f"{LIST}x/change/").status_code == 404


def test_the_log_takes_as_many_queries_for_many_as_for_few(webhook: Webhook, administrator: User) -> None:
    client = staff_client(administrator)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(page(webhook))
        return len(queries)

    webhooks.test(webhook=webhook, actor=administrator)
    hand_out()
    few = count()
    for _ in range(5):
        webhooks.test(webhook=webhook, actor=administrator)
    hand_out()
    assert count() == few


def test_everybody_has_settings_of_their_own(editor: User, settings: Settings) -> None:
    client = staff_client(editor)
    assertContains(client.get("/admin/"), SETTINGS)
    assertContains(client.get(SETTINGS), "your account has no address")
    told = [kind.value for kind in WHO_IS_TOLD if kind is not Kind.PUBLISHED]
    answer = client.post(SETTINGS, {"time_zone": "Europe/Berlin", "told": told}, follow=True)
    assertContains(answer, "Saved.")
    editor.refresh_from_db()
    assert editor.time_zone == "Europe/Berlin"
    assert muted_by(editor) == {"published"}
    client.post(SETTINGS, {"time_zone": "", "told": told})
    assert User.objects.get(pk=editor.pk).time_zone is None
    assertContains(
        client.post(SETTINGS, {"time_zone": "Mars/Base"}), "Select a valid choice", status_code=400
    )
    with_addresses(editor)
    assertContains(client.get(SETTINGS), "Mail goes to eva@example.com")
    settings.SENDS_MAIL = False
    assertContains(client.get(SETTINGS), "No mail is sent to anybody")


def test_it_lists_what_one_was_told(spring: Release, editor: User, manager: User) -> None:
    review.submit(release=spring, actor=editor)
    hand_out()
    assertContains(staff_client(manager).get(SETTINGS), f"Submitted release {spring.pk}")
    assertNotContains(staff_client(editor).get(SETTINGS), f"Submitted release {spring.pk}")


def test_settings_are_behind_the_login() -> None:
    assert staff_client().get(SETTINGS).status_code == 302
