"""What the migrations of releases do to rows that are there, and to guards that SQLite would lose."""

from base64 import b64decode
from pathlib import Path

import pytest
from django.db import IntegrityError
from pytest_django import DjangoDbBlocker

from apps.releases.history.seals import genesis, hash_of
from tests.migrating import Migrating, migrating
from tests.serving import SIGNING_KEY

BEFORE, AFTER = "0002_guards", "0004_redirects"


def test_channels_get_safe_options_and_redirects_go_and_come(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("releases", BEFORE)
        channel = database.rows("releases.Channel").create(name="production")
        user = database.rows("accounts.User").create(username="eva")
        release = database.rows("releases.Release").create(title="Spring", channel=channel, created_by=user)

        for _ in range(2):
            database.to("releases", AFTER)
            now = database.rows("releases.Channel").get()
            assert (now.clean_urls, now.not_found_page, now.names_release) == (False, "404.html", True)
            assert (now.early_hints, now.fingerprints) == (False, False)
            assert (now.retention_days, now.retention_publications) == (30, 20)
            database.rows("releases.RedirectChange").create(
                release_id=release.pk, source="old", kind="put", target="/new", status=308, author_id=user.pk
            )
            refuse_approval_of_own_work(database, release.pk, user.pk)

            database.to("releases", BEFORE)
            assert database.rows("releases.Channel").get().required_approvals == 1
            assert database.rows("releases.Release").get().title == "Spring"
            refuse_approval_of_own_work(database, release.pk, user.pk)


def refuse_approval_of_own_work(database: Migrating, release: int, user: int) -> None:
    """See that the guards, which the migrations take away and bring back, are there."""
    rows = database.rows
    manifest, _ = rows("releases.Manifest").get_or_create(
        digest="a" * 64, defaults={"path_count": 1, "file_size_bytes": 1}
    )
    with pytest.raises(IntegrityError, match="self_approval"):
        rows("releases.Approval").create(release_id=release, manifest_id=manifest.pk, approver_id=user)
    with pytest.raises(IntegrityError, match="not_approved"):
        rows("releases.Publication").create(
            channel_id=1, sequence=1, release_id=release, manifest_id=manifest.pk, kind="publish",
            actor_id=user, tag="t", published_at="2026-01-01T00:00Z",
        )  # fmt: skip


def test_a_channel_with_a_history_keeps_it_and_its_guards(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("releases", "0004_redirects")
        publish_one(database)
        for _ in range(2):
            database.to("releases", "0005_retained_names")
            assert database.rows("releases.Publication").get().tag == "production-1"
            database.rows("releases.RetainedNames").create(
                channel_id=1, path_count=1, file_name="m", file_size_bytes=1, oldest_publication=1
            )
            with pytest.raises(IntegrityError, match="retained_names_have_a_file"):
                database.rows("releases.RetainedNames").update(file_name="")
            with pytest.raises(IntegrityError, match="append"):
                database.rows("releases.Publication").update(tag="another")

            database.to("releases", "0004_redirects")
            assert database.rows("releases.Publication").get().tag == "production-1"


def publish_one(database: Migrating) -> None:
    rows = database.rows
    channel = rows("releases.Channel").create(name="production")
    user = rows("accounts.User").create(username="eva")
    manifest = rows("releases.Manifest").create(digest="a" * 64, path_count=1, file_size_bytes=1)
    release = rows("releases.Release").create(
        title="Spring", channel=channel, created_by=user, owner=user, manifest=manifest,
        expected_result="Lighter", rollback_note="Tell #shop",
    )  # fmt: skip
    for state in ("in_review", "approved"):
        rows("releases.Release").update(state=state)
    rows("releases.Publication").create(
        channel=channel, sequence=1, release=release, manifest=manifest, kind="publish",
        actor=user, tag="production-1", published_at="2026-01-01T00:00Z",
    )  # fmt: skip


def test_a_channel_with_a_history_asks_for_nothing_new_until_it_is_told_to(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("releases", "0005_retained_names")
        publish_one(database)
        for _ in range(2):
            database.to("releases", "0006_channel_requirements")
            channel = database.rows("releases.Channel").get()
            assert (channel.requires_baseline, channel.approver_group_id) == (False, None)
            assert (channel.is_protected, channel.time_zone) == (False, "UTC")
            with pytest.raises(IntegrityError, match="channel_named"):
                database.rows("releases.Channel").update(name="another")
            with pytest.raises(IntegrityError, match="channel_protected_asks_for_approval"):
                database.rows("releases.Channel").update(is_protected=True, required_approvals=0)
            with pytest.raises(IntegrityError, match="not_approved"):
                publish_again(database)

            database.to("releases", "0005_retained_names")
            assert database.rows("releases.Publication").get().tag == "production-1"
            with pytest.raises(IntegrityError, match="not_approved"):
                publish_again(database)


def publish_again(database: Migrating) -> None:
    """Publish what nobody has approved, which its guard refuses: the migration has put it back."""
    published = database.rows("releases.Publication").get()
    database.rows("releases.Publication").create(
        channel=published.channel, sequence=2, release=published.release, manifest=published.manifest,
        kind="publish", actor=published.actor, tag="production-2", published_at="2026-01-02T00:00Z",
    )  # fmt: skip


def test_a_history_from_before_there_were_seals_is_sealed(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("releases", "0005_retained_names")
        publish_one(database)
        roll_back_once(database)
        for _ in range(2):
            database.to("releases", "0008_seals")
            first, second = database.rows("releases.PublicationSeal").order_by("sequence")
            assert '"tag":"production-1"' in first.statement
            assert '"actor_name":"eva","reason":"broken"' in second.statement
            assert first.previous_hash == genesis("production")
            assert second.previous_hash == first.hash == hash_of(first.statement)
            SIGNING_KEY.public.check(b64decode(second.signature), second.statement.encode())
            with pytest.raises(IntegrityError, match="append_only"):
                database.rows("releases.PublicationSeal").update(hash="")

            database.to("releases", "0005_retained_names")
            assert database.rows("releases.Publication").count() == 2


def roll_back_once(database: Migrating) -> None:
    first = database.rows("releases.Publication").get()
    database.rows("releases.Publication").create(
        channel_id=first.channel_id, sequence=2, release_id=first.release_id, manifest_id=first.manifest_id,
        kind="rollback", returns_to_id=first.pk, reason="broken", actor_id=first.actor_id,
        tag="production-2", published_at="2026-01-02T00:00Z",
    )  # fmt: skip


def test_previews_come_with_their_guards_and_go_again(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    before, after = "0012_hosts_freezes_emergencies", "0013_previews"
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("releases", before)
        channel = database.rows("releases.Channel").create(name="production")
        user = database.rows("accounts.User").create(username="eva")
        release = database.rows("releases.Release").create(title="Spring", channel=channel, created_by=user)

        for _ in range(2):
            database.to("releases", after)
            previews = database.rows("releases.Preview")
            made = previews.create(
                release_id=release.pk,
                key="0" * 16,
                is_of_draft=True,
                expires_at="2026-12-01T00:00Z",
                created_by_id=user.pk,
            )
            with pytest.raises(IntegrityError, match="append_only"):
                previews.all().delete()
            with pytest.raises(IntegrityError, match="preview_fixed"):
                previews.update(key="1" * 16)
            assert previews.get() == made

            database.to("releases", before)
            assert database.rows("releases.Release").get().title == "Spring"
