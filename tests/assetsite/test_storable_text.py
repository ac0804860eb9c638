"""A NUL in what is sent to the staff's pages is a fault of the request, not of the site."""

import pytest
from django.db import DataError, connection
from django.http import HttpRequest
from django.test import RequestFactory

from apps.accounts.models import User
from assetsite.doors import DOOR, Door
from assetsite.storable_text import StorableTextMiddleware
from tests.staff import staff_client

pytestmark = pytest.mark.django_db


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite keeps a NUL as any other character")
def test_a_nul_that_no_database_keeps_is_answered_with_the_name_of_its_field(
    administrator: User,
) -> None:
    answer = staff_client(administrator).get("/admin/audit/auditentry/", {"action": "a\0b"})
    assert answer.status_code == 400
    assert "the field action holds a NUL" in answer.content.decode()


def asked(door: Door, **typed: str) -> HttpRequest:
    request = RequestFactory().post("/admin/", typed)
    request.META[DOOR] = door
    return request


@pytest.mark.parametrize(
    ("door", "typed", "fault"),
    [
        (Door.STAFF, {"reason": "a\0b"}, ValueError()),
        (Door.STAFF, {"reason": "ab"}, DataError()),
        (Door.PUBLIC, {"reason": "a\0b"}, DataError()),
    ],
)
def test_another_fault_stays_what_it_is(door: Door, typed: dict[str, str], fault: Exception) -> None:
    middleware = StorableTextMiddleware(lambda request: pytest.fail("not asked"))
    assert middleware.process_exception(asked(door, **typed), fault) is None


def test_the_field_is_named_and_nothing_is_kept_by_caches() -> None:
    middleware = StorableTextMiddleware(lambda request: pytest.fail("not asked"))
    answer = middleware.process_exception(asked(Door.STAFF, **{"rea\0son": "b"}), DataError())
    assert answer
    assert (answer.status_code, answer["Cache-Control"]) == (400, "no-store")
    assert "the field reason holds a NUL" in answer.content.decode()
