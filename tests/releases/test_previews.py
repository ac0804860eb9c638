"""Previews through the services: who may, what they show, how they end, and what storage is told."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from django.contrib.auth.hashers import check_password
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from apps.accounts.exceptions import Forbidden, WeakPassword
from apps.accounts.models import User
from apps.assets import store
from apps.assets.exceptions import StorageFull
from apps.audit.models import AuditEntry
from apps.jobs.models import Job
from apps.jobs.running import run
from apps.refusals import Refusal
from apps.releases.exceptions import PreviewOver, TooManyPreviews, WrongExpiry, WrongState
from apps.releases.history.signing import verified
from apps.releases.models import Preview, Release
from apps.releases.previews.hosts import read_label
from apps.releases.selectors.previews import (
    address_of,
    changes_since,
    open_previews_of,
    preview_of_now,
    previews_to_settle,
)
from apps.releases.services import drafts, previews, publishing, review
from apps.releases.services.preview_pointers import (
    pointer_document,
    pointer_name,
    reconcile_previews,
    settle,
    sweep_previews,
)
from apps.releases.services.previews import (
    LONGEST_EXPIRY,
    MOST_OPEN,
    build_preview,
    open_preview,
    refresh_preview,
    revoke_preview,
)
from apps.releases.services.redirects import put_redirect
from tests.releases.conftest import put

PASSWORD = "open sesame and so on"


def stored(preview: Preview) -> dict[str, object] | None:
    """Return what storage says of a preview, None where it says nothing."""
    name = pointer_name(preview.key)
    content = store.read(name)
    return None if content is None else verified(content, name=name)


# Nothing is committed in most of these tests: `reconcile_previews` does what would follow a commit.


@pytest.fixture
def live(live: Release) -> Release:
    """Release 1, whose own preview has ended already."""
    reconcile_previews()
    return live


def preview_of(release: Release) -> Preview:
    """Return the one preview that a release has."""
    return release.previews.get()


@pytest.fixture
def submitted(spring: Release, editor: User) -> Release:
    return review.submit(release=spring, actor=editor)


# Who may


@pytest.mark.parametrize(
    ("name", "may_open", "may_revoke"),
    [
        ("viewer", False, False),
        ("editor", True, True),
        ("other_editor", True, False),
        ("manager", True, True),
    ],
)
def test_editors_make_previews_and_managers_end_those_of_others(
    spring: Release, editor: User, request: pytest.FixtureRequest, name: str, may_open: bool, may_revoke: bool
) -> None:
    person: User = request.getfixturevalue(name)
    of_editor = open_preview(release=spring, actor=editor)

    acts: list[tuple[bool, Callable[[], object]]] = [
        (may_open, partial(open_preview, release=spring, actor=person)),
        (may_open, partial(refresh_preview, preview=of_editor, actor=person)),
        (may_revoke, partial(revoke_preview, preview=of_editor, actor=person)),
    ]
    for may, act in acts:
        with nullcontext() if may else pytest.raises(Forbidden):
            act()


def test_each_act_leaves_one_entry_without_what_opens_the_preview(spring: Release, editor: User) -> None:
    before = AuditEntry.objects.count()
    preview = open_preview(release=spring, actor=editor, password=PASSWORD)
    refresh_preview(preview=preview, actor=editor)
    revoke_preview(preview=preview, actor=editor)

    entries = AuditEntry.objects.order_by("sequence")[before:]

    assert [entry.action for entry in entries] == ["preview.open", "preview.refresh", "preview.revoke"]
    for entry in entries:
        assert entry.target == f"release {spring.pk}"
        said = f"{entry.summary} {json.dumps(entry.details)}"
        for secret in (PASSWORD, preview.password, preview.key, address_of(preview)):
            assert secret not in said


# What they show


def test_a_submission_has_its_preview_at_once(submitted: Release) -> None:
    preview = preview_of(submitted)

    assert (preview.manifest_id, preview.is_of_draft) == (submitted.manifest_id, False)
    assert preview_of_now(submitted) == preview
    assert stored(preview) is None
    assert reconcile_previews() == [f"A preview of release {submitted.pk} is there."]
    assert reconcile_previews() == []
    said = stored(preview)
    assert said is not None
    assert (said["digest"], said["release"]) == (submitted.manifest_id, submitted.pk)


def test_its_host_says_what_its_pointer_says(submitted: Release, settings: Settings) -> None:
    settings.PREVIEW_URL = "https://{}.preview.example.com/"
    preview = preview_of(submitted)

    address = address_of(preview)

    label = address.removeprefix("https://").removesuffix(".preview.example.com/")
    host = read_label(label, settings.SECRET_KEY)
    assert host is not None
    assert (host.release, host.key) == (submitted.pk, preview.key)
    assert datetime.fromtimestamp(host.expires_at, UTC) == preview.expires_at


def test_a_draft_is_built_as_its_submission_will_be(spring: Release, editor: User) -> None:
    preview = open_preview(release=spring, actor=editor)

    spring.refresh_from_db()
    assert (spring.state, spring.manifest) == (Release.State.DRAFT, None)
    assert preview.is_of_draft
    assert review.submit(release=spring, actor=editor).manifest_id == preview.manifest_id


def test_a_preview_of_a_draft_says_what_has_changed_since_and_is_refreshed(
    spring: Release, editor: User
) -> None:
    preview = open_preview(release=spring, actor=editor)
    first = preview.manifest_id
    assert changes_since(spring, [preview]) == {preview.pk: 0}
    drafts.apply_changes(release=spring, changes=[put("a.txt", "a"), put("b.txt", "b")], actor=editor)
    drafts.discard_change(change=spring.changes.get(asset__path="js/old.js"), actor=editor)
    put_redirect(release=spring, source="/old", target="/a.txt", actor=editor)
    assert changes_since(spring, [preview]) == {preview.pk: 4}

    address = address_of(preview)
    preview = refresh_preview(preview=preview, actor=editor)

    assert preview.manifest_id != first
    assert address_of(preview) == address
    assert changes_since(spring, [preview]) == {preview.pk: 0}
    reconcile_previews()
    said = stored(preview)
    assert said is not None
    assert said["digest"] == preview.manifest_id


def test_changes_since_several_previews_take_two_queries(spring: Release, editor: User) -> None:
    made = [open_preview(release=spring, actor=editor) for _ in range(5)]

    with CaptureQueriesContext(
        connection,
    ) as queries:
        changes_since(spring, made)

    assert len(queries) == 2


def test_a_large_draft_is_built_by_a_job(
    spring: Release, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "_MOST_CHANGES_AT_ONCE", 1)
    preview = open_preview(release=spring, actor=editor)
    assert preview.manifest is None
    assert preview_of_now(spring) is None
    assert reconcile_previews() == []

    job = Job.objects.get(kind="releases.build_preview")
    run(job.pk)

    job.refresh_from_db()
    assert (job.state, job.error) == (Job.State.SUCCEEDED, "")
    assert preview_of_now(spring) == preview
    reconcile_previews()
    assert stored(preview) is not None


def test_a_job_for_a_preview_that_has_ended_builds_nothing(
    spring: Release, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "_MOST_PATHS_AT_ONCE", 0)
    preview = open_preview(release=spring, actor=editor)
    revoke_preview(preview=preview, actor=editor)

    assert not build_preview(preview.pk)
    assert not build_preview(preview.pk + 1)
    preview.refresh_from_db()
    assert preview.manifest is None


def test_what_was_submitted_meanwhile_stays_what_a_built_preview_shows(spring: Release, editor: User) -> None:
    preview = open_preview(release=spring, actor=editor)
    review.submit(release=spring, actor=editor)

    assert not build_preview(preview.pk)
    with pytest.raises(WrongState, match="this preview stays as it is"):
        refresh_preview(preview=preview, actor=editor)


def test_the_preview_of_now_is_of_the_digest_that_is_in_review(spring: Release, editor: User) -> None:
    assert preview_of_now(spring) is None
    of_draft = open_preview(release=spring, actor=editor)
    assert preview_of_now(spring) == of_draft
    submitted = review.submit(release=spring, actor=editor)
    of_first = preview_of_now(submitted)
    assert of_first is not None
    review.reopen(release=submitted, actor=editor)
    drafts.apply_changes(release=submitted, changes=[put("a.txt", "a")], actor=editor)
    again = review.submit(release=submitted, actor=editor)

    now = preview_of_now(again)

    assert now is not None
    assert now not in (of_draft, of_first)
    assert now.manifest_id == again.manifest_id
    assert set(open_previews_of(again)) == {of_draft, of_first, now}
    open_preview(release=again, actor=editor, password=PASSWORD)
    assert preview_of_now(again) == now


# What is refused


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"expiry": timedelta(seconds=59)}, WrongExpiry),
        ({"expiry": LONGEST_EXPIRY + timedelta(seconds=1)}, WrongExpiry),
        ({"expiry": timedelta(days=-1)}, WrongExpiry),
        ({"password": "password"}, WeakPassword),
    ],
)
def test_bad_wishes_are_refused_and_nothing_is_made(
    spring: Release, editor: User, options: dict[str, object], refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        open_preview(release=spring, actor=editor, **options)  # type: ignore[arg-type]
    assert not spring.previews.exists()


def test_a_release_has_so_many_previews_at_most(submitted: Release, editor: User) -> None:
    for _ in range(MOST_OPEN - 1):
        open_preview(release=submitted, actor=editor)
    with pytest.raises(TooManyPreviews, match="Revoke those"):
        open_preview(release=submitted, actor=editor)


def test_what_is_live_was_live_or_is_withdrawn_has_no_preview(
    live: Release, spring: Release, editor: User
) -> None:
    review.withdraw(release=spring, actor=editor)
    spring.refresh_from_db()

    for release in (live, spring):
        with pytest.raises(WrongState, match="nothing to preview"):
            open_preview(release=release, actor=editor)


def test_a_password_is_kept_hashed(submitted: Release, editor: User) -> None:
    preview = open_preview(release=submitted, actor=editor, password=PASSWORD)

    assert preview.password.startswith("scrypt$")
    assert check_password(PASSWORD, preview.password)


def test_a_draft_that_cannot_be_built_has_no_preview(
    spring: Release, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(release: Release) -> None:
        raise StorageFull("There is no room.", next_step="Free some.")

    monkeypatch.setattr(previews, "build", full)
    with pytest.raises(StorageFull):
        open_preview(release=spring, actor=editor)
    assert not spring.previews.exists()


# How they end


def test_a_preview_that_was_revoked_is_taken_from_storage_for_good(submitted: Release, editor: User) -> None:
    preview = preview_of(submitted)
    reconcile_previews()

    revoke_preview(preview=preview, actor=editor)

    assert preview_of_now(submitted) is None
    assert reconcile_previews() == [f"A preview of release {submitted.pk} has ended."]
    assert stored(preview) is None
    assert reconcile_previews() == []
    with pytest.raises(PreviewOver, match="ended already"):
        revoke_preview(preview=preview, actor=editor)


@pytest.mark.parametrize("end", ["publish", "withdraw"])
def test_previews_end_with_their_release(
    approved: Release,
    editor: User,
    manager: User,
    end: str,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    preview = preview_of(approved)
    reconcile_previews()
    assert stored(preview) is not None

    with django_capture_on_commit_callbacks(execute=True):
        if end == "publish":
            publishing.publish(release=approved, actor=manager)
        else:
            review.withdraw(release=approved, actor=editor)

    assert stored(preview) is None
    assert preview_of_now(approved) is None


def test_a_rejected_release_can_still_be_looked_at(submitted: Release, manager: User) -> None:
    review.reject(release=submitted, reason="Too blue.", actor=manager)

    assert preview_of_now(submitted) is not None


def test_what_has_expired_is_swept(submitted: Release, editor: User, monkeypatch: pytest.MonkeyPatch) -> None:
    preview = preview_of(submitted)
    reconcile_previews()
    assert not previews_to_settle().exists()
    later = timezone.now() + timedelta(days=7, seconds=1)
    monkeypatch.setattr("apps.releases.selectors.previews.timezone.now", lambda: later)

    assert len(reconcile_previews()) == 1
    assert stored(preview) is None
    preview.refresh_from_db()
    assert preview.pointer == Preview.Pointer.GONE


def test_a_write_that_failed_is_tried_again(
    submitted: Release, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(name: str, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("apps.releases.services.preview_pointers.store.replace", full)
        assert reconcile_previews() == []
    assert "could not be settled" in caplog.text
    assert len(reconcile_previews()) == 1


def test_a_pointer_written_just_before_a_crash_is_removed_all_the_same(
    submitted: Release, editor: User
) -> None:
    preview = preview_of(submitted)
    reconcile_previews()
    Preview.objects.filter(pk=preview.pk).update(pointer=Preview.Pointer.DUE)

    revoke_preview(preview=preview, actor=editor)
    reconcile_previews()

    assert stored(preview) is None


def test_pointers_that_no_row_knows_are_removed(submitted: Release, storage_folder: Path) -> None:
    assert sweep_previews() == []
    preview = preview_of(submitted)
    reconcile_previews()
    name = pointer_name("0" * 16)
    store.replace(name, b"{}")

    assert sweep_previews() == ["Removed 1 pointers of previews that nobody knows."]
    assert store.read(name) is None
    assert stored(preview) is not None


# What the database itself refuses


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"key": "0" * 16}, "preview_fixed"),
        ({"password": ""}, "preview_fixed"),
        ({"expires_at": datetime(2099, 1, 1, tzinfo=UTC)}, "preview_fixed"),
        ({"has_banner": True}, "preview_fixed"),
        ({"is_of_draft": True}, "preview_fixed"),
        ({"manifest": "live"}, "preview_fixed"),
        ({"revoked_at": datetime(2026, 1, 1, tzinfo=UTC)}, "preview_is_revoked_by_somebody"),
        ({"pointer": "odd"}, "preview_pointer_is_known"),
        ({"manifest": None}, "preview_of_candidate_has_its_manifest"),
    ],
)
def test_the_database_keeps_a_preview_as_it_was_made(
    submitted: Release, live: Release, editor: User, fields: dict[str, object], words: str
) -> None:
    preview = open_preview(release=submitted, actor=editor, password=PASSWORD)
    fields = {name: live.manifest if value == "live" else value for name, value in fields.items()}

    with pytest.raises(IntegrityError, match=words), transaction.atomic():
        Preview.objects.filter(pk=preview.pk).update(**fields)


def test_the_database_lets_no_preview_come_back_or_vanish(submitted: Release, editor: User) -> None:
    preview = revoke_preview(preview=preview_of(submitted), actor=editor)
    reconcile_previews()

    for fields in ({"revoked_at": None, "revoked_by": None}, {"pointer": Preview.Pointer.DUE}):
        with pytest.raises(IntegrityError, match="preview_over"), transaction.atomic():
            Preview.objects.filter(pk=preview.pk).update(**fields)
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        Preview.objects.filter(pk=preview.pk).delete()


# What is harmless to do at any time


def test_settling_what_is_settled_unknown_or_not_built_does_nothing(
    spring: Release, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "_MOST_CHANGES_AT_ONCE", 0)
    waiting = open_preview(release=spring, actor=editor)
    assert settle(waiting.pk) == ""
    assert stored(waiting) is None
    with pytest.raises(ValueError, match="was not built yet"):
        pointer_document(waiting)

    assert build_preview(waiting.pk)
    assert settle(waiting.pk) == f"A preview of release {spring.pk} is there."
    assert settle(waiting.pk) == ""
    assert settle(0) == ""
