"""Previews on the page of a release, through the staff door."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.models import User
from apps.releases.models import Preview, Release
from apps.releases.selectors.previews import address_of, open_previews_of
from apps.releases.services import drafts, previews, publishing, review
from apps.releases.services.previews import open_preview, revoke_preview
from tests.releases.conftest import put
from tests.staff import staff_client

PASSWORD = "open sesame and so on"


def page(release: Release) -> str:
    return f"/admin/releases/release/{release.pk}/change/"


def take(release: Release, user: User, step: str, **typed: object) -> Any:
    return staff_client(user).post(page(release), {"step": step, **typed}, follow=True)


def newest(release: Release) -> Preview:
    return open_previews_of(release)[0]


def test_what_is_in_review_has_a_link_for_everybody(spring: Release, editor: User, viewer: User) -> None:
    submitted = review.submit(release=spring, actor=editor)

    answer = staff_client(viewer).get(page(submitted))

    link = f'<a href="{address_of(newest(submitted))}" target="_blank" rel="noopener">Preview ↗</a>'
    assertContains(answer, link, html=True)
    assertContains(answer, "What was submitted.")
    assertContains(answer, submitted.manifest_id)
    assertNotContains(answer, 'value="revoke_preview"')
    assertNotContains(answer, 'value="open_preview"')
    assertContains(answer, "<b>Make a preview</b> Ask an editor")


def test_an_editor_makes_one_of_a_draft_with_a_password_and_a_banner(spring: Release, editor: User) -> None:
    assertNotContains(staff_client(editor).get(page(spring)), "Preview ↗")

    answer = take(spring, editor, "open_preview", days=30, password=PASSWORD, has_banner="on")

    preview = newest(spring)
    assertContains(answer, f'The preview is at <a href="{address_of(preview)}"')
    assertContains(answer, "nothing has changed since.")
    assertContains(answer, "asks for its password; with a banner.")
    assert (preview.has_banner, bool(preview.password)) == (True, True)
    assert 29 < (preview.expires_at - preview.created_at).days + 1 <= 30
    assertNotContains(answer, PASSWORD)


def test_a_draft_that_goes_on_is_refreshed(spring: Release, editor: User) -> None:
    preview = open_preview(release=spring, actor=editor)
    drafts.apply_changes(release=spring, changes=[put("a.txt", "a")], actor=editor)
    assertContains(staff_client(editor).get(page(spring)), "1 change since.")

    answer = take(spring, editor, "refresh_preview", preview=preview.pk)

    assertContains(answer, "under the same address")
    assertContains(answer, "nothing has changed since.")


def test_one_that_waits_for_a_job_says_so(
    spring: Release, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "_MOST_CHANGES_AT_ONCE", 0)

    answer = take(spring, editor, "open_preview", days=7)

    assertContains(answer, "Being built:")
    assertNotContains(answer, "Open ↗")


def test_who_made_a_preview_revokes_it_and_a_manager_any(
    spring: Release, editor: User, other_editor: User, manager: User
) -> None:
    first, second = (open_preview(release=spring, actor=editor) for _ in range(2))
    assertNotContains(staff_client(other_editor).get(page(spring)), 'value="revoke_preview"')
    assert take(spring, other_editor, "revoke_preview", preview=first.pk).status_code == 403

    assertContains(take(spring, editor, "revoke_preview", preview=first.pk), "The preview is revoked")
    answer = take(spring, manager, "revoke_preview", preview=second.pk)

    assertContains(answer, "None is open.")
    assertContains(answer, "Those that have ended")
    assertContains(answer, "revoked by ben")
    assert take(spring, manager, "revoke_preview", preview=second.pk).status_code == 409


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"days": 91}, "91 is not one of the available choices"),
        ({"days": 7, "password": "short"}, "This password will not do"),
    ],
)
def test_what_was_typed_wrongly_is_said_beside_the_field(
    spring: Release, editor: User, typed: dict[str, object], words: str
) -> None:
    answer = take(spring, editor, "open_preview", **typed)

    assertContains(answer, words, status_code=400)
    assert not spring.previews.exists()


def test_a_viewer_makes_none_by_a_forged_form(spring: Release, viewer: User) -> None:
    assert take(spring, viewer, "open_preview", days=7).status_code == 403
    assert not spring.previews.exists()


def test_a_preview_of_another_release_is_not_found(spring: Release, live: Release, editor: User) -> None:
    of_live = live.previews.get()

    for number in (of_live.pk, "x", ""):
        assert take(spring, editor, "revoke_preview", preview=number).status_code == 404


def test_previews_of_what_is_live_have_ended(approved: Release, editor: User, manager: User) -> None:
    publishing.publish(release=approved, actor=manager)

    answer = staff_client(editor).get(page(approved))

    assertContains(answer, "Previews end when a release is published or withdrawn.")
    assertNotContains(answer, "Preview ↗")
    assertNotContains(answer, 'value="open_preview"')


def test_the_page_takes_as_many_queries_for_one_preview_as_for_many(spring: Release, manager: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(page(spring))
        return len(captured)

    client = staff_client(manager)
    revoke_preview(preview=open_preview(release=spring, actor=manager), actor=manager)
    open_preview(release=spring, actor=manager)
    client.get(page(spring))
    one = queries()
    for _ in range(6):
        open_preview(release=spring, actor=manager)
    for preview in open_previews_of(spring)[:3]:
        revoke_preview(preview=preview, actor=manager)
    assert queries() == one
