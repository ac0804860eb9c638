"""A clock that jumps back between publications: what came later is what has the higher number."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.releases.comparing.comparables import comparable_named
from apps.releases.history.changelog import tags
from apps.releases.models import Channel, Publication, Release
from apps.releases.rolling_back.retention import first_kept
from apps.releases.selectors import first_published_at, history_of, live_publication, publication_before
from apps.releases.services import holding, publishing
from apps.releases.services.pointers import pointer_document
from tests.releases.conftest import Publish, put

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SetClock = Callable[[datetime], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Return a function that sets the clock which Django's parts ask."""

    def set_to(moment: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: moment)

    return set_to


@pytest.fixture
def jumped(production: Channel, publish: Publish, set_clock: SetClock, manager: User) -> list[Publication]:
    """Three releases: the second is published a year later, the third a day earlier than the first."""
    for at, text in (
        (NOON, "one"),
        (NOON + timedelta(days=365), "two"),
        (NOON - timedelta(days=1), "three"),
    ):
        set_clock(at)
        publish(put("index.html", text))
    return list(production.publications.order_by("sequence"))


def test_what_is_live_is_what_was_published_last(jumped: list[Publication], production: Channel) -> None:
    assert live_publication(production) == jumped[2]
    assert [publication.sequence for publication in history_of(production)] == [3, 2, 1]
    assert publication_before(jumped[2]) == jumped[1]
    assert comparable_named("production").permanent == jumped[2].tag
    assert pointer_document(jumped[2])["sequence"] == 3
    assert [publication.sequence for publication in tags(production)] == [3, 2, 1]
    states = dict(Release.objects.values_list("pk", "state"))
    assert states == {1: "superseded", 2: "superseded", 3: "published"}


def test_tags_are_those_of_their_day_and_never_given_twice(
    jumped: list[Publication], publish: Publish, set_clock: SetClock, production: Channel
) -> None:
    set_clock(NOON)
    publish(put("index.html", "four"))
    assert [publication.tag for publication in production.publications.order_by("sequence")] == [
        "production-2026-11-20.1",
        "production-2027-11-20.1",
        "production-2026-11-19.1",
        "production-2026-11-20.2",
    ]


def test_a_roll_back_goes_to_what_was_before_by_number(
    jumped: list[Publication], production: Channel, manager: User, set_clock: SetClock
) -> None:
    set_clock(NOON - timedelta(days=2))
    done = publishing.roll_back(channel=production, reason="broken", actor=manager)
    assert (done.sequence, done.returns_to) == (4, jumped[1])
    holding.resume(channel=production, reason="seen", actor=manager)
    assert live_publication(production) == done


def test_names_are_kept_by_number_where_times_contradict(jumped: list[Publication]) -> None:
    production = jumped[2].channel
    production.retention_publications = 1
    production.retention_days = 30
    # A year after the first, the second alone is recent: what it took the place of is kept, and all since.
    assert first_kept(jumped[2], now=NOON + timedelta(days=366)) == 1
    # Just after the third all three are recent.
    assert first_kept(jumped[2], now=NOON) == 1


def test_a_release_keeps_the_time_of_its_first_publication(
    jumped: list[Publication], production: Channel, manager: User, set_clock: SetClock
) -> None:
    set_clock(NOON - timedelta(days=300))
    publishing.roll_back(channel=production, to=1, reason="broken", actor=manager)
    assert first_published_at(jumped[0].release) == NOON
