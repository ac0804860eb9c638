"""What happens is noted with it, handed out once, to those whom it concerns and who want to know."""

from unittest import mock

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, transaction

from apps.accounts.models import User
from apps.audit.services import record
from apps.jobs.models import Job
from apps.jobs.running import run
from apps.jobs.services import enqueue, requeue_abandoned
from apps.notifications.kinds import KIND_OF_ACTION, WHO_IS_TOLD, Kind
from apps.notifications.models import Delivery, Event, Webhook
from apps.notifications.outbox import note_failed_job
from apps.notifications.recipients import _BY_KIND
from apps.notifications.services.handing_out import hand_out
from apps.notifications.services.preferences import set_muted
from apps.releases.models import Release
from apps.releases.services import publishing, review
from tests.jobs.conftest import Handler, handler  # noqa: F401 - a fixture
from tests.notifications.conftest import with_addresses


def told(kind: Kind) -> set[str]:
    """Return who is told of the newest event of a kind, after it was handed out."""
    hand_out()
    event = Event.objects.filter(kind=kind).latest("pk")
    return set(event.deliveries.filter(webhook=None).values_list("person__username", flat=True))


def test_every_kind_says_who_is_told_and_is_told_to_somebody() -> None:
    assert set(_BY_KIND) == set(Kind)
    assert set(WHO_IS_TOLD) == set(Kind) - {Kind.TEST}
    assert set(KIND_OF_ACTION.values()) == set(Kind) - {Kind.JOB_FAILED}
    assert all(kind.label for kind in Kind)


def test_a_review_is_asked_of_those_who_may_give_it(
    spring: Release, editor: User, manager: User, other_manager: User, administrator: User, viewer: User
) -> None:
    review.submit(release=spring, actor=editor)
    assert told(Kind.REVIEW_ASKED) == {"ben", "mona", "ann"}


def test_authors_are_not_asked_to_review_their_own_work(
    live: Release, make_release: mock.Mock, manager: User, other_manager: User
) -> None:
    mine = make_release(actor=manager)
    event = Event.objects.create(
        kind=Kind.REVIEW_ASKED, actor_name="x", target=f"release {mine.pk}", summary="s"
    )
    Release.objects.filter(pk=mine.pk).update(manifest=live.manifest)
    Release.objects.filter(pk=mine.pk).update(state="in_review")
    hand_out()
    assert {each.person.username for each in event.deliveries.all() if each.person} == {"mona", "ann"}


def test_what_needs_no_review_asks_nobody(live: Release, manager: User) -> None:
    assert told(Kind.REVIEW_ASKED) == set()


def test_owner_and_authors_read_what_came_of_it(
    spring: Release, editor: User, manager: User, administrator: User
) -> None:
    review.submit(release=spring, actor=editor)
    review.approve(release=spring, digest=Release.objects.get(pk=spring.pk).manifest_id or "", actor=manager)
    assert told(Kind.APPROVED) == {"eva"}
    publishing.publish(release=spring, actor=manager)
    assert told(Kind.PUBLISHED) == {"eva"}
    publishing.roll_back(channel=spring.channel, reason="Broken.", actor=manager)
    assert told(Kind.ROLLED_BACK) == {"eva", "ann"}


def test_whoever_did_it_is_not_told(spring: Release, editor: User, manager: User) -> None:
    review.submit(release=spring, actor=editor)
    review.reject(release=spring, reason="No.", actor=manager)
    assert told(Kind.REJECTED) == {"eva"}


def test_a_deactivated_person_and_one_who_mutes_it_are_not_told(
    spring: Release, editor: User, manager: User, other_manager: User, administrator: User
) -> None:
    set_muted(person=manager, kinds=[Kind.REVIEW_ASKED], actor=manager)
    User.objects.filter(pk=other_manager.pk).update(is_active=False)
    review.submit(release=spring, actor=editor)
    assert told(Kind.REVIEW_ASKED) == {"ann"}


def test_an_approver_group_narrows_who_is_asked(
    spring: Release, editor: User, manager: User, administrator: User
) -> None:
    group = Group.objects.create(name="Brand")
    group.user_set.add(manager)
    spring.channel.approver_group = group
    spring.channel.save()
    review.submit(release=spring, actor=editor)
    assert told(Kind.REVIEW_ASKED) == {"ben"}


def test_what_is_undone_was_never_noted(spring: Release, editor: User) -> None:
    before = Event.objects.count()
    with transaction.atomic():
        review.submit(release=spring, actor=editor)
        assert Event.objects.count() == before + 1
        transaction.set_rollback(True)
    assert Event.objects.count() == before


def test_each_event_is_handed_out_once(live: Release, webhook: Webhook) -> None:
    noted = Event.objects.count()
    assert hand_out() == noted
    count = Delivery.objects.count()
    assert hand_out() == 0
    assert Delivery.objects.count() == count
    assert webhook.deliveries.count() == noted


def test_a_webhook_takes_the_kinds_that_it_names(live: Release, webhook: Webhook) -> None:
    Webhook.objects.update(kinds=["published"])
    hand_out()
    assert [each.event.kind for each in webhook.deliveries.all()] == ["published"]


def test_a_fault_in_words_holds_up_nothing_else(
    spring: Release, editor: User, manager: User, caplog: pytest.LogCaptureFixture
) -> None:
    hand_out()
    for number in (1, 2):
        record(
            actor=manager,
            action="release.comment",
            target=f"release {spring.pk}",
            summary=f"Comment {number}.",
        )
    words = mock.Mock(subject="s", body="b")
    with mock.patch("apps.notifications.services.handing_out.mail_for", side_effect=[KeyError("x"), words]):
        assert hand_out() == 2
    assert "Nobody is told of event" in caplog.text
    assert [each.event.summary for each in Delivery.objects.filter(event__kind=Kind.COMMENTED)] == [
        "Comment 2."
    ]


def test_a_database_that_is_away_leaves_it_for_later(spring: Release, editor: User, manager: User) -> None:
    hand_out()
    review.submit(release=spring, actor=editor)
    gone = mock.patch("apps.notifications.services.handing_out.mail_for", side_effect=DatabaseError("gone"))
    with gone, pytest.raises(DatabaseError):
        hand_out()
    assert Event.objects.filter(handed_out_at=None).count() == 1


def test_without_a_mail_server_or_an_address_it_says_so(
    spring: Release,
    editor: User,
    manager: User,
    other_manager: User,
    administrator: User,
    settings: mock.Mock,
) -> None:
    settings.SENDS_MAIL = False
    with_addresses(manager)
    review.submit(release=spring, actor=editor)
    hand_out()
    outcomes = dict(
        Delivery.objects.filter(event__kind=Kind.REVIEW_ASKED, person__isnull=False).values_list(
            "person__username", "outcome"
        )
    )
    assert outcomes["ben"] == "No mail server is set (EMAIL_URL)."
    assert outcomes["mona"] == "They have no mail address."
    assert not Delivery.objects.filter(state="waiting").exists()


def test_a_job_that_fails_is_told_to_administrators_once_an_hour(
    administrator: User,
    manager: User,
    handler: Handler,  # noqa: F811
) -> None:
    handler.act.side_effect = ValueError("too large")
    for key in ("a", "b"):
        run(enqueue(kind="tests.work", key=key, payload={}).pk)
    (event,) = Event.objects.filter(kind=Kind.JOB_FAILED)
    assert event.summary == "The background job a failed: ValueError: too large"
    assert told(Kind.JOB_FAILED) == {"ann"}


def test_a_job_that_is_given_up_is_told_too(administrator: User) -> None:
    Job.objects.create(key="dead", kind="tests.gone", state="running", attempts=3)
    requeue_abandoned()
    assert Event.objects.get().summary.startswith("The background job dead failed: Given up after 3 attempts")


def test_a_failed_job_that_says_nothing_is_told_as_such(administrator: User) -> None:
    note_failed_job(Job.objects.create(key="mute", kind="tests.mute", state="failed"))
    assert Event.objects.get().summary == "The background job mute failed: it says no reason."


def test_a_hold_that_a_roll_back_brought_is_not_told_twice(
    production: mock.Mock, administrator: User
) -> None:
    record(actor=administrator, action="channel.hold", target="channel production", summary="Held.")
    record(
        actor=administrator, action="channel.hold", target="channel production", summary="Held.",
        details={"rollback": "production-1"},
    )  # fmt: skip
    record(actor=administrator, action="channel.stop", target="all channels", summary="Stopped.")
    assert list(Event.objects.order_by("pk").values_list("kind", flat=True)) == ["held", "emergency"]
