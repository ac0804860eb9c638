"""Names of earlier publications that go on answering: which, for how long, and what may go wrong."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Never

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.models import User
from apps.assets import store
from apps.delivery.pointer import Pointer, parse_pointer
from apps.releases.files import put_manifest_file
from apps.releases.headlines import kept_in_words
from apps.releases.models import Channel, Publication, Release, RetainedNames
from apps.releases.rolling_back.retention import first_kept, kept_names
from apps.releases.selectors import live_publication, open_manifest
from apps.releases.services import building, channels, pointers, publishing, retention, review
from tests.releases.conftest import MakeRelease, put, remove
from tests.releases.test_building import encode
from tests.releases.test_commands import run
from tests.staff import staff_client

ONE, TWO, THREE = (f"js/app.{name}.js" for name in ("3f2a9c1b0d4e", "9c1b0d4e3f2a", "0d4e3f2a9c1b"))
CONTENT = {ONE: "one()", TWO: "two()", THREE: "three()"}

Publish = Callable[..., Publication]


@pytest.fixture
def publish(production: Channel, make_release: MakeRelease, administrator: User, editor: User) -> Publish:
    """Return a function that publishes a site of a page and these scripts."""
    channels.set_required_approvals(channel=production, count=0, actor=administrator)

    def make(*scripts: str) -> Publication:
        live = live_publication(production)
        before = {entry.path for entry in open_manifest(live.manifest).entries()} if live else set()
        page = put("index.html", f"<h1>{scripts}</h1>")
        gone = [remove(path) for path in sorted(before - {"index.html", *scripts})]
        release = make_release(page, *(put(path, CONTENT[path]) for path in scripts), *gone)
        return publishing.publish(release=review.submit(release=release, actor=editor), actor=administrator)

    return make


@pytest.fixture
def settle(production: Channel) -> Callable[[], Pointer]:
    """Return a function that brings storage up to date and returns the pointer that it has then."""

    def reconcile() -> Pointer:
        pointers.reconcile()
        content = store.read(pointers.pointer_name(production))
        assert content
        return parse_pointer(content)

    return reconcile


Settle = Callable[[], Pointer]


def kept(channel: Channel) -> set[str]:
    """Return the names that are kept, as the file in storage has them."""
    row = RetainedNames.objects.filter(channel=channel, path_count__gt=0).first()
    return {entry.path for entry in open_manifest(row).entries()} if row else set()


def roll_back(channel: Channel, actor: User, to: int) -> Publication:
    return publishing.roll_back(channel=channel, reason="broken", actor=actor, to=to)


def test_a_name_that_a_publication_takes_away_is_kept(publish: Publish, settle: Settle) -> None:
    first = publish(ONE)
    assert settle().retained is None
    publish(TWO)
    pointer = settle()
    assert pointer.retained
    assert kept(first.channel) == {ONE}
    row = RetainedNames.objects.get()
    assert (pointer.retained.name, pointer.retained.sha256) == (row.file_name, row.file_sha256)
    entry = open_manifest(row).lookup(ONE)
    live = open_manifest(first.manifest).lookup(ONE)
    assert entry
    assert live
    assert (entry.blob, entry.size, entry.media_type, entry.release) == (
        live.blob, live.size, live.media_type, first.release_id,
    )  # fmt: skip
    headers = open_manifest(row).header_sets[entry.header_set]
    assert headers == open_manifest(first.manifest).header_sets[live.header_set]
    assert headers.rule == "fingerprinted"


def test_the_first_pointer_to_a_publication_keeps_what_that_takes_away(
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    written: list[Pointer] = []
    replace = store.replace

    def watch(name: str, content: bytes) -> None:
        written.append(parse_pointer(content))
        replace(name, content)

    monkeypatch.setattr(store, "replace", watch)
    for script in (ONE, TWO):
        with django_capture_on_commit_callbacks(execute=True):
            publish(script)
    assert [(pointer.sequence, pointer.retained is not None) for pointer in written] == [
        (1, False),
        (2, True),
    ]
    assert pointers.reconcile() == []


def test_after_a_roll_back_the_names_of_both_sides_answer_and_the_digest_is_the_earlier_one(
    publish: Publish, settle: Settle, production: Channel, administrator: User
) -> None:
    first = publish(ONE)
    publish(TWO)
    settle()
    roll_back(production, administrator, to=1)
    pointer = settle()
    assert pointer.digest == first.manifest_id
    assert kept(production) == {TWO}  # ONE is live again
    open_manifest(RetainedNames.objects.get()).verify()


def test_a_channel_without_such_names_has_no_file(
    live: Release, approved: Release, manager: User, settle: Settle, storage_folder: Path
) -> None:
    publishing.publish(release=approved, actor=manager)
    assert settle().retained is None
    row = RetainedNames.objects.get()
    assert (row.path_count, row.file_name, row.last_publication) == (0, "", 2)
    assert len(list((storage_folder / "manifests").rglob("*.sqlite"))) == 2


def test_the_same_publication_has_the_same_pointer_however_often_it_is_written(
    publish: Publish, settle: Settle, production: Channel
) -> None:
    publish(ONE)
    publish(TWO)
    settle()
    name = pointers.pointer_name(production)
    before = store.read(name)
    store.replace(name, b"{}")
    settle()
    assert store.read(name) == before
    live = live_publication(production)
    assert live
    retention.gather_names(live)
    assert pointers.is_current(live)


def test_a_lost_file_is_made_again_and_the_pointer_follows(
    publish: Publish, settle: Settle, production: Channel, storage_folder: Path
) -> None:
    for script in (ONE, TWO, THREE):
        publish(script)
        settle()
    (storage_folder / RetainedNames.objects.get().file_name).unlink()
    pointer = settle()
    assert pointer.retained
    assert (storage_folder / pointer.retained.name).stat().st_size == pointer.retained.size
    assert kept(production) == {ONE, TWO}


def test_a_lost_row_is_made_again(publish: Publish, settle: Settle, production: Channel) -> None:
    for script in (ONE, TWO, THREE):
        publish(script)
        settle()
    RetainedNames.objects.all().delete()
    settle()
    assert kept(production) == {ONE, TWO}


def test_a_damaged_file_is_no_base_for_the_next(
    publish: Publish, settle: Settle, production: Channel, storage_folder: Path
) -> None:
    publish(ONE)
    publish(TWO)
    settle()
    file = storage_folder / RetainedNames.objects.get().file_name
    size_bytes = file.stat().st_size
    file.chmod(0o600)
    file.write_bytes(b"?" * size_bytes)
    publish(THREE)
    settle()
    assert kept(production) == {ONE, TWO}


def test_a_manifest_that_is_lost_takes_only_its_own_names(
    publish: Publish, settle: Settle, production: Channel, storage_folder: Path
) -> None:
    publications = [publish(script) for script in (ONE, TWO, THREE)]
    (storage_folder / publications[1].manifest.file_name).unlink()
    settle()
    assert kept(production) == {ONE}


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), sqlite3.OperationalError("full")])
def test_a_publication_goes_live_where_its_names_cannot_be_gathered_and_they_follow(
    publish: Publish,
    settle: Settle,
    production: Channel,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
) -> None:
    def full(file: Path, *, digest: str) -> Never:
        raise fault

    publish(ONE)
    publish(TWO)
    with monkeypatch.context() as broken:
        broken.setattr(retention, "put_manifest_file", full)
        assert settle().sequence == 2
        assert "production keeps the names that it kept before; it is tried again." in caplog.text
        assert list(store.temporary_folder().iterdir()) == []
    pointer = settle()
    assert (pointer.sequence, kept(production)) == (2, {ONE})
    assert pointer.retained


def while_a_file_is_put(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], None]) -> None:
    """Let something happen once, while the file of gathered names is brought to storage."""

    def put(file: Path, *, digest: str) -> Any:
        monkeypatch.undo()
        happen()
        return put_manifest_file(file, digest=digest)

    monkeypatch.setattr(retention, "put_manifest_file", put)


def test_of_two_that_gather_at_once_the_one_for_the_later_publication_wins(
    publish: Publish, production: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(ONE)
    second = publish(TWO)
    while_a_file_is_put(monkeypatch, lambda: retention.gather_names(publish(THREE)))
    retention.gather_names(second)
    assert kept(production) == {ONE, TWO}
    assert RetainedNames.objects.get().last_publication == 3


def test_of_two_that_gather_at_once_for_the_same_publication_the_second_leaves_it_as_it_is(
    publish: Publish, production: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(ONE)
    second = publish(TWO)
    while_a_file_is_put(monkeypatch, lambda: retention.gather_names(second))
    retention.gather_names(second)
    assert kept(production) == {ONE}
    assert RetainedNames.objects.get().revision == 2


def test_who_gathers_for_what_is_no_longer_live_changes_nothing(
    publish: Publish, production: Channel
) -> None:
    first = publish(ONE)
    retention.gather_names(publish(TWO))
    row = RetainedNames.objects.values().get()
    retention.gather_names(first)
    assert RetainedNames.objects.values().get() == row


def test_who_was_overtaken_leaves_the_pointer_to_who_published_since(
    publish: Publish, settle: Settle, production: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(ONE)
    settle()
    publish(TWO)

    def publish_meanwhile(live: Publication) -> None:
        monkeypatch.undo()
        publish(THREE)

    monkeypatch.setattr(pointers, "gather_names", publish_meanwhile)
    assert not pointers.write_pointer(production)
    assert settle().sequence == 3
    assert kept(production) == {ONE, TWO}


def test_content_codings_that_come_later_reach_the_names_that_are_kept(
    publish: Publish, settle: Settle, production: Channel
) -> None:
    first = publish(ONE)
    publish(TWO)
    settle()
    encode(ONE, first.release)
    assert building.refresh_manifests() == [
        "production now serves the names that it keeps with newer content codings."
    ]
    settle()
    row = RetainedNames.objects.get()
    reader = open_manifest(row)
    entry = reader.lookup(ONE)
    assert entry
    assert [coded.coding for coded in reader.representations(entry.blob)] == ["gzip"]
    assert building.refresh_manifests() == []
    publish(THREE)
    settle()
    assert [coded.coding for coded in open_manifest(RetainedNames.objects.get()).representations(entry.blob)]


def test_a_coding_that_is_there_already_makes_no_new_file(
    publish: Publish, settle: Settle, production: Channel
) -> None:
    first = publish(ONE)
    encode(ONE, first.release)
    building.refresh_manifests()
    publish(TWO)
    settle()
    assert building.refresh_manifests() == []
    settle()
    assert RetainedNames.objects.get().newest_representation > 0


def test_names_are_dropped_when_both_terms_are_over_though_nothing_is_published(
    publish: Publish,
    settle: Settle,
    production: Channel,
    administrator: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channels.set_options(channel=production, actor=administrator, retention_publications=1)
    publish(ONE)
    publish(TWO)
    assert settle().retained
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(days=29, hours=23))
    assert settle().retained
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(days=31))
    assert settle().retained is None
    assert RetainedNames.objects.get().path_count == 0


def test_a_longer_term_brings_back_what_its_publications_served(
    publish: Publish,
    settle: Settle,
    production: Channel,
    administrator: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for script in (ONE, TWO, THREE):
        publish(script)
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(days=40))
    channels.set_options(channel=production, actor=administrator, retention_publications=2)
    settle()
    assert kept(production) == {TWO}
    channels.set_options(channel=production, actor=administrator, retention_days=60)
    settle()
    assert kept(production) == {ONE, TWO}


def test_people_read_how_many_names_are_kept_and_until_when(
    publish: Publish,
    settle: Settle,
    production: Channel,
    administrator: User,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = datetime(2026, 11, 1, 12, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    for script in (ONE, TWO, THREE):
        publish(script)
    settle()
    words = (
        "Two fingerprinted names of earlier publications still answer; "
        "the oldest, of production-2026-11-01.1, "
    )
    more = "until 18 more publications have come"
    page = f"/admin/releases/channel/{production.pk}/change/"
    said = f"{words}until 1 December 2026 at least, and {more}."
    assertContains(staff_client(administrator).get(page), said)
    call_command("channel", "show", "production")
    assert said in capsys.readouterr().out
    assert run(capsys, "channel", "show", "production")["retained"] == {
        "names": 2,
        "oldest": "production-2026-11-01.1",
        "not_before": "2026-12-01T12:00:00+00:00",
        "publications_left": 18,
    }

    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(days=31))
    assert kept_words(production) == f"{words}{more}."
    channels.set_options(channel=production, actor=administrator, retention_publications=3)
    production.refresh_from_db()
    assert kept_words(production) == f"{words}until one more publication has come."
    channels.set_options(channel=production, actor=administrator, retention_publications=1, retention_days=40)
    production.refresh_from_db()
    assert kept_words(production) == f"{words}until 11 December 2026."


def test_of_a_channel_that_keeps_nothing_nothing_is_said(
    live: Release, manager: User, capsys: pytest.CaptureFixture[str]
) -> None:
    pointers.reconcile()
    page = f"/admin/releases/channel/{live.channel_id}/change/"
    assertNotContains(staff_client(manager).get(page), "of earlier publications")
    assert run(capsys, "channel", "show", "production")["retained"] is None


def kept_words(channel: Channel) -> str:
    found = kept_names(channel)
    return kept_in_words(found) if found else ""


HISTORIES = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.integers(min_value=0, max_value=60)), min_size=1, max_size=6
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=HISTORIES,
    days=st.integers(min_value=1, max_value=3),
    publications=st.integers(min_value=1, max_value=4),
    rests_hours=st.integers(min_value=0, max_value=100),
    gathers=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_what_is_kept_is_what_was_live_within_the_days_or_is_among_the_last_publications(
    three_sites: Channel,
    administrator: User,
    history: list[tuple[int, int]],
    days: int,
    publications: int,
    rests_hours: int,
    gathers: list[bool],
) -> None:
    with transaction.atomic(), pytest.MonkeyPatch.context() as clock:
        now = timezone.now()
        clock.setattr(timezone, "now", lambda: now)
        channels.set_options(
            channel=three_sites,
            actor=administrator,
            retention_days=days,
            retention_publications=publications,
        )
        channel = Channel.objects.get(pk=three_sites.pk)
        for (goal, hours), is_gathered in zip(history, gathers, strict=False):
            now += timedelta(hours=hours)
            live = live_publication(channel)
            assert live
            if live.release_id != channel.publications.get(sequence=goal).release_id:
                roll_back(channel, administrator, to=goal)
            if is_gathered:
                pointers.write_pointer(channel)
        now += timedelta(hours=rests_hours)
        pointers.reconcile()
        assert kept(channel) == should_be_kept(channel, now)
        transaction.set_rollback(True)


@pytest.fixture
def three_sites(publish: Publish, settle: Settle) -> Channel:
    """Three publications, each with a script of its own."""
    for script in (ONE, TWO, THREE):
        publish(script)
    return Channel.objects.get(name="production")


def should_be_kept(channel: Channel, now: datetime) -> set[str]:
    """Return the names of every publication within either term, less those that are live."""
    history = list(channel.publications.order_by("sequence").select_related("manifest"))
    ends = [publication.published_at for publication in history[1:]] + [now]
    names: set[str] = set()
    for publication, end in zip(history, ends, strict=True):
        is_recent = end >= now - timedelta(days=channel.retention_days)
        is_among_the_last = publication.sequence > len(history) - channel.retention_publications
        if is_recent or is_among_the_last:
            names |= scripts_of(publication)
    return names - scripts_of(history[-1])


def scripts_of(publication: Publication) -> set[str]:
    return {entry.path for entry in open_manifest(publication.manifest).entries(prefix="js/")}


def test_the_first_publication_that_is_kept_never_lies_before_the_first(publish: Publish) -> None:
    assert first_kept(publish(ONE), now=datetime(2000, 1, 1, tzinfo=UTC)) == 1


def test_names_that_are_kept_have_a_file(production: Channel) -> None:
    with pytest.raises(IntegrityError, match="retained_names_have_a_file"), transaction.atomic():
        RetainedNames.objects.create(channel=production, path_count=1, file_size_bytes=1)


def test_nothing_is_kept_on_a_channel_without_publications(production: Channel) -> None:
    assert kept_names(production) is None
    assert pointers.reconcile() == []
    assert not RetainedNames.objects.exists()
