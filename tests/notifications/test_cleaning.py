"""What was told long ago is forgotten; what waits never is."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.notifications.cleaning import forget_told
from apps.notifications.models import Attempt, Delivery, Event

State = Delivery.State


def told(person: User, state: State, *, days: int) -> Delivery:
    """Return a delivery of an event, tried once, as it was so many days ago."""
    at = timezone.now() - timedelta(days=days)
    event = Event.objects.create(
        kind="published", actor_name="ben", target="release 1", summary="Live", at=at, handed_out_at=at
    )
    settled = {} if state == State.WAITING else {"settled_at": at}
    delivery = Delivery.objects.create(
        event=event, person=person, body="Live", state=state, budget=8, attempts=1, **settled
    )
    Attempt.objects.create(delivery=delivery, number=1, at=at, took_ms=1)
    return delivery


@pytest.mark.django_db
def test_what_was_settled_long_ago_goes_with_its_attempts_and_its_event(editor: User) -> None:
    waiting = told(editor, State.WAITING, days=200)
    young = told(editor, State.SENT, days=89)
    for state in (State.SENT, State.DEAD, State.UNSENT):
        told(editor, state, days=91)
    assert forget_told(is_dry_run=True).removed == 3
    assert Delivery.objects.count() == 5
    assert forget_told(is_dry_run=False).removed == 6, "three deliveries, and then their three events"
    assert set(Delivery.objects.all()) == {waiting, young}
    assert set(Event.objects.all()) == {waiting.event, young.event}
    assert Attempt.objects.count() == 2
    assert forget_told(is_dry_run=False).removed == 0


@pytest.mark.django_db
def test_an_attempt_of_what_waits_stays(editor: User) -> None:
    waiting = told(editor, State.WAITING, days=200)
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        Attempt.objects.filter(delivery=waiting).delete()
