"""The pages of a release, through the staff door."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from apps.accounts.models import User
from apps.assets import store
from apps.audit.models import AuditEntry
from apps.releases.models import Change, Publication, Release
from apps.releases.selectors import live_publication
from apps.releases.services import publishing, review
from tests.releases.conftest import BRIEF, MakeRelease, put
from tests.staff import staff_client

LIST = "/admin/releases/release/"
STEPS = ("edit", "submit", "approve", "reject", "reopen", "withdraw", "discard")


def page(release: Release, part: str = "change") -> str:
    return f"{LIST}{release.pk}/{part}/"


def take(release: Release, user: User, step: str, **typed: object) -> Any:
    """Send a step's form as its page would, and follow to where it leads."""
    return staff_client(user).post(page(release), {"step": step, **typed}, follow=True)


def brief_of(release: Release, **changed: object) -> dict[str, object]:
    fields = (
        "title",
        "expected_result",
        "rollback_note",
        "route",
        "expected_input",
        "failing_command",
        "noticed_at",
    )
    return {**{name: getattr(release, name) for name in fields}, "owner": release.owner_id or "", **changed}


# The list


def test_the_list_shows_what_each_release_is(spring: Release, viewer: User) -> None:
    answer = staff_client(viewer).get(LIST)

    assertContains(answer, "Spring")
    assertContains(answer, "1 added, 1 changed, 1 removed")
    assertContains(answer, "draft")


@pytest.mark.parametrize(
    ("query", "found"), [("{number}", ["Spring"]), ("first", ["First"]), ("nothing", [])]
)
def test_the_list_is_searched_by_number_and_by_title(
    spring: Release, viewer: User, query: str, found: list[str]
) -> None:
    answer = staff_client(viewer).get(LIST, {"q": query.format(number=spring.pk)})

    assert [release.title for release in answer.context["cl"].result_list] == found


@pytest.mark.parametrize("query", ["state__exact=draft", "owner__id__exact={owner}&state__exact=draft"])
def test_the_list_is_filtered(spring: Release, viewer: User, query: str) -> None:
    answer = staff_client(viewer).get(f"{LIST}?{query.format(owner=spring.owner_id)}")

    assert [release.pk for release in answer.context["cl"].result_list] == [spring.pk]


def test_an_empty_list_names_the_command_that_fills_it(db: None, viewer: User) -> None:
    assertContains(staff_client(viewer).get(LIST), "scripts/manage import ../my-site")


def test_a_search_without_result_offers_the_way_back(spring: Release, viewer: User) -> None:
    assertContains(staff_client(viewer).get(LIST, {"q": "zzz"}), "No release fits.")


def test_the_list_takes_as_many_queries_for_fifty_rows_as_for_one(
    make_release: MakeRelease, viewer: User
) -> None:
    client = staff_client(viewer)
    make_release(put("a.txt", "a"))
    with CaptureQueriesContext(
        connection,
    ) as one:
        client.get(LIST)
    for number in range(49):
        make_release(put("a.txt", str(number)), put("b.txt", "b"))
    with CaptureQueriesContext(connection) as fifty:
        assertContains(client.get(LIST), "50 releases")

    assert len(fifty) == len(one)


def test_nothing_is_added_or_deleted_past_the_services(spring: Release, administrator: User) -> None:
    client = staff_client(administrator)

    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(page(spring, "delete"), {"post": "yes"}).status_code == 403
    assert Release.objects.filter(pk=spring.pk).exists()


# The page


def test_the_page_begins_with_the_state_in_words_for_this_person(
    spring: Release, editor: User, viewer: User
) -> None:
    assertContains(staff_client(editor).get(page(spring)), "you may submit it for review.")
    assertContains(staff_client(viewer).get(page(spring)), "may submit it for review.")
    assertContains(staff_client(viewer).get(page(spring)), f"vera may not submit release {spring.pk}.")


def test_the_page_shows_old_beside_new(spring: Release, viewer: User) -> None:
    answer = staff_client(viewer).get(page(spring))

    assertContains(answer, "a { color: red }")
    assertContains(answer, "a { color: blue }")
    assertContains(answer, "Expected result")
    assertContains(answer, BRIEF["expected_result"])


def test_what_is_live_is_not_compared_with_itself(live: Release, spring: Release, viewer: User) -> None:
    words = "Compare with what production serves"
    assertContains(staff_client(viewer).get(page(spring)), words)
    assertNotContains(staff_client(viewer).get(page(live)), words)


def test_the_whole_digest_is_there_to_be_copied(approved: Release, viewer: User) -> None:
    assertContains(staff_client(viewer).get(page(approved)), f'data-copy="{approved.manifest_id}"')


def test_markup_in_files_and_titles_is_shown_not_run(
    live: Release, make_release: MakeRelease, viewer: User
) -> None:
    evil = make_release(put("x.svg", "<script>alert(1)</script>"), title="<script>alert(2)</script>")

    for part in ("change", f"changes/{evil.changes.get().pk}"):
        answer = staff_client(viewer).get(page(evil, part))
        assertNotContains(answer, "<script>alert")
        assertContains(answer, "&lt;script&gt;alert(1)&lt;/script&gt;")


def test_changes_are_filtered_by_kind_and_paged(
    live: Release, make_release: MakeRelease, viewer: User
) -> None:
    large = make_release(
        *(put(f"pages/{number:02}.txt", str(number)) for number in range(30)), put("css/site.css", "b {}")
    )
    client = staff_client(viewer)

    assert [row.path for row in client.get(page(large)).context["rows"]][:2] == [
        "css/site.css",
        "pages/00.txt",
    ]
    assert len(client.get(page(large)).context["rows"]) == 25
    assert len(client.get(page(large), {"page": 2}).context["rows"]) == 6
    changed = client.get(page(large), {"kind": "changed"})
    assert [row.path for row in changed.context["rows"]] == ["css/site.css"]
    assert len(client.get(page(large), {"kind": "nonsense", "page": "x"}).context["rows"]) == 25


def test_a_page_takes_as_many_queries_for_25_changes_as_for_one(
    live: Release, make_release: MakeRelease, viewer: User
) -> None:
    client = staff_client(viewer)
    small = make_release(put("a.txt", "a"))
    large = make_release(*(put(f"{number}.txt", str(number)) for number in range(25)))
    with CaptureQueriesContext(connection) as few:
        client.get(page(small))
    with CaptureQueriesContext(connection) as many:
        client.get(page(large))

    assert len(many) == len(few)


def test_an_empty_release_says_how_to_fill_one(
    live: Release, make_release: MakeRelease, viewer: User
) -> None:
    assertContains(staff_client(viewer).get(page(make_release())), "It changes no file.")


@pytest.mark.parametrize("number", ["99", "abc", "99999999999999999999999"])
def test_a_release_that_is_not_there_is_not_found(db: None, viewer: User, number: str) -> None:
    for part in ("change", "history"):
        assert staff_client(viewer).get(f"{LIST}{number}/{part}/").status_code == 404


def test_without_the_permission_to_view_nothing_is_shown(spring: Release, viewer: User) -> None:
    viewer.groups.clear()
    change = spring.changes.first()
    assert change is not None

    for part in ("change", "publish", "history", f"changes/{change.pk}", f"changes/{change.pk}/new"):
        assert staff_client(viewer).get(page(spring, part)).status_code == 403


def test_strangers_are_sent_to_the_login(spring: Release) -> None:
    for part in ("change", "publish"):
        answer = staff_client().get(page(spring, part))
        assertRedirects(answer, f"/admin/login/?next={page(spring, part)}", fetch_redirect_response=False)


def test_the_history_says_who_did_what(approved: Release, viewer: User) -> None:
    answer = staff_client(viewer).get(page(approved, "history"))

    assertContains(answer, f"Approved release {approved.pk} (1 of 1).")
    assertContains(answer, "ben")


# The steps


def test_a_brief_is_completed_on_the_page(live: Release, make_release: MakeRelease, editor: User) -> None:
    draft = make_release(put("a.txt", "a"), expected_result="")

    typed = brief_of(draft, expected_result="Line one\r\nLine two", route="/")
    answer = take(draft, editor, "edit", **typed)

    assertContains(answer, "The brief is saved.")
    draft.refresh_from_db()
    assert draft.expected_result == "Line one\nLine two"
    assert draft.route == "/"


def test_saving_a_brief_as_it_is_is_no_entry_in_the_log(
    live: Release, make_release: MakeRelease, editor: User
) -> None:
    draft = make_release(put("a.txt", "a"), expected_result="One\nTwo")
    before = AuditEntry.objects.count()

    take(draft, editor, "edit", **brief_of(draft, expected_result="One\r\nTwo"))

    assert AuditEntry.objects.count() == before


def test_a_brief_without_title_is_refused_beside_its_field(spring: Release, editor: User) -> None:
    answer = take(spring, editor, "edit", **brief_of(spring, title="", route="/typed"))

    assert answer.status_code == 400
    assertContains(answer, "This field is required.", status_code=400)
    assertContains(answer, "/typed", status_code=400)
    assertContains(answer, "<h1>Spring</h1>", status_code=400, html=True)


def test_a_brief_that_comes_too_late_keeps_what_was_typed(approved: Release, editor: User) -> None:
    answer = take(approved, editor, "edit", **brief_of(approved, route="/typed"))

    assert answer.status_code == 409
    assertContains(answer, "cannot be changed", status_code=409)
    approved.refresh_from_db()
    assert approved.route == ""


def test_a_draft_is_submitted_and_the_way_back_named(spring: Release, editor: User) -> None:
    answer = take(spring, editor, "submit")

    assertContains(answer, "take it back to draft")
    assertContains(answer, "Waiting for one approval")
    assert Release.objects.get(pk=spring.pk).state == "in_review"


def test_an_approval_carries_the_digest_that_was_looked_at(
    spring: Release, editor: User, manager: User
) -> None:
    submitted = review.submit(release=spring, actor=editor)

    stale = take(submitted, manager, "approve", digest="0" * 64)
    assertContains(stale, "no longer has the digest 000000000000", status_code=409)
    assert not submitted.approvals.exists()

    assertContains(
        take(submitted, manager, "approve", digest=submitted.manifest_id),
        f"You approved release {spring.pk}.",
    )
    assert Release.objects.get(pk=spring.pk).state == "approved"


def test_a_rejection_needs_a_reason_and_names_it(spring: Release, editor: User, manager: User) -> None:
    review.submit(release=spring, actor=editor)

    assertContains(take(spring, manager, "reject"), "not rejected without a reason", status_code=409)
    assertContains(take(spring, manager, "reject", reason="Too blue"), "“Too blue”")


def test_a_release_goes_back_to_draft_and_is_withdrawn(spring: Release, editor: User) -> None:
    review.submit(release=spring, actor=editor)

    assertContains(take(spring, editor, "reopen"), "is a draft again")
    assertContains(take(spring, editor, "withdraw"), "is withdrawn")


def test_a_change_is_taken_out_of_a_draft(spring: Release, editor: User) -> None:
    change = spring.changes.get(asset__path="js/old.js")

    assertContains(take(spring, editor, "discard", change=change.pk), "The change of js/old.js is out.")
    assert not Change.objects.filter(pk=change.pk).exists()


@pytest.mark.parametrize("number", ["", "x", "999999"])
def test_a_change_that_is_not_there_cannot_be_taken_out(spring: Release, editor: User, number: str) -> None:
    assert take(spring, editor, "discard", change=number).status_code == 404


def test_a_step_that_does_not_exist_is_refused(spring: Release, editor: User) -> None:
    assert take(spring, editor, "explode").status_code == 400


def test_a_form_without_its_token_is_refused(spring: Release, editor: User) -> None:
    client = staff_client(editor)
    client.handler.enforce_csrf_checks = True

    assert client.post(page(spring), {"step": "submit"}).status_code == 403
    assert Release.objects.get(pk=spring.pk).state == "draft"


def forge(release: Release, user: User, step: str) -> int:
    """Send a step as somebody whose page does not offer it; return the status."""
    change = release.changes.get(asset__path="js/old.js")
    typed = brief_of(release, digest=release.manifest_id or "", reason="forged", change=change.pk)
    return staff_client(user).post(page(release), {"step": step, **typed}).status_code


@pytest.mark.parametrize("step", STEPS)
def test_a_viewer_forges_nothing(spring: Release, editor: User, viewer: User, step: str) -> None:
    if step in ("approve", "reject", "reopen"):
        review.submit(release=spring, actor=editor)
        spring.refresh_from_db()
    before = spring.state, spring.changes.count(), AuditEntry.objects.count()

    assert forge(spring, viewer, step) == 403
    spring.refresh_from_db()
    assert (spring.state, spring.changes.count(), AuditEntry.objects.count()) == before


@pytest.mark.parametrize("step", ["approve", "reject"])
def test_an_editor_forges_no_review(spring: Release, editor: User, other_editor: User, step: str) -> None:
    review.submit(release=spring, actor=editor)
    spring.refresh_from_db()

    assert forge(spring, other_editor, step) == 403


def test_a_manager_forges_no_approval_of_their_own(
    live: Release, make_release: MakeRelease, manager: User
) -> None:
    mine = make_release(put("js/old.js", "2"), actor=manager)
    review.submit(release=mine, actor=manager)
    mine.refresh_from_db()

    assert forge(mine, manager, "approve") == 409
    assert not mine.approvals.exists()


# Publishing


def test_publishing_asks_back_with_what_will_change(approved: Release, manager: User) -> None:
    answer = staff_client(manager).get(page(approved, "publish"))

    assertContains(
        answer, f"Visitors of production get release {approved.pk} instead of release {approved.base_id}"
    )
    assertContains(answer, "<strong>3 paths</strong>: 1 added, 1 changed, 1 removed.")
    assertContains(answer, "css/site.css")
    assertContains(answer, BRIEF["rollback_note"])


def test_publishing_goes_live_and_names_the_way_back(approved: Release, manager: User) -> None:
    answer = staff_client(manager).post(
        page(approved, "publish"), {"digest": approved.manifest_id}, follow=True
    )

    assertContains(answer, f"Published: production serves release {approved.pk}")
    assertContains(answer, "Roll back from the page of production</a>")
    assertContains(answer, "Live on production since")
    live = live_publication(approved.channel)
    assert live is not None
    assert live.release_id == approved.pk


def test_what_was_not_looked_at_is_not_published(approved: Release, manager: User) -> None:
    answer = staff_client(manager).post(page(approved, "publish"), {"digest": "0" * 64})

    assertContains(answer, "no longer what this page showed", status_code=409)
    assert not approved.publications.exists()


@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_who_may_not_publish_reads_why_and_forges_nothing(
    approved: Release, who: str, request: pytest.FixtureRequest
) -> None:
    client = staff_client(request.getfixturevalue(who))

    answer = client.get(page(approved, "publish"))
    assertContains(answer, f"may not publish release {approved.pk}")
    assertNotContains(answer, "Publish to production</button>")
    assert client.post(page(approved, "publish"), {"digest": approved.manifest_id}).status_code == 403
    assert not approved.publications.exists()


def test_a_draft_cannot_be_published_and_its_page_says_so(spring: Release, manager: User) -> None:
    client = staff_client(manager)

    assertContains(client.get(page(spring, "publish")), "is draft and cannot be published")
    assert client.post(page(spring, "publish"), {"digest": ""}).status_code == 409


def test_publishing_without_the_manifest_in_storage_is_refused(approved: Release, manager: User) -> None:
    assert approved.manifest is not None
    file = store.local_path(approved.manifest.file_name)
    assert file is not None
    file.unlink()

    answer = staff_client(manager).post(page(approved, "publish"), {"digest": approved.manifest_id})

    assertContains(answer, "missing from storage", status_code=409)
    assertContains(answer, "What would change cannot be read", status_code=409)
    assert Publication.objects.count() == 1


def test_the_first_release_of_a_channel_says_that_nothing_is_live_yet(
    make_release: MakeRelease, manager: User, editor: User
) -> None:
    first = review.submit(release=make_release(put("a.txt", "a")), actor=editor)

    answer = staff_client(manager).get(page(first, "publish"))

    assertContains(answer, "as its first")
    assertContains(answer, "nothing yet")


def test_a_live_release_leads_to_its_channel(approved: Release, manager: User) -> None:
    publishing.publish(release=approved, actor=manager)

    answer = staff_client(manager).get(page(approved))

    assertContains(answer, f'href="/admin/releases/channel/{approved.channel_id}/change/">Channel production')
