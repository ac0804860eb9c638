from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.jobs.admin import in_words
from apps.jobs.models import Job
from apps.jobs.services import enqueue
from tests.jobs.conftest import Handler
from tests.staff import staff_client

LIST = "/admin/jobs/job/"


@pytest.fixture
def failed(db: None, handler: Handler) -> Job:
    """Return a job that failed after 3.2 seconds."""
    job = enqueue(kind="tests.work", key="tests.work:failed", payload={"number": 1})
    begun = timezone.now() - timedelta(minutes=5)
    job.state, job.error, job.log = Job.State.FAILED, "ValueError: <b>", "10:00:00 began <i>\n"
    job.queued_at = job.started_at = begun
    job.finished_at = begun + timedelta(seconds=3.2)
    job.save()
    return job


def _page(client: Client, address: str = LIST) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def _queries_of(client: Client) -> int:
    with CaptureQueriesContext(connection) as queries:
        _page(client)
    return len(queries)


def test_a_viewer_sees_each_job_with_its_state_in_a_word_and_how_long_it_took(
    viewer: User, failed: Job
) -> None:
    page = _page(staff_client(viewer))

    assert "state-failed" in page
    assert "</span> failed</span>" in page
    assert "3.2 s" in page
    assert "5\N{NO-BREAK SPACE}minutes ago" in page


def test_a_job_shows_its_error_and_log_as_text(viewer: User, failed: Job) -> None:
    page = _page(staff_client(viewer), f"{LIST}{failed.pk}/change/")

    assert "ValueError: &lt;b&gt;" in page
    assert "began &lt;i&gt;" in page
    assert "it can be run again by an administrator" in page


@pytest.mark.parametrize("state", Job.State.values)
def test_every_state_says_what_comes_next(viewer: User, failed: Job, state: str) -> None:
    Job.objects.update(state=state, error="", log="", finished_at=None)

    page = _page(staff_client(viewer), f"{LIST}{failed.pk}/change/")

    assert f"</span> {state}</span>" in page
    assert ("so far" in page) == (state == Job.State.RUNNING)


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("state__exact=failed", True),
        ("state__exact=queued", False),
        ("kind=tests.work", True),
        ("kind=assets.encode", False),
        ("q=tests.work:f", True),
        ("q=failed", False),
    ],
)
def test_jobs_can_be_narrowed_and_found(viewer: User, failed: Job, query: str, is_found: bool) -> None:
    assert (f"{LIST}{failed.pk}/change/" in _page(staff_client(viewer), f"{LIST}?{query}")) == is_found


def test_the_list_takes_as_many_queries_for_many_jobs_as_for_one(viewer: User, failed: Job) -> None:
    client = staff_client(viewer)
    _page(client)
    for_one = _queries_of(client)
    for number in range(30):
        enqueue(kind="tests.work", key=f"tests.work:{number}", payload={})

    assert _queries_of(client) == for_one


@pytest.mark.parametrize("place", ["list", "page"])
def test_an_administrator_runs_a_failed_job_again(administrator: User, failed: Job, place: str) -> None:
    client = staff_client(administrator)
    address = LIST if place == "list" else f"{LIST}{failed.pk}/change/"
    prefix = "" if place == "list" else "CHANGE_FORM-"
    assert "Run again" in _page(client, address)

    response = client.post(
        address, {f"{prefix}action": "run_again", "_selected_action": failed.pk}, follow=True
    )

    failed.refresh_from_db()
    assert failed.state == Job.State.QUEUED
    assert "Queued again: tests.work:failed." in response.content.decode()
    assert AuditEntry.objects.get().actor == administrator


def test_what_cannot_be_run_again_is_explained(administrator: User, failed: Job) -> None:
    Job.objects.update(state=Job.State.SUCCEEDED)

    response = staff_client(administrator).post(
        LIST, {"action": "run_again", "_selected_action": failed.pk}, follow=True
    )

    assert "is succeeded and cannot be run again" in response.content.decode()
    assert not AuditEntry.objects.exists()


def test_a_manager_is_not_offered_it_and_cannot_do_it(manager: User, failed: Job) -> None:
    client = staff_client(manager)

    assert "Run again" not in _page(client) + _page(client, f"{LIST}{failed.pk}/change/")
    client.post(LIST, {"action": "run_again", "_selected_action": failed.pk})

    failed.refresh_from_db()
    assert failed.state == Job.State.FAILED


def test_nobody_adds_changes_or_deletes_jobs_by_hand(administrator: User, failed: Job) -> None:
    client = staff_client(administrator)

    for address in ("add/", f"{failed.pk}/delete/", f"{failed.pk}/change/"):
        assert client.post(f"{LIST}{address}", {"state": "succeeded"}).status_code == 403


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words
