"""The database itself keeps schedules true: past forms, commands and shells."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.releases.models import Manifest, Release, Schedule
from apps.releases.services import publishing

LATER = datetime(2030, 12, 1, 8, tzinfo=UTC)


def assert_refused(word: str, write: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError, match=word), transaction.atomic():
        write()


def make(release: Release, by: User, **fields: object) -> Schedule:
    values = {"manifest": release.manifest, "action": "publish", "at": LATER, "time_zone": "UTC", "by": by}
    return Schedule.objects.create(release=release, **values | fields)


def test_only_an_approved_digest_is_scheduled(
    approved: Release, live: Release, make_release: Callable[..., Release], manager: User
) -> None:
    other = Manifest.objects.exclude(pk=approved.manifest_id).first()
    assert_refused("wrong_schedule", lambda: make(approved, manager, manifest=other))
    assert_refused("wrong_schedule", lambda: make(live, manager))
    assert_refused("wrong_schedule", lambda: make(make_release(), manager, manifest=other))
    make(approved, manager)
    make(live, manager, action="end")


def test_one_waits_for_each_action(approved: Release, manager: User) -> None:
    make(approved, manager)
    make(approved, manager, action="end")
    assert_refused("(?i)unique", lambda: make(approved, manager))


def test_a_schedule_begins_as_one_that_waits(approved: Release, manager: User) -> None:
    assert_refused(
        "wrong_schedule",
        lambda: make(approved, manager, state="cancelled", outcome="never", done_at=timezone.now()),
    )


@pytest.mark.parametrize(
    "terms", [{"at": LATER + timedelta(days=1)}, {"action": "end"}, {"time_zone": "Europe/Berlin"}]
)
def test_its_terms_never_change(approved: Release, manager: User, terms: dict[str, object]) -> None:
    made = make(approved, manager)
    assert_refused("schedule_settled", lambda: Schedule.objects.filter(pk=made.pk).update(**terms))


def test_it_is_settled_once_with_words_and_never_removed(approved: Release, manager: User) -> None:
    row = Schedule.objects.filter(pk=make(approved, manager).pk)
    settled = {"state": "failed", "outcome": "no", "done_at": timezone.now()}
    assert_refused("settled_with_words", lambda: row.update(**settled | {"outcome": ""}))
    assert_refused("settled_with_words", lambda: row.update(**settled | {"done_at": None}))
    row.update(**settled)
    assert_refused("schedule_settled", lambda: row.update(state="waiting", done_at=None))
    with connection.cursor() as cursor:
        assert_refused("append_only", lambda: cursor.execute("DELETE FROM releases_schedule"))


def test_what_is_done_has_published_what_it_names(approved: Release, live: Release, manager: User) -> None:
    row = Schedule.objects.filter(pk=make(approved, manager).pk)
    done = {"state": "done", "outcome": "Published.", "done_at": timezone.now()}
    assert_refused("wrong_schedule", lambda: row.update(**done))
    assert_refused("wrong_schedule", lambda: row.update(**done, publication=live.publications.get()))
    assert_refused("publication_if_done", lambda: row.update(publication=live.publications.get()))
    Schedule.objects.filter(pk=row.get().pk).update(**done | {"state": "cancelled"})
    second = make(approved, manager)
    publication = publishing.publish(release=approved, actor=manager)
    second.refresh_from_db()
    assert second.state == "cancelled"
    assert publication.sequence == 2
