"""Times, sizes, states and differences in the words of the pages."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django.asserts import assertContains

from apps.accounts.models import User
from apps.releases.admin.release_page import progress_of
from apps.releases.comparing.impact import impact_of
from apps.releases.manifest import Difference, Entry
from apps.releases.models import Release
from apps.releases.services import publishing
from apps.releases.templatetags.staff_pages import ago, commands, moment, person, size
from tests.staff import staff_client

ENTRY = Entry("a", "00" * 32, 1, "text/plain", 1, 1)


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (18_432, "18.4 kB"),
        (412_000, "412 kB"),
        (1_500_000, "1.5 MB"),
        (2 * 10**9, "2.0 GB"),
    ],
)
def test_sizes_are_said_in_thousands(size_bytes: int, words: str) -> None:
    assert size(size_bytes) == words


def test_what_a_refusal_says_to_type_is_set_as_code() -> None:
    said = commands("<b> moved. Type `release rebase 3`, or `x`.")
    assert said == "&lt;b&gt; moved. Type <code>release rebase 3</code>, or <code>x</code>."


def test_times_are_relative_with_the_exact_one_on_hover() -> None:
    at = timezone.now() - timedelta(hours=3)

    assert ">3\xa0hours ago<" in ago(at)
    assert f'title="{at:%Y-%m-%d %H:%M:%S} UTC"' in ago(at)
    assert ">just now<" in ago(timezone.now())
    assert ago(None) == moment(None) == "\N{EN DASH}"


def test_moments_are_said_by_day_while_that_is_clear() -> None:
    now = timezone.now()

    assert ">today " in moment(now)
    assert f">{now - timedelta(days=2):%A} " in moment(now - timedelta(days=2))
    assert ">2 January 2020, 03:04<" in moment(datetime(2020, 1, 2, 3, 4, tzinfo=UTC))


def test_people_are_shown_by_name_with_initials() -> None:
    assert 'aria-hidden="true">EL</span>Eva Lindholm' in person(User(first_name="Eva", last_name="Lindholm"))
    assert "nobody yet" in person(None)


def test_an_impact_counts_all_and_names_the_first() -> None:
    added = [Difference(str(number), None, ENTRY, is_content_changed=True) for number in range(30)]
    headers = Difference("x", ENTRY, ENTRY, is_content_changed=False)

    impact = impact_of([*added, headers])

    assert (impact.added, impact.changed, impact.removed, impact.headers) == (30, 0, 0, 1)
    assert (impact.total, len(impact.first), impact.unnamed) == (31, 20, 11)


def test_what_people_changed_is_named_before_what_follows_from_it() -> None:
    follows = [
        Difference(str(number), ENTRY, ENTRY, is_content_changed=True, is_following=True)
        for number in range(30)
    ]
    changed = Difference("x", ENTRY, ENTRY, is_content_changed=True)

    impact = impact_of([*follows, changed], named=3)

    assert [difference.path for difference in impact.first] == ["x", "0", "1"]
    assert (impact.changed, impact.following, impact.unnamed) == (1, 30, 28)


def test_the_line_of_a_life_shows_where_a_release_is(approved: Release, manager: User) -> None:
    assert [(stop.label, stop.is_passed) for stop in progress_of(approved)] == [
        ("Draft", True),
        ("In review", True),
        ("Approved", False),
        ("Published", False),
    ]
    publishing.publish(release=approved, actor=manager)
    first = Release.objects.get(pk=approved.base_id or 0)
    assert [stop.label for stop in progress_of(first)][-1] == "Superseded"
    assertContains(
        staff_client(manager).get(f"/admin/releases/release/{first.pk}/change/"),
        f"until release {approved.pk} took its place",
    )


def test_a_rejected_release_ends_the_line() -> None:
    assert [stop.label for stop in progress_of(Release(state="rejected"))] == ["Draft", "Rejected"]
