"""Everybody reads times in a zone of their own."""

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from apps.accounts import services
from apps.accounts.exceptions import Forbidden, UnknownTimeZone
from apps.accounts.models import User
from apps.accounts.selectors import time_zone_of
from apps.audit.models import AuditEntry
from assetsite.doors import DOOR, Door
from assetsite.reader_time import ReaderTimeMiddleware


def test_a_person_chooses_their_zone_and_goes_back_to_the_sites(editor: User) -> None:
    assert time_zone_of(editor).key == "UTC"
    services.set_time_zone(user=editor, name="Europe/Berlin", actor=editor)
    editor.refresh_from_db()
    assert time_zone_of(editor).key == "Europe/Berlin"
    assert AuditEntry.objects.latest("sequence").details == {"time_zone": "Europe/Berlin"}
    services.set_time_zone(user=editor, name="", actor=editor)
    editor.refresh_from_db()
    assert editor.time_zone is None


def test_an_unknown_zone_is_refused_and_others_are_left_alone(editor: User, other_editor: User) -> None:
    with pytest.raises(UnknownTimeZone):
        services.set_time_zone(user=editor, name="Mars/Base", actor=editor)
    with pytest.raises(Forbidden):
        services.set_time_zone(user=editor, name="UTC", actor=other_editor)


def test_a_zone_that_this_machine_lacks_is_as_none(editor: User) -> None:
    User.objects.filter(pk=editor.pk).update(time_zone="Mars/Base")
    editor.refresh_from_db()
    assert time_zone_of(editor).key == "UTC"


def test_an_administrator_sets_it_by_command(
    administrator: User, editor: User, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("user", "time-zone", "eva", "Asia/Tokyo")
    assert "eva reads and types times in Asia/Tokyo." in capsys.readouterr().out
    call_command("user", "time-zone", "eva", "site", "--as", "eva")
    assert "in UTC." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("door", "path", "hour"),
    [(Door.STAFF, "/admin/", 17), (Door.STAFF, "/-/healthz", 8), (Door.PUBLIC, "/admin/", 8)],
)
def test_only_the_admin_is_in_the_readers_zone(editor: User, door: Door, path: str, hour: int) -> None:
    services.set_time_zone(user=editor, name="Asia/Tokyo", actor=editor)
    hours: list[int] = []

    def answer(request: HttpRequest) -> HttpResponse:
        hours.append(timezone.localtime(datetime(2030, 1, 1, 8, tzinfo=UTC)).hour)
        return HttpResponse()

    request = RequestFactory().get(path)
    request.META[DOOR] = door
    request.user = editor
    ReaderTimeMiddleware(answer)(request)
    assert hours == [hour]
    assert timezone.get_current_timezone_name() == "UTC"
