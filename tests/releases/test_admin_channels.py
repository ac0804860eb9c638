"""The pages of a channel, through the staff door."""

from typing import Any, Never

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.models import User
from apps.assets import store
from apps.releases.models import Channel, Release
from apps.releases.selectors import live_publication
from apps.releases.services import publishing
from apps.releases.services.pointers import pointer_name, write_pointer
from tests.releases.conftest import MakeRelease
from tests.staff import staff_client

LIST = "/admin/releases/channel/"


def page(channel: Channel, part: str = "change") -> str:
    return f"{LIST}{channel.pk}/{part}/"


def live_on(channel: Channel) -> tuple[int, int]:
    """Return (publication, release) that the channel serves."""
    live = live_publication(channel)
    assert live is not None
    return live.sequence, live.release_id


@pytest.fixture
def second(approved: Release, manager: User) -> Release:
    """The release after the first, live on production as publication 2."""
    publishing.publish(release=approved, actor=manager)
    write_pointer(approved.channel)
    return approved


def roll_back(channel: Channel, user: User, *, to: int = 1, **typed: object) -> Any:
    live = live_publication(channel)
    form = {"reason": "Broken in Safari", "live": live.sequence if live else "", **typed}
    return staff_client(user).post(page(channel, f"roll-back/{to}"), form, follow=True)


def test_the_list_says_what_is_live_where(second: Release, viewer: User) -> None:
    answer = staff_client(viewer).get(LIST)

    assertContains(answer, f"Release {second.pk}</a> Spring")
    assertContains(answer, "nothing yet")


def test_the_list_takes_as_many_queries_for_one_channel_as_for_twenty(
    production: Channel, viewer: User
) -> None:
    client = staff_client(viewer)
    with CaptureQueriesContext(connection) as few:
        client.get(LIST)
    Channel.objects.bulk_create([Channel(name=f"channel-{number}") for number in range(20)])
    with CaptureQueriesContext(connection) as many:
        client.get(LIST)

    assert len(many) == len(few)


def test_the_page_begins_with_what_is_live_and_offers_the_way_back(second: Release, manager: User) -> None:
    answer = staff_client(manager).get(page(second.channel))

    assertContains(answer, "published by ben")
    assertContains(answer, "Storage points at it")
    goal = answer.context["goal"]
    assertContains(answer, f"Roll back to {goal.tag}…")
    assertContains(answer, "Roll back to this", count=1)


def test_a_channel_without_publication_says_how_to_make_one(production: Channel, manager: User) -> None:
    answer = staff_client(manager).get(page(production))

    assertContains(answer, "Nothing is live.")
    assertContains(answer, "scripts/manage import")
    assertNotContains(answer, "Roll back to")


def test_who_may_not_roll_back_reads_who_may(second: Release, viewer: User) -> None:
    answer = staff_client(viewer).get(page(second.channel))

    assertContains(answer, "vera may not roll production back. Ask a release manager or an administrator.")
    assertNotContains(answer, "Roll back to this")
    assertContains(answer, "vera may not change that. Ask an administrator.")


def test_a_pointer_that_lags_behind_is_said_with_what_to_do(second: Release, viewer: User) -> None:
    store.replace(pointer_name(second.channel), b"{}")

    assertContains(staff_client(viewer).get(page(second.channel)), "visitors still get what was live before")


def test_a_storage_that_does_not_answer_is_said(
    second: Release, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> Never:
        raise OSError(name)

    monkeypatch.setattr(store, "read", fail)

    assertContains(staff_client(viewer).get(page(second.channel)), "Storage does not answer.")


def test_rolling_back_asks_back_with_what_will_change(second: Release, manager: User) -> None:
    answer = staff_client(manager).get(page(second.channel, "roll-back/1"))

    assertContains(answer, "<strong>3 paths</strong>: 1 added, 1 changed, 1 removed.")
    assertContains(answer, "js/old.js")
    assertContains(answer, "Tell #shop.")


def test_rolling_back_serves_the_earlier_release_and_names_the_way_back(
    second: Release, manager: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = roll_back(second.channel, manager)

    assertContains(answer, f"production serves release {second.base_id} again")
    assertContains(answer, f'href="{page(second.channel, "roll-back/2")}">serve production-')
    assertContains(answer, "Broken in Safari")
    assertContains(staff_client(manager).get(page(second.channel)), "Storage points at it")
    assert live_on(second.channel) == (3, second.base_id)


def test_rolling_back_needs_a_reason(second: Release, manager: User) -> None:
    answer = roll_back(second.channel, manager, reason=" ")

    assertContains(answer, "not rolled back without a reason", status_code=409)
    assert live_on(second.channel) == (2, second.pk)


def test_a_channel_that_moved_on_meanwhile_is_not_rolled_back_and_what_was_typed_stays(
    second: Release, manager: User
) -> None:
    answer = roll_back(second.channel, manager, live=1, reason="typed words")

    assertContains(answer, "not what this page compared with", status_code=409)
    assertContains(answer, "typed words", status_code=409)
    assert live_on(second.channel) == (2, second.pk)


@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_who_may_not_roll_back_forges_nothing(
    second: Release, who: str, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)

    answer = staff_client(user).get(page(second.channel, "roll-back/1"))
    assertContains(answer, "may not roll production back")
    assertNotContains(answer, "<textarea")
    assert roll_back(second.channel, user).status_code == 403
    assert live_on(second.channel) == (2, second.pk)


def test_what_is_live_already_cannot_be_rolled_back_to(second: Release, manager: User) -> None:
    answer = staff_client(manager).get(page(second.channel, "roll-back/2"))

    assertContains(answer, "serves exactly that now")
    assert roll_back(second.channel, manager, to=2).status_code == 409


def test_a_publication_that_is_not_there_is_not_found(second: Release, manager: User) -> None:
    assert staff_client(manager).get(page(second.channel, "roll-back/9")).status_code == 404


@pytest.mark.parametrize("number", ["99", "abc"])
def test_a_channel_that_is_not_there_is_not_found(db: None, viewer: User, number: str) -> None:
    assert staff_client(viewer).get(f"{LIST}{number}/change/").status_code == 404


def test_without_the_permission_to_view_nothing_is_shown(production: Channel, viewer: User) -> None:
    viewer.groups.clear()

    for part in ("change", "history", "roll-back/1"):
        assert staff_client(viewer).get(page(production, part)).status_code == 403


def test_an_administrator_sets_the_required_approvals(production: Channel, administrator: User) -> None:
    answer = staff_client(administrator).post(page(production), {"required_approvals": 2}, follow=True)

    assertContains(answer, "From now on production asks for two approvals. Before: 1")
    assert Channel.objects.get(pk=production.pk).required_approvals == 2


def test_other_numbers_of_approvals_are_refused(production: Channel, administrator: User) -> None:
    answer = staff_client(administrator).post(page(production), {"required_approvals": 9})

    assertContains(answer, "not one of the available choices", status_code=400)


@pytest.mark.parametrize("who", ["viewer", "editor", "manager"])
def test_only_administrators_set_the_required_approvals(
    production: Channel, who: str, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)

    assert staff_client(user).post(page(production), {"required_approvals": 0}).status_code == 403
    assert Channel.objects.get(pk=production.pk).required_approvals == 1


def test_the_history_of_a_channel_says_who_did_what(
    second: Release, manager: User, make_release: MakeRelease
) -> None:
    roll_back(second.channel, manager)

    assertContains(staff_client(manager).get(page(second.channel, "history")), "Rolled production back to")
