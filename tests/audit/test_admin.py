import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import record
from tests.staff import staff_client

LIST = "/admin/audit/auditentry/"


@pytest.fixture
def entry(administrator: User) -> AuditEntry:
    return record(
        actor=administrator,
        action="a.b",
        target="thing <1>",
        summary="Did <b>it</b>.",
        details={"why": "<i>"},
    )


@pytest.fixture
def reader(viewer: User) -> Client:
    return staff_client(viewer)


def queries_of(client: Client) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(LIST).status_code == 200
    return len(queries)


def test_a_viewer_reads_the_log(reader: Client, entry: AuditEntry) -> None:
    assert "Did &lt;b&gt;it&lt;/b&gt;." in reader.get(LIST).content.decode()
    detail = reader.get(f"{LIST}{entry.pk}/change/").content.decode()
    assert "&lt;i&gt;" in detail
    assert entry.hash in detail


@pytest.mark.parametrize(
    ("query", "is_found"),
    [("q=thing", True), ("q=ann", True), ("q=nothing", False), ("action=a.b", True), ("action=x.y", False)],
)
def test_the_log_can_be_searched_and_narrowed(
    reader: Client, entry: AuditEntry, query: str, is_found: bool
) -> None:
    page = reader.get(f"{LIST}?{query}").content.decode()
    assert (f"{LIST}{entry.pk}/change/" in page) == is_found


def test_even_an_administrator_cannot_change_it(administrator: User, entry: AuditEntry) -> None:
    client = staff_client(administrator)
    for address in ("add/", f"{entry.pk}/delete/", f"{entry.pk}/change/"):
        assert client.post(f"{LIST}{address}", {"summary": "x"}).status_code == 403


def test_the_list_takes_as_many_queries_for_many_entries_as_for_one(
    reader: Client, administrator: User, entry: AuditEntry
) -> None:
    few = queries_of(reader)
    for n in range(30):
        record(actor=administrator, action="a.b", target=f"thing {n}", summary="Did it.")
    assert queries_of(reader) == few
