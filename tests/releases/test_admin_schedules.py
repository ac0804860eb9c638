"""A release is scheduled, changed and called off on its pages, and everybody sees what is to come."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from apps.accounts.local_times import zone_named
from apps.accounts.models import User
from apps.accounts.services import set_time_zone
from apps.releases.models import Release, Schedule
from apps.releases.services.scheduled_runs import run_due
from apps.releases.services.scheduling import schedule
from tests.releases.clock import Clock, stopped_clock
from tests.releases.conftest import Publish, put
from tests.staff import staff_client

UTC_ZONE = zone_named("UTC")
TYPED = {"publish_at": "2030-12-01T09:00", "end_at": "", "time_zone": "Europe/Berlin"}


@pytest.fixture
def clock() -> Iterator[Clock]:
    with stopped_clock() as clock:
        yield clock


def pages(release: Release) -> tuple[str, str]:
    page = f"/admin/releases/release/{release.pk}"
    return f"{page}/change/", f"{page}/schedule/"


def waiting() -> list[tuple[str, str]]:
    found = Schedule.objects.filter(state="waiting").order_by("action")
    return [(each.action, each.at.astimezone(UTC).strftime("%m-%d %H:%M")) for each in found]


def test_a_manager_schedules_what_is_approved_and_changes_and_calls_it_off(
    approved: Release, manager: User, clock: Clock
) -> None:
    client, (page, form) = staff_client(manager), pages(approved)
    typed = {**TYPED, "digest": approved.manifest_id or ""}
    assertContains(client.get(page), "Nothing is scheduled.")
    assertContains(client.get(f"/admin/releases/release/{approved.pk}/publish/"), "Schedule it instead")

    answer = client.post(form, typed)
    assertRedirects(answer, f"{page}#schedule", fetch_redirect_response=False)
    shown = client.get(page)
    assertContains(shown, "Approved by ben, scheduled for 2030-12-01 09:00 Europe/Berlin; you may publish it")
    assertContains(shown, "Until then it can be called off below.")
    assert waiting() == [("publish", "12-01 08:00")]
    assertContains(client.get(form), 'value="2030-12-01T09:00"')

    client.post(form, typed | {"end_at": "2030-12-24T18:00"})
    assert waiting() == [("end", "12-24 17:00"), ("publish", "12-01 08:00")]
    client.post(form, typed)
    assert waiting() == [("publish", "12-01 08:00")]
    answer = client.post(page, {"step": "unschedule", "action": "publish"}, follow=True)
    assertContains(answer, "Called off: publish at 2030-12-01 09:00 Europe/Berlin.")
    assert waiting() == []
    client.post(form, typed)
    assertContains(client.post(form, typed | {"publish_at": ""}, follow=True), "Called off: publish")
    assert waiting() == []


def test_the_form_is_in_the_zone_of_whoever_reads_it(approved: Release, manager: User) -> None:
    set_time_zone(user=manager, name="CET", actor=manager)  # no place, and still theirs
    page = staff_client(manager).get(pages(approved)[1])
    assertContains(page, '<option value="CET" selected>')


@pytest.mark.parametrize(
    ("typed", "status", "words"),
    [
        ({"publish_at": "soon"}, 400, "is no time"),
        ({"publish_at": "2030-03-31T02:30"}, 400, "never show 02:30"),
        ({"publish_at": ""}, 409, "No time was named"),
        ({"publish_at": "2020-01-01T09:00"}, 409, "has passed"),
        ({"end_at": "2030-11-30T18:00"}, 409, "taken down before it is published"),
        ({"time_zone": "Mars/Base"}, 400, "Select a valid choice"),
        ({"digest": "0" * 64}, 409, "no longer has the digest"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_scheduled(
    approved: Release, manager: User, typed: dict[str, str], status: int, words: str
) -> None:
    values = {**TYPED, "digest": approved.manifest_id or "", **typed}
    assertContains(staff_client(manager).post(pages(approved)[1], values), words, status_code=status)
    assert waiting() == []


def test_a_time_that_clocks_show_twice_asks_which(approved: Release, manager: User) -> None:
    client, (page, form) = staff_client(manager), pages(approved)
    typed = {**TYPED, "publish_at": "2030-10-27T02:30", "digest": approved.manifest_id or ""}
    asked = client.post(form, typed)
    assertContains(asked, "02:30 at UTC+02:00", status_code=400)
    assertContains(asked, 'value="+01:00"', status_code=400)
    assertRedirects(client.post(form, typed | {"publish_at_offset": "+01:00"}), f"{page}#schedule")
    assert waiting() == [("publish", "10-27 01:30")]


def test_who_may_not_publish_reads_who_may(approved: Release, editor: User) -> None:
    client, (page, form) = staff_client(editor), pages(approved)
    assertContains(client.get(page), f"eva may not schedule release {approved.pk}.")
    assertContains(client.get(form), f"eva may not schedule release {approved.pk}.")
    assertNotContains(client.get(form), '<button class="button default">Schedule')
    typed = {**TYPED, "digest": approved.manifest_id or ""}
    assertContains(client.post(form, typed), f"va may not publish release {approved.pk}.", status_code=403)
    assertContains(client.post(page, {"step": "unschedule"}), "may not call off", status_code=403)


def test_a_draft_is_not_scheduled_and_what_is_live_can_be_ended(
    spring: Release, live: Release, manager: User
) -> None:
    client = staff_client(manager)
    assertContains(client.get(pages(spring)[1]), "only what is approved goes live at a time")
    assertNotContains(client.get(pages(spring)[0]), "Nothing is scheduled.")
    form = client.get(pages(live)[1])
    assertContains(form, "It is live. It can be taken down at a time")
    assertNotContains(form, 'name="publish_at"')
    client.post(
        pages(live)[1], {"end_at": "2030-12-24T18:00", "time_zone": "UTC", "digest": live.manifest_id or ""}
    )
    assert waiting() == [("end", "12-24 18:00")]


def test_a_release_and_its_channel_say_what_came_of_it(
    approved: Release, publish: Publish, manager: User, clock: Clock
) -> None:
    schedule(release=approved, publish_at=clock.now + timedelta(days=1), zone=UTC_ZONE, actor=manager)
    channel = f"/admin/releases/channel/{approved.channel_id}/change/"
    assertContains(staff_client(manager).get(channel), "Publish <a href")
    assertContains(staff_client(manager).get("/admin/"), 'id="scheduled"')
    other = publish(put("other.html", "other"))
    clock.forward(days=2)
    run_due()
    assertContains(
        staff_client(manager).get(pages(approved)[0]), f"production serves release {other.pk} by now"
    )
    assertContains(staff_client(manager).get(channel), "1 did not happen")
    assertContains(
        staff_client(manager).get("/admin/"), "was not published as scheduled for 2030-12-01 12:00 UTC"
    )
    assertNotContains(staff_client(manager).get("/admin/"), 'id="scheduled"')


def test_lists_take_as_many_queries_for_many_as_for_few(
    approved: Release, live: Release, manager: User, clock: Clock
) -> None:
    client = staff_client(manager)
    addresses = ("/admin/", f"/admin/releases/channel/{live.channel_id}/change/", pages(live)[0])

    def count() -> list[int]:
        counts = []
        for address in addresses:
            with CaptureQueriesContext(connection) as queries:
                client.get(address)
            counts.append(len(queries))
        return counts

    at = datetime(2031, 1, 1, tzinfo=UTC)
    schedule(release=live, end_at=at, zone=UTC_ZONE, actor=manager)
    schedule(release=live, end_at=at, zone=UTC_ZONE, actor=manager)
    few = count()
    for day in range(5):
        schedule(release=live, end_at=at + timedelta(days=day), zone=UTC_ZONE, actor=manager)
    schedule(release=approved, publish_at=at, end_at=at + timedelta(days=1), zone=UTC_ZONE, actor=manager)
    assert count() == few
