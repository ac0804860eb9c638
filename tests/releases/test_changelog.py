"""Tags, and what went live between two of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.models import User
from apps.releases.admin import changelog_page
from apps.releases.exceptions import UnknownPublication, WrongChannel, WrongOrder
from apps.releases.history.changelog import as_markdown, changelog, tags
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors import next_tag, publication_tagged
from apps.releases.services import publishing
from tests.releases.conftest import MakeRelease, Publish, put
from tests.staff import staff_client
from tests.tampering import without_guards

BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def channel(approved: Release, manager: User) -> Channel:
    """production, with a publication, another, and a roll back."""
    publishing.publish(release=approved, actor=manager)
    publishing.roll_back(channel=approved.channel, reason="The checkout\nis broken", actor=manager)
    return approved.channel


def tag(channel: Channel, sequence: int) -> str:
    return channel.publications.get(sequence=sequence).tag


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    return Clock(monkeypatch)


class Clock:
    """What time the services take it to be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = BEGIN
        monkeypatch.setattr(timezone, "now", lambda: self.now)


def test_a_clock_that_jumps_back_gives_no_tag_twice_and_order_holds(
    live: Release, publish: Publish, manager: User, clock: Clock
) -> None:
    for hours in (0, 1, -30, -29, 2, -1, 13):
        clock.now = BEGIN + timedelta(hours=hours)
        publish(put("index.html", f"hours {hours}"))
    history = Publication.objects.filter(sequence__gt=1).order_by("sequence")
    day, eve, morrow = "production-2026-11-23", "production-2026-11-22", "production-2026-11-24"
    assert list(history.values_list("tag", flat=True)) == [
        f"{day}.1", f"{day}.2", f"{eve}.1", f"{eve}.2", f"{day}.3", f"{day}.4", f"{morrow}.1"
    ]  # fmt: skip


def test_a_day_of_tags_is_one_of_utc(live: Release, clock: Clock) -> None:
    clock.now = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert next_tag(live.channel, clock.now).startswith("production-2026-11-23.")
    with timezone.override("Asia/Tokyo"):
        assert next_tag(live.channel, clock.now).startswith("production-2026-11-23.")


def test_the_next_tag_takes_one_query_whatever_the_history(
    channel: Channel, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        next_tag(channel, timezone.now())


def test_a_publication_is_found_by_its_tag(channel: Channel) -> None:
    assert publication_tagged(tag(channel, 2)).sequence == 2
    with pytest.raises(UnknownPublication, match="no publication 'production-1999"):
        publication_tagged("production-1999-01-01.1")
    with pytest.raises(UnknownPublication) as refusal:
        publication_tagged(tag(channel, 2).replace("production", "prodution"))
    assert tag(channel, 2) in str(refusal.value.next_step)


def test_tags_are_listed_newest_first(channel: Channel) -> None:
    assert [each.sequence for each in tags()] == [3, 2, 1]
    assert [each.sequence for each in tags(channel, since=timezone.now() + timedelta(days=1))] == []
    assert list(tags(Channel.objects.get(name="staging"))) == []


def test_a_changelog_tells_what_went_live_between_two_tags(channel: Channel) -> None:
    one, two, three = (tag(channel, number) for number in (1, 2, 3))
    assert [entry.publication.tag for entry in changelog(channel)] == [three, two, one]
    assert [entry.publication.tag for entry in changelog(channel, since=one)] == [three, two]
    assert [entry.publication.tag for entry in changelog(channel, since=one, until=two)] == [two]
    assert [entry.publication.tag for entry in changelog(channel, until=one)] == [one]
    assert changelog(channel, since=two, until=two) == []


def test_an_entry_counts_files_of_a_publication_and_gives_the_reason_of_a_roll_back(
    channel: Channel,
) -> None:
    back, second, _ = changelog(channel)
    assert (back.counts, back.deed) == (None, f"Rolled back to {tag(channel, 1)} by ben")
    assert second.counts
    assert (second.counts.added, second.counts.changed, second.counts.removed) == (1, 1, 1)
    assert second.deed == "Published by ben"


def test_a_changelog_takes_the_same_queries_however_long_it_is(
    channel: Channel, manager: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def ask() -> None:
        as_markdown(channel, changelog(channel))

    with django_assert_num_queries(4):
        ask()
    publishing.roll_back(channel=channel, reason="To and fro", to=2, actor=manager)
    with django_assert_num_queries(4):
        ask()


def test_tags_in_the_wrong_order_or_of_another_channel_are_refused(channel: Channel) -> None:
    one, two = tag(channel, 1), tag(channel, 2)
    with pytest.raises(WrongOrder, match=f"{two} came after {one}. Ask from {one} to {two}"):
        changelog(channel, since=two, until=one)
    with pytest.raises(WrongChannel, match=f"{one} was published on production, not on staging"):
        changelog(Channel.objects.get(name="staging"), since=one)


def test_what_people_typed_does_nothing_in_markdown(
    live: Release, make_release: MakeRelease, channel: Channel
) -> None:
    with without_guards("releases_release"):
        Release.objects.filter(pk=live.pk).update(
            title="<img src=x onerror=alert(1)> **bold**", expected_result="# Lighter\n- by half"
        )
    text = as_markdown(channel, changelog(channel))
    assert "**\\<img src=x onerror=alert(1)\\> \\*\\*bold\\*\\*** (release" in text
    assert "> \\# Lighter\n> \\- by half\n" in text
    assert "Reason:\n> The checkout\n> is broken\n" in text
    assert f"## {tag(channel, 2)} · " in text
    assert "Files: +1 \\~1 \N{MINUS SIGN}1" in text


def test_a_channel_without_publications_has_an_empty_changelog(production: Channel) -> None:
    staging = Channel.objects.get(name="staging")
    assert as_markdown(staging, changelog(staging)) == ("# Changelog of staging\n\nNothing was published.\n")


def test_the_command_prints_a_changelog(channel: Channel, capsys: pytest.CaptureFixture[str]) -> None:
    one, two, three = (tag(channel, number) for number in (1, 2, 3))
    call_command("changelog")
    out = capsys.readouterr().out
    assert f"{two}  Spring (release " in out
    assert "+1 ~1 \N{MINUS SIGN}1\n    Published by ben\n    Expected: The hero is lighter." in out
    assert f"    Rolled back to {one} by ben: “The checkout is broken”\n" in out
    call_command("changelog", "--from", one, "--to", two, "--markdown")
    out = capsys.readouterr().out
    assert out.startswith("# Changelog of production\n")
    assert f"## {two}" in out
    assert three not in out
    call_command("changelog", f"{two}..", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["channel"] == "production"
    (entry,) = report["entries"]
    assert entry["tag"] == three
    assert entry["returns_to"] == one
    assert entry["files"] is None
    assert entry["emergency"] is False
    assert entry["reason"] == "The checkout\nis broken"
    call_command("changelog", "--channel", "staging")
    assert capsys.readouterr().out == "Nothing was published.\n"


def test_the_command_shows_and_lists_tags(channel: Channel, capsys: pytest.CaptureFixture[str]) -> None:
    one, three = tag(channel, 1), tag(channel, 3)
    call_command("tag", "show", three)
    out = capsys.readouterr().out
    assert f"{three}: publication 3 of production" in out
    assert f"  roll back to {one} by ben\n" in out
    assert "  Seal: verified\n" in out
    call_command("tag", "show", one, "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["tag"] == one
    assert report["seal"]["fault"] is None
    call_command("tag", "list", "--limit", "1")
    assert capsys.readouterr().out.startswith(f"{three}  rolled back to release ")
    call_command("tag", "list", "--channel", "staging")
    assert capsys.readouterr().out == "Nothing was published.\n"
    call_command("tag", "list", "--since", "2020-01-01", "--json")
    assert [each["publication"] for each in json.loads(capsys.readouterr().out)] == [3, 2, 1]
    with pytest.raises(CommandError, match="'yesterday' is no day: write it as 2026-11-23"):
        call_command("tag", "list", "--since", "yesterday")


def test_a_tag_whose_seal_was_removed_says_so(channel: Channel, capsys: pytest.CaptureFixture[str]) -> None:
    publication = channel.publications.get(sequence=3)
    with without_guards("releases_publicationseal"):
        publication.seal.delete()
    call_command("tag", "show", publication.tag)
    assert "  Seal: it has no seal" in capsys.readouterr().out
    call_command("tag", "show", publication.tag, "--json")
    assert json.loads(capsys.readouterr().out)["seal"] is None


def test_the_page_tells_it_between_two_tags_and_gives_it_as_a_file(channel: Channel, viewer: User) -> None:
    client, page = staff_client(viewer), f"/admin/releases/channel/{channel.pk}/changelog/"
    first = tag(channel, 1)
    assertContains(client.get(page), f">{first}</a>")
    after = client.get(page, {"from": first})
    assertNotContains(after, f">{first}</a>")
    assertContains(after, f"2 publications after {first}, the newest first.")
    markdown = client.get(page, {"from": first, "format": "markdown"})
    assert markdown["Content-Disposition"] == 'attachment; filename="changelog-production.md"'
    assert markdown.content.decode() == as_markdown(channel, changelog(channel, since=first))
    told = client.get(page, {"from": first, "format": "json"}).json()["entries"]
    assert [entry["tag"] for entry in told] == [tag(channel, 3), tag(channel, 2)]
    refused = client.get(page, {"from": "nonsense", "format": "json"})
    assertContains(refused, "nonsense", status_code=409)


def test_at_first_the_page_tells_of_the_last_ones(
    channel: Channel, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changelog_page, "_SHOWN_AT_FIRST", 1)
    shown = staff_client(viewer).get(f"/admin/releases/channel/{channel.pk}/changelog/")
    assertContains(shown, f"1 publication after {tag(channel, 2)}, the newest first.")


def test_a_tag_leads_to_its_release_in_the_list(channel: Channel, approved: Release, viewer: User) -> None:
    found = staff_client(viewer).get("/admin/releases/release/", {"q": tag(channel, 2)})
    assert [release.pk for release in found.context["cl"].result_list] == [approved.pk]
