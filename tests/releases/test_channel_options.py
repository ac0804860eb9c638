"""How a channel answers: who sets it, by which door, and how visitors come to have it."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.assets import store
from apps.audit.models import AuditEntry
from apps.delivery.pointer import ChannelOptions, parse_pointer
from apps.releases.exceptions import UnknownField, WrongOption
from apps.releases.models import Channel, Release
from apps.releases.selectors import channel_named
from apps.releases.services import channels, pointers, publishing, review
from apps.releases.services.channels import set_options
from tests.releases.conftest import MakeRelease
from tests.releases.test_commands import refused, run
from tests.staff import staff_client

OnCommit = Callable[..., AbstractContextManager[object]]
Capture = pytest.CaptureFixture[str]
FORM = {
    "options": "1",
    "not_found_page": "404.html",
    "names_release": "on",
    "retention_days": "30",
    "retention_publications": "20",
}


def served_options(channel: Channel) -> ChannelOptions:
    content = store.read(pointers.pointer_name(channel))
    assert content
    return parse_pointer(content).options


def test_a_new_channel_has_the_options_that_delivery_takes_for_granted(production: Channel) -> None:
    usual = ChannelOptions()
    for name in ("clean_urls", "not_found_page", "names_release", "early_hints"):
        assert getattr(production, name) == getattr(usual, name)
    assert (production.fingerprints, production.retention_days, production.retention_publications) == (
        False,
        30,
        20,
    )


def test_options_reach_visitors_with_the_pointer_once_they_are_committed(
    live: Release, administrator: User, django_capture_on_commit_callbacks: OnCommit
) -> None:
    pointers.write_pointer(live.channel)
    with django_capture_on_commit_callbacks(execute=True):
        set_options(
            channel=live.channel,
            actor=administrator,
            clean_urls=True,
            not_found_page="/errors/lost.html",
            names_release=False,
            early_hints=True,
        )
        assert served_options(live.channel) == ChannelOptions()
    assert served_options(live.channel) == ChannelOptions(
        clean_urls=True, not_found_page="errors/lost.html", names_release=False, early_hints=True
    )


def test_options_that_storage_did_not_get_are_written_by_the_reconciler(
    live: Release, administrator: User
) -> None:
    pointers.write_pointer(live.channel)
    set_options(channel=live.channel, actor=administrator, clean_urls=True)
    assert not served_options(live.channel).clean_urls
    assert len(pointers.reconcile()) == 1
    assert served_options(live.channel).clean_urls
    assert pointers.reconcile() == []


def test_a_channel_that_serves_nothing_has_options_but_no_pointer(
    production: Channel, administrator: User, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert set_options(channel=production, actor=administrator, clean_urls=True).clean_urls
    assert store.read(pointers.pointer_name(production)) is None


def test_only_administrators_set_options(production: Channel, manager: User) -> None:
    with pytest.raises(Forbidden):
        set_options(channel=production, actor=manager, clean_urls=True)


def test_what_was_set_is_in_the_log_with_what_it_was_before(production: Channel, administrator: User) -> None:
    set_options(
        channel=production, actor=administrator, not_found_page="", retention_days=60, early_hints=False
    )
    entry = AuditEntry.objects.get(action="channel.set_options")
    assert entry.details == {
        "not_found_page": {"before": "404.html", "after": ""},
        "retention_days": {"before": 30, "after": 60},
    }
    assert "page of a 404 none" in entry.summary
    set_options(channel=production, actor=administrator, retention_days=60)
    assert AuditEntry.objects.filter(action="channel.set_options").count() == 1


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("not_found_page", "errors//lost.html", "empty part"),
        ("not_found_page", "../404.html", "“..”"),
        ("not_found_page", "-/404.html", "keeps for itself"),
        ("not_found_page", "https://evil.example/404.html", "empty part"),
        ("retention_days", 0, "from 1 to 365"),
        ("retention_days", 366, "from 1 to 365"),
        ("retention_publications", 0, "from 1 to 100"),
        ("retention_publications", 101, "from 1 to 100"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    production: Channel, administrator: User, option: str, value: int | str, words: str
) -> None:
    with pytest.raises(WrongOption, match=words) as refusal:
        set_options(channel=production, actor=administrator, **{option: value})
    assert refusal.value.option == option
    assert not AuditEntry.objects.filter(action="channel.set_options").exists()


def test_an_option_that_there_is_not_is_refused(production: Channel, administrator: User) -> None:
    with pytest.raises(UnknownField, match="rabbit"):
        set_options(channel=production, actor=administrator, rabbit=True)


@pytest.mark.parametrize("field", ["retention_days", "retention_publications"])
def test_the_database_refuses_a_retention_out_of_range(production: Channel, field: str) -> None:
    with pytest.raises(IntegrityError, match="retains"), transaction.atomic():
        Channel.objects.filter(pk=production.pk).update(**{field: 0})


def test_options_are_set_and_shown_by_command(
    production: Channel, administrator: User, capsys: Capture
) -> None:
    words = ("--clean-urls", "on", "--not-found-page", "lost.html", "--names-release", "off")
    more = ("--early-hints", "on", "--fingerprints", "on", "--retention-days", 7)
    report = run(capsys, "channel", "set", "production", *words, *more, "--retention-publications", 5)
    expected = {
        "requires_baseline": False,
        "approver_group": "",
        "is_protected": False,
        "time_zone": "UTC",
        "clean_urls": True,
        "not_found_page": "lost.html",
        "names_release": False,
        "early_hints": True,
        "fingerprints": True,
        "retention_days": 7,
        "retention_publications": 5,
    }
    assert report["options"] == expected
    assert run(capsys, "channel", "show", "production")["options"] == expected
    run(capsys, "channel", "set", "production", "--early-hints", "off")
    assert channel_named("production").early_hints is False
    assert channel_named("production").clean_urls is True
    call_command("channel", "show", "production")
    shown = capsys.readouterr().out
    assert "clean URLs: on" in shown
    assert "early hints: off" in shown
    assert "page of a 404: lost.html" in shown


def test_approvals_and_options_are_set_together_or_not_at_all(
    production: Channel, administrator: User, capsys: Capture
) -> None:
    words = ("channel", "set", "production", "--required-approvals", 2)
    assert refused(capsys, *words, "--not-found-page", "a//b")["code"] == "wrong_option"
    assert channel_named("production").required_approvals == 1
    report = run(capsys, *words, "--not-found-page", "")
    assert (report["required_approvals"], report["options"]["not_found_page"]) == (2, "")


def test_setting_nothing_is_a_mistake_in_the_command(production: Channel, administrator: User) -> None:
    with pytest.raises(CommandError, match="--clean-urls on") as error:
        call_command("channel", "set", "production")
    assert error.value.returncode == 2


def page(channel: Channel) -> str:
    return f"/admin/releases/channel/{channel.pk}/change/"


def post(channel: Channel, user: User, **typed: object) -> Any:
    return staff_client(user).post(page(channel), {**FORM, **typed}, follow=True)


def test_an_administrator_sets_options_on_the_channels_page(production: Channel, administrator: User) -> None:
    answer = post(production, administrator, clean_urls="on", not_found_page="lost.html")
    assertContains(answer, "clean URLs: on, before: off; page of a 404: lost.html, before: 404.html")
    production.refresh_from_db()
    assert (production.clean_urls, production.not_found_page, production.names_release) == (
        True,
        "lost.html",
        True,
    )
    assertContains(
        post(production, administrator, clean_urls="on", not_found_page="lost.html"), "Nothing was changed."
    )


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    production: Channel, administrator: User
) -> None:
    answer = post(production, administrator, not_found_page="a//b", clean_urls="on")
    assert answer.status_code == 400
    assert "empty part" in str(answer.context["options"].errors["not_found_page"])
    assertContains(answer, 'value="a//b"', status_code=400)
    assertContains(
        post(production, administrator, retention_days=0), "greater than or equal to 1", status_code=400
    )
    production.refresh_from_db()
    assert production.clean_urls is False


@pytest.mark.parametrize("who", ["viewer", "editor", "manager"])
def test_others_see_the_options_and_why_they_cannot_set_them(
    production: Channel, who: str, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)
    answer = staff_client(user).get(page(production))
    assertContains(answer, "Page of a 404")
    assertNotContains(answer, 'name="clean_urls"')
    assert post(production, user, clean_urls="on").status_code == 403
    production.refresh_from_db()
    assert production.clean_urls is False


def test_setting_approvals_on_the_page_leaves_the_options_alone(
    production: Channel, administrator: User
) -> None:
    set_options(channel=production, actor=administrator, clean_urls=True)
    staff_client(administrator).post(page(production), {"required_approvals": 2})
    production.refresh_from_db()
    assert (production.required_approvals, production.clean_urls) == (2, True)


def test_the_report_is_json_that_names_every_option(
    production: Channel, administrator: User, capsys: Capture
) -> None:
    (first, *_) = run(capsys, "channel", "list")
    assert set(first["options"]) == set(channels.OPTIONS)
    assert json.loads(json.dumps(first)) == first


BUILT_OTHERWISE = "What is live was built otherwise"


def test_an_option_that_waits_for_the_next_build_says_so_until_that_is_live(
    live: Release,
    make_release: MakeRelease,
    editor: User,
    manager: User,
    administrator: User,
    capsys: Capture,
) -> None:
    address = f"/admin/releases/channel/{live.channel_id}/change/"
    assertNotContains(staff_client(administrator).get(address), "built with other options")
    call_command("channel", "set", "production", "--fingerprints", "on", "--required-approvals", "0")
    assert BUILT_OTHERWISE in capsys.readouterr().out
    call_command("channel", "show", "production")
    assert BUILT_OTHERWISE in capsys.readouterr().out
    assertContains(staff_client(administrator).get(address), "What is live was built with other options.")
    release = review.submit(release=make_release(), actor=editor)
    publishing.publish(release=release, actor=manager)
    call_command("channel", "set", "production", "--clean-urls", "on")
    assert BUILT_OTHERWISE not in capsys.readouterr().out
    assertNotContains(staff_client(administrator).get(address), "built with other options")


def test_a_manifest_that_storage_lacks_says_nothing_of_how_it_was_built(
    live: Release, administrator: User, storage_folder: Path, capsys: Capture
) -> None:
    (storage_folder / live.manifest.file_name).unlink()  # type: ignore[union-attr]
    call_command("channel", "set", "production", "--fingerprints", "on")
    assert BUILT_OTHERWISE not in capsys.readouterr().out
    assert channel_named("production").fingerprints
