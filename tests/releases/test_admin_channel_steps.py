"""What people do to channels on their pages: hold, freeze, hosts, stop, make and remove; and an emergency."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.releases.models import Channel, FreezeOverride, FreezeWindow, Release
from apps.releases.selectors import live_publication
from apps.releases.selectors.holds import hold_of, open_stop
from apps.releases.services import freezes, holding, hosts, publishing, review
from tests.conftest import MakeUser
from tests.releases.clock import Clock, stopped_clock
from tests.staff import staff_client

LIST = "/admin/releases/channel/"


@pytest.fixture
def clock() -> Iterator[Clock]:
    with stopped_clock() as clock:
        yield clock


def page(channel: Channel) -> str:
    return f"{LIST}{channel.pk}/change/"


def take(channel: Channel, user: User, step: str, **typed: str) -> Any:
    return staff_client(user).post(page(channel), {"step": step, **typed}, follow=True)


def test_a_channel_says_first_that_it_is_held_and_is_let_go_with_a_reason(
    approved: Release, manager: User, viewer: User
) -> None:
    channel = approved.channel
    assertContains(staff_client(viewer).get(page(channel)), "Hold: none.")
    assertContains(take(channel, manager, "hold", reason=" "), "without a reason", status_code=409)
    assertContains(take(channel, manager, "hold", reason="Wait for legal"), "nothing is published on it")
    answer = staff_client(viewer).get(page(channel))
    assertContains(answer, "On hold by ben since")
    assertContains(answer, "“Wait for legal”")
    assertContains(answer, "vera may not let production go on")
    assertContains(staff_client(viewer).get(LIST), "on hold</span> by ben")
    assertContains(
        staff_client(viewer).get("/admin/"), f'<a href="{page(channel)}">production is on hold</a>'
    )
    publish = staff_client(manager).get(f"/admin/releases/release/{approved.pk}/publish/")
    assertContains(publish, "roduction is on hold by ben: “Wait for legal”.")
    assertNotContains(publish, 'name="digest"')
    assertContains(take(channel, manager, "resume", reason="Legal is fine"), "roduction goes on")
    assertContains(staff_client(viewer).get(page(channel)), "lifted: “Legal is fine”")
    assert hold_of(channel) is None


@pytest.mark.parametrize(
    ("step", "typed"),
    [
        ("hold", {"reason": "x"}),
        ("add_window", {"starts": "Mon 1:00", "ends": "Mon 2:00"}),
        ("set_zone", {"time_zone": "Europe/Stockholm"}),
        ("add_host", {"host": "a.example"}),
        ("remove_host", {"host": "a.example"}),
    ],
)
def test_who_may_not_change_a_channel_forges_nothing(
    production: Channel, editor: User, step: str, typed: dict[str, str]
) -> None:
    assert take(production, editor, step, **typed).status_code == 403
    assert hold_of(production) is None
    assert not FreezeWindow.objects.exists()


def test_there_is_no_other_step(production: Channel, administrator: User) -> None:
    assert take(production, administrator, "explode").status_code == 400


def test_windows_are_added_and_removed_on_the_page_and_what_was_typed_stays(
    production: Channel, administrator: User, viewer: User
) -> None:
    answer = take(production, administrator, "add_window", starts="Fryday 16:00", ends="Monday 8:00")
    assertContains(answer, "there is no day Fryday", status_code=409)
    assertContains(answer, 'value="Fryday 16:00"', status_code=409)
    take(production, administrator, "add_window", starts="Friday 16:00", ends="Monday 8:00")
    assertContains(staff_client(viewer).get(page(production)), "Friday 16:00 to Monday 08:00, every week")
    answer = take(production, administrator, "set_zone", time_zone="Europe/Stockholm")
    assertContains(answer, "The windows of production are times in Europe/Stockholm. Before: UTC.")
    assertContains(answer, "As a clock in Europe/Stockholm shows it.")
    wrong = take(production, administrator, "set_zone", time_zone="Mars/Olympus")
    assertContains(wrong, "There is no time zone", status_code=409)
    number = FreezeWindow.objects.get().pk
    answer = take(production, administrator, "remove_window", window=str(number))
    assertContains(answer, "no freeze window any more from Friday 16:00 to Monday 08:00")
    assert take(production, administrator, "remove_window", window=str(number)).status_code == 404
    assert take(production, administrator, "remove_window", window="x").status_code == 404


def test_in_a_freeze_the_publish_page_asks_why_it_cannot_wait(
    approved: Release, administrator: User, manager: User, viewer: User, clock: Clock
) -> None:
    freezes.add_window(channel=approved.channel, starts="Sat 0:00", ends="Mon 0:00", actor=administrator)
    clock.now = datetime(2030, 12, 1, 12, tzinfo=UTC)
    url = f"/admin/releases/release/{approved.pk}/publish/"
    assertContains(staff_client(viewer).get(page(approved.channel)), "production is frozen (Saturday 00:00")
    answer = staff_client(manager).get(url)
    assertContains(answer, "Publish to production although it is frozen")
    assertContains(answer, "until Monday 2030-12-02 00:00")
    digest = {"digest": approved.manifest_id}
    assertContains(staff_client(manager).post(url, digest), "is frozen", status_code=409)
    staff_client(manager).post(url, {**digest, "override": "Prices are wrong"})
    assert FreezeOverride.objects.get().reason == "Prices are wrong"
    assertContains(staff_client(viewer).get(page(approved.channel)), "although frozen (Saturday 00:00")


def test_hosts_are_added_moved_and_removed_on_the_page(
    live: Release, administrator: User, viewer: User
) -> None:
    production = live.channel
    staging = Channel.objects.get(name="staging")
    assertContains(
        take(production, administrator, "add_host", host="WWW.Example.com"), "serves www.example.com"
    )
    assertContains(
        take(staging, administrator, "add_host", host="www.example.com"), "roduction serves", status_code=409
    )
    assertContains(
        take(staging, administrator, "add_host", host="www.example.com", move="1"),
        "taging has nothing for its visitors yet",
        status_code=409,
    )
    assertContains(take(staging, administrator, "add_host", host="a b"), "other signs", status_code=409)
    assertContains(staff_client(viewer).get(page(production)), "<code>www.example.com</code>")
    assertContains(staff_client(viewer).get(LIST), "www.example.com")
    answer = take(production, administrator, "remove_host", host="www.example.com")
    assertContains(answer, "serves www.example.com no more")


def test_a_host_that_the_environment_gives_is_not_removed_here(
    production: Channel, administrator: User, settings: Settings
) -> None:
    hosts.add_host(channel=production, host="www.example.com", actor=administrator)
    settings.PINNED_HOSTS = {"www.example.com": "production"}
    assertContains(staff_client(administrator).get(page(production)), "by CHANNEL_HOSTS on this machine")
    answer = take(production, administrator, "remove_host", host="www.example.com")
    assertContains(answer, "CHANNEL_HOSTS gives www.example.com to production", status_code=409)


def test_all_channels_are_stopped_and_let_go_on_one_page(
    production: Channel, manager: User, viewer: User
) -> None:
    url = f"{LIST}stop/"
    assertContains(staff_client(viewer).get(url), "vera may not stop all channels")
    assert staff_client(viewer).post(url, {"reason": "x"}).status_code == 403
    assertContains(
        staff_client(manager).post(url, {"step": "stop", "reason": ""}), "without", status_code=409
    )
    answer = staff_client(manager).post(url, {"step": "stop", "reason": "Breach"}, follow=True)
    assertContains(answer, "All channels are stopped")
    for address in (LIST, page(production), "/admin/"):
        assertContains(staff_client(viewer).get(address), "All channels are on hold")
    holding.hold(channel=production, reason="Also", actor=manager)
    answer = staff_client(manager).post(url, {"step": "resume", "reason": "Fine"}, follow=True)
    assertContains(answer, "On hold by themselves")
    assert open_stop() is None
    assert hold_of(production)


def test_a_channel_is_made_and_while_it_serves_nothing_removed(
    production: Channel, administrator: User, manager: User
) -> None:
    url = f"{LIST}new/"
    assertContains(staff_client(manager).get(url), "ben may not make a channel")
    assert staff_client(manager).post(url, {"name": "beta"}).status_code == 403
    client = staff_client(administrator)
    assertContains(
        client.post(url, {"name": "a b", "hosts": "b.example"}), "cannot be called", status_code=409
    )
    typed = {"name": "beta", "hosts": "beta.example.com\r\nb.example.com"}
    assertContains(client.post(url, typed, follow=True), "Channel beta is made.")
    beta = Channel.objects.get(name="beta")
    assert [row.host for row in beta.hosts.all()] == ["beta.example.com", "b.example.com"]
    remove = f"{LIST}{beta.pk}/remove/"
    assert client.get(remove).status_code == 302
    assertContains(staff_client(manager).post(remove, follow=True), "may not remove channel beta")
    assertContains(client.post(remove, follow=True), "Channel beta is removed.")
    assert not Channel.objects.filter(name="beta").exists()


@pytest.mark.parametrize("part", ["stop/", "new/"])
def test_without_the_permission_to_view_there_is_no_such_page(
    production: Channel, viewer: User, part: str
) -> None:
    viewer.groups.clear()
    assert staff_client(viewer).get(LIST + part).status_code == 403


def test_the_list_takes_as_many_queries_with_many_held_channels_and_hosts(
    production: Channel, viewer: User, manager: User
) -> None:
    client = staff_client(viewer)
    with CaptureQueriesContext(connection) as few:
        client.get(LIST)
    for number in range(10):
        channel = Channel.objects.create(name=f"c{number}")
        channel.hosts.create(host=f"{number}.example.com")
        holding.hold(channel=channel, reason="x", actor=manager)
    with CaptureQueriesContext(connection) as many:
        client.get(LIST)
    assert len(many) == len(few)


def test_an_emergency_is_asked_for_and_confirmed_on_the_releases_page(
    spring: Release, editor: User, manager: User, administrator: User, make_user: MakeUser
) -> None:
    release, amir = review.submit(release=spring, actor=editor), make_user("amir", Role.ADMINISTRATOR)
    url = f"/admin/releases/release/{release.pk}/change/"
    assertNotContains(staff_client(manager).get(url), "emergency publish")
    ask = {"step": "ask_emergency", "digest": release.manifest_id, "reason": "Half price"}
    assert staff_client(manager).post(url, ask).status_code == 403
    assertContains(staff_client(administrator).get(url), "Ask for an emergency publish…")
    stale = staff_client(administrator).post(url, {**ask, "digest": "f" * 64})
    assertContains(stale, "no longer what this page showed", status_code=409)
    assertContains(staff_client(administrator).post(url, ask, follow=True), "has 4 hours to confirm")
    assertContains(staff_client(administrator).get(url), "cannot confirm it as well")
    assertContains(staff_client(manager).get(url), "ann asks that this goes live now: “Half price”")
    confirm = {"step": "confirm_emergency", "digest": release.manifest_id}
    assertContains(staff_client(amir).get(url), "Confirm the emergency publish…")
    assertContains(staff_client(amir).post(url, confirm, follow=True), "Published in an emergency")
    assertContains(
        staff_client(manager).get(page(release.channel)), "in an emergency: ann asked, amir confirmed"
    )
    live = live_publication(release.channel)
    assert live
    assert live.release_id == release.pk
    publishing.roll_back(channel=release.channel, reason="no", actor=amir)
