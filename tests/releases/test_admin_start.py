"""The page that everybody starts from."""

from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.models import User
from apps.jobs.models import Job
from apps.releases.models import Channel, Release
from apps.releases.services import review
from tests.releases.conftest import MakeRelease, put
from tests.staff import staff_client

START = "/admin/"


def test_a_manager_sees_the_reviews_they_may_give(
    spring: Release, editor: User, manager: User, viewer: User
) -> None:
    review.submit(release=spring, actor=editor)

    assertContains(staff_client(manager).get(START), f"Review release {spring.pk}")
    assertNotContains(staff_client(editor).get(START), f"Review release {spring.pk}")
    assertNotContains(staff_client(viewer).get(START), f"Review release {spring.pk}")


def test_nobody_is_asked_to_review_their_own_work_or_twice(
    live: Release, make_release: MakeRelease, manager: User, other_manager: User, administrator: User
) -> None:
    Channel.objects.update(required_approvals=2)
    mine = review.submit(release=make_release(put("a", "a"), actor=manager), actor=manager)
    review.approve(release=mine, digest=mine.manifest_id or "", actor=other_manager)

    assert not staff_client(manager).get(START).context["reviews"]
    assert not staff_client(other_manager).get(START).context["reviews"]
    assert list(staff_client(administrator).get(START).context["reviews"]) == [mine]


def test_a_manager_sees_what_may_be_published(approved: Release, editor: User, manager: User) -> None:
    assertContains(staff_client(manager).get(START), f"Publish release {approved.pk} to production")
    assertNotContains(staff_client(editor).get(START), f"Publish release {approved.pk}")


def test_everybody_sees_what_is_live(live: Release, viewer: User) -> None:
    answer = staff_client(viewer).get(START)

    assert [publication.release for publication in answer.context["live_publications"]] == [live]
    assertContains(answer, "production</a>")


def test_editors_see_their_drafts(spring: Release, editor: User, other_editor: User) -> None:
    assertContains(staff_client(editor).get(START), f"Release {spring.pk}</a>")
    assertNotContains(staff_client(other_editor).get(START), f"Release {spring.pk}</a>")


def test_failed_jobs_are_counted_with_the_way_to_them(viewer: User) -> None:
    assertNotContains(staff_client(viewer).get(START), "background job")
    Job.objects.create(key="one", kind="assets.encode", state=Job.State.FAILED)

    answer = staff_client(viewer).get(START)

    assertContains(answer, "1 background job failed")
    assertContains(answer, "/admin/jobs/job/?state__exact=failed")


def test_an_empty_site_names_the_next_step(editor: User, viewer: User) -> None:
    answer = staff_client(editor).get(START)

    assertContains(answer, "Nothing is live yet.")
    assertContains(answer, "scripts/manage import ../my-site")
    assertContains(staff_client(viewer).get(START), "releases are made by editors")


def test_the_start_page_takes_as_many_queries_for_many_releases_as_for_none(
    live: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    client = staff_client(manager)
    review.submit(release=make_release(put("a.txt", "a")), actor=editor)
    make_release(put("b.txt", "b"), actor=manager)
    with CaptureQueriesContext(connection) as few:
        client.get(START)
    for number in range(5):
        review.submit(release=make_release(put("a.txt", f"a{number}")), actor=editor)
        make_release(put("b.txt", f"b{number}"), actor=manager)
    with CaptureQueriesContext(connection) as many:
        client.get(START)

    assert len(many) == len(few)
