"""Schedules, webhooks and settings in a browser: usable by everybody, and within the pages' policy."""

from datetime import UTC, datetime
from typing import Literal

import pytest
from django.utils import timezone
from playwright.sync_api import Browser

from apps.accounts.local_times import zone_named
from apps.accounts.models import User
from apps.notifications.models import Delivery, Webhook
from apps.notifications.services import webhooks
from apps.notifications.services.handing_out import hand_out
from apps.notifications.services.sending import send_next
from apps.releases.models import Release
from apps.releases.services.scheduling import schedule
from tests.notifications.receivers import Receiver
from tests.releases.test_admin_browser import Answer, Door, answer_of, faults_of
from tests.staff import staff_client

pytestmark = pytest.mark.browser


@pytest.fixture
def answers(
    approved: Release, webhook: Webhook, receiver: Receiver, manager: User, administrator: User
) -> list[Answer]:
    """These pages, in the states that have most on them."""
    schedule(
        release=approved,
        publish_at=datetime(2030, 12, 1, tzinfo=UTC),
        end_at=datetime(2031, 1, 1, tzinfo=UTC),
        zone=zone_named("Europe/Berlin"),
        actor=manager,
    )
    long = webhooks.add_webhook(
        name="x" * 60, url=f"https://chat.example.com/{'long/' * 60}", actor=administrator
    )
    receiver.status = 500
    webhooks.test(webhook=webhook, actor=administrator)
    hand_out()
    send_next(webhook=webhook.pk)
    Delivery.objects.filter(webhook=webhook).update(
        state="dead", settled_at=timezone.now(), outcome="Given up."
    )
    release, hooks = f"/admin/releases/release/{approved.pk}", "/admin/notifications/webhook/"
    twice = {"publish_at": "2030-10-27T02:30", "end_at": "soon", "time_zone": "Europe/Berlin"}
    asked = staff_client(manager).post(f"{release}/schedule/", twice)
    return [
        *(answer_of(manager, path) for path in ("/admin/", "/admin/settings/", f"{release}/schedule/")),
        answer_of(manager, f"{release}/change/"),
        answer_of(manager, f"/admin/releases/channel/{approved.channel_id}/change/"),
        *(answer_of(administrator, f"{hooks}{page}") for page in ("", "add/")),
        *(answer_of(administrator, f"{hooks}{each.pk}/change/") for each in (webhook, long)),
        Answer("/asked/", asked.content, dict(asked.headers)),
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_every_page_can_be_used_by_everybody_and_obeys_its_policy(
    answers: list[Answer], browser: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.route("**/*", Door(answers))

    faults = {answer.address: faults_of(context.new_page(), answer.address) for answer in answers}

    assert {address: said for address, said in faults.items() if said} == {}
