"""What a start makes, it makes once; what it finds half-done, it finishes."""

from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.accounts.selectors import role_of
from apps.assets import store
from apps.audit.selectors import chain_faults, head
from apps.caching.models import CacheRule
from apps.imports.exceptions import SourceRefused
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors import channel_named, live_publication
from assetsite.launch.checks import check_data_folder, check_doors
from assetsite.launch.exceptions import CannotStart
from assetsite.launch.first_release import has_pointer, publish_first_release
from assetsite.launch.preparation import (
    Access,
    give_access,
    migrate,
    prepare,
    recover,
)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    site = tmp_path / "my site"
    site.mkdir()
    (site / "index.html").write_text("<title>Here</title>")
    return site


def test_a_new_site_gets_channels_rules_and_an_administrator(db: None, said: list[str]) -> None:
    administrator = prepare(said.append)
    assert (administrator.username, role_of(administrator)) == ("admin", Role.ADMINISTRATOR)
    assert not administrator.has_usable_password()
    assert set(Channel.objects.values_list("name", flat=True)) == {"production", "staging"}
    assert CacheRule.objects.exists()
    assert said == []


def test_prepared_again_nothing_is_written(db: None, said: list[str]) -> None:
    first = prepare(said.append)
    before = head()
    with CaptureQueriesContext(connection) as queries:
        assert prepare(said.append) == first
    assert head() == before
    assert not [query for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_site_that_has_an_administrator_gets_no_other(administrator: User, said: list[str]) -> None:
    assert prepare(said.append) == administrator
    assert not User.objects.filter(username="admin").exists()


def test_a_password_that_is_given_is_taken(
    db: None, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", "harbour-lantern-42")
    administrator = prepare(said.append)
    assert administrator.check_password("harbour-lantern-42")
    assert give_access(administrator) == Access("admin", None)


def test_a_password_that_is_too_weak_is_refused(
    db: None, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", "1234")
    with pytest.raises(CannotStart, match="ADMIN_PASSWORD: This password will not do"):
        prepare(said.append)
    assert not User.objects.exists()


def test_a_password_is_made_at_the_end_and_once(db: None, said: list[str]) -> None:
    administrator = prepare(said.append)
    access = give_access(administrator)
    assert access.password
    found = User.objects.get(username="admin")
    assert found.check_password(access.password)
    assert give_access(found) == Access("admin", None)


def test_a_database_that_is_up_to_date_is_left_alone(db: None, said: list[str]) -> None:
    migrate(said.append)
    assert said == []


def test_a_database_that_lags_behind_is_migrated(
    db: None, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: ["one", "two"])
    monkeypatch.setattr("assetsite.launch.preparation.call_command", lambda name, **_: calls.append(name))
    migrate(said.append)
    assert calls == ["migrate"]
    assert said == ["Preparing the database (2 migrations) …"]


def test_what_a_crash_left_is_put_right_and_said(
    folder: Path,
    said: list[str],
    db: None,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    publish_first_release(folder, actor=prepare(said.append), say=said.append)  # killed before the pointer
    unfinished = store.temporary_folder()
    unfinished.mkdir(parents=True, exist_ok=True)
    for name in "ab":
        (unfinished / f"{store.TEMPORARY_PREFIX}{name}").touch()
    said.clear()
    prepare(said.append)
    assert said[0] == "Recovered: removed 2 unfinished files."
    assert said[1].startswith("Recovered: The pointer of production now names publication 1")
    assert recover() == []


def test_a_data_folder_that_cannot_be_written_is_named(settings: Settings, tmp_path: Path) -> None:
    check_data_folder()
    (tmp_path / "file").touch()
    settings.DATA_DIR = tmp_path / "file"
    with pytest.raises(CannotStart, match="cannot be written"):
        check_data_folder()


def test_doors_that_cannot_be_opened_are_named_with_the_way_out(settings: Settings) -> None:
    settings.PUBLIC_BIND = settings.STAFF_BIND = "192.0.2.1:8000"
    with pytest.raises(CannotStart) as refusal:
        check_doors()
    assert "(PUBLIC_BIND)" in refusal.value.message
    assert "(STAFF_BIND)" in refusal.value.message
    assert "PUBLIC_BIND=127.0.0.1:8080" in refusal.value.next_step


def test_a_new_sites_folder_is_imported_briefed_and_published(
    folder: Path,
    db: None,
    said: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    administrator = prepare(said.append)
    assert not has_pointer()
    with django_capture_on_commit_callbacks(execute=True):
        publication = publish_first_release(folder, actor=administrator, say=said.append)
    assert publication
    release = publication.release
    assert (release.title, release.owner) == ("First release: my site", administrator)
    assert release.expected_result.startswith("my site is on line")
    assert release.rollback_note
    assert said == [f"Importing {folder} …", f"Published release {release.pk} on production."]
    assert has_pointer()
    assert list(chain_faults()) == []


def test_without_a_folder_it_is_the_sample(db: None, said: list[str]) -> None:
    publication = publish_first_release(None, actor=prepare(said.append), say=said.append)
    assert publication
    assert publication.manifest.path_count >= 20


def test_a_site_that_is_live_is_left_alone_and_says_how_to_import(
    folder: Path, db: None, said: list[str]
) -> None:
    administrator = prepare(said.append)
    publish_first_release(folder, actor=administrator, say=said.append)
    said.clear()
    assert publish_first_release(None, actor=administrator, say=said.append) is None
    assert said == []
    assert publish_first_release(folder, actor=administrator, say=said.append) is None
    (line,) = said
    assert "was not imported" in line
    assert line.endswith(f"scripts/manage import '{folder}' --title TITLE")
    assert Publication.objects.count() == 1


def test_a_folder_that_is_refused_leaves_nothing_and_the_mended_one_is_published(
    folder: Path, db: None, said: list[str]
) -> None:
    administrator = prepare(said.append)
    (folder / "outside").symlink_to("/etc/hosts")
    with pytest.raises(SourceRefused, match="outside"):
        publish_first_release(folder, actor=administrator, say=said.append)
    assert not Release.objects.exists()
    (folder / "outside").unlink()
    assert publish_first_release(folder, actor=administrator, say=said.append)


def test_killed_before_it_was_published_nothing_of_the_first_release_is_left(
    folder: Path, db: None, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(**_: object) -> None:
        raise KeyboardInterrupt

    administrator = prepare(said.append)
    with monkeypatch.context() as patch:
        patch.setattr("assetsite.launch.first_release.publish", die)
        with pytest.raises(KeyboardInterrupt):
            publish_first_release(folder, actor=administrator, say=said.append)
    assert not Release.objects.exists()
    assert publish_first_release(folder, actor=administrator, say=said.append)
    assert live_publication(channel_named("production"))
