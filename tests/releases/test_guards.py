"""The database itself refuses what the services refuse: past forms, commands and shells."""

from collections.abc import Callable
from functools import partial

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from apps.accounts.models import User
from apps.assets.models import Asset, AssetVersion, Blob
from apps.audit.guards import Guard
from apps.releases.models import Approval, Change, Channel, Manifest, Publication, Release

State = Release.State


class World:
    """Rows written without any service: an approved release of eva's that ben has approved, not live."""

    def __init__(self, author: User, approver: User) -> None:
        self.author, self.approver = author, approver
        self.channel, _ = Channel.objects.get_or_create(name="production", defaults={"required_approvals": 1})
        self.manifest, self.other = self.make_manifest("a"), self.make_manifest("b")
        self.first = self.make_release("First", self.other)
        Release.objects.filter(pk=self.first.pk).update(state=State.IN_REVIEW)
        Release.objects.filter(pk=self.first.pk).update(state=State.APPROVED)
        self.live = self.publish(self.first, self.other)
        Release.objects.filter(pk=self.first.pk).update(state=State.PUBLISHED)
        self.release = self.make_release("Second", self.manifest)
        self.change = self.add_change(self.release)

    def make_manifest(self, letter: str) -> Manifest:
        return Manifest.objects.create(
            digest=letter * 64, path_count=1, file_name=letter, file_sha256="c" * 64, file_size_bytes=1
        )

    def make_release(self, title: str, manifest: Manifest) -> Release:
        return Release.objects.create(
            title=title,
            channel=self.channel,
            created_by=self.author,
            owner=self.author,
            manifest=manifest,
            expected_result="Faster",
            rollback_note="Tell #shop",
        )

    def add_change(self, release: Release, *, author: User | None = None, path: str = "a.css") -> Change:
        author = author or self.author
        blob, _ = Blob.objects.get_or_create(digest="d" * 64, defaults={"size_bytes": 1})
        asset, _ = Asset.objects.get_or_create(path=path)
        version, _ = AssetVersion.objects.get_or_create(
            asset=asset, blob=blob, media_type="text/css", defaults={"created_by": author}
        )
        return Change.objects.create(
            release=release, asset=asset, kind=Change.Kind.PUT, version=version, author=author
        )

    def set_state(self, *states: State) -> None:
        for state in states:
            Release.objects.filter(pk=self.release.pk).update(state=state)

    def approve(self, *, approver: User | None = None, manifest: Manifest | None = None) -> Approval:
        return Approval.objects.create(
            release=self.release, manifest=manifest or self.manifest, approver=approver or self.approver
        )

    def publish(self, release: Release, manifest: Manifest, **fields: object) -> Publication:
        sequence = self.channel.publications.count() + 1
        values = {
            "kind": Publication.Kind.PUBLISH,
            "sequence": sequence,
            "tag": f"production-{sequence}",
            "published_at": timezone.now(),
            "actor": self.approver,
        }
        return Publication.objects.create(
            release=release, manifest=manifest, **{"channel": self.channel} | values | fields
        )


@pytest.fixture
def world(editor: User, manager: User) -> World:
    return World(editor, manager)


def assert_refused(word: str, write: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError, match=word), transaction.atomic():
        write()


def test_what_is_right_passes_every_guard(world: World) -> None:
    world.set_state(State.IN_REVIEW)
    world.approve()
    world.set_state(State.APPROVED)
    second = world.publish(world.release, world.manifest)
    world.set_state(State.PUBLISHED)
    back = world.publish(
        world.first, world.other, kind=Publication.Kind.ROLLBACK, returns_to=world.live, reason="broken"
    )
    assert (second.sequence, back.sequence) == (2, 3)


@pytest.mark.parametrize("table", ["publication", "approval"])
def test_history_is_never_changed_or_removed(world: World, table: str) -> None:
    world.set_state(State.IN_REVIEW)
    world.approve()
    with connection.cursor() as cursor:
        for statement in (f"UPDATE releases_{table} SET id = id", f"DELETE FROM releases_{table}"):
            assert_refused("append_only", partial(cursor.execute, statement))


def test_nobody_approves_what_they_own_made_or_added_to(
    world: World, other_editor: User, other_manager: User
) -> None:
    world.add_change(world.release, author=other_editor, path="b.css")
    Release.objects.filter(pk=world.release.pk).update(owner=other_manager)
    world.set_state(State.IN_REVIEW)
    for person in (world.author, other_editor, other_manager):
        person.groups.set(world.approver.groups.all())
        assert_refused("self_approval", partial(world.approve, approver=person))
    world.approve(approver=world.approver)


def test_only_the_digest_in_review_is_approved(world: World) -> None:
    assert_refused("stale_digest", world.approve)
    world.set_state(State.IN_REVIEW)
    assert_refused("stale_digest", lambda: world.approve(manifest=world.other))


def test_a_release_is_not_approved_by_fewer_than_the_channel_asks_for(world: World) -> None:
    world.set_state(State.IN_REVIEW)
    assert_refused("approvals_missing", lambda: world.set_state(State.APPROVED))
    world.approve()
    Channel.objects.filter(pk=world.channel.pk).update(required_approvals=2)
    assert_refused("approvals_missing", lambda: world.set_state(State.APPROVED))


def test_a_release_is_not_published_when_approvals_no_longer_suffice(world: World) -> None:
    world.set_state(State.IN_REVIEW)
    world.approve()
    world.set_state(State.APPROVED)
    Channel.objects.filter(pk=world.channel.pk).update(required_approvals=2)
    assert_refused("not_approved", lambda: world.publish(world.release, world.manifest))


def test_only_an_approved_digest_is_published_on_its_own_channel(world: World) -> None:
    assert_refused("not_approved", lambda: world.publish(world.release, world.manifest))
    world.set_state(State.IN_REVIEW)
    world.approve()
    world.set_state(State.APPROVED)
    assert_refused("not_approved", lambda: world.publish(world.release, world.other))
    elsewhere = Channel.objects.create(name="elsewhere")
    assert_refused(
        "not_approved", lambda: world.publish(world.release, world.manifest, channel=elsewhere, sequence=1)
    )


def test_publications_are_numbered_without_gaps(world: World) -> None:
    world.set_state(State.IN_REVIEW)
    world.approve()
    world.set_state(State.APPROVED)
    for sequence in (1, 3):
        assert_refused(
            "wrong_sequence|unique|UNIQUE",
            partial(world.publish, world.release, world.manifest, sequence=sequence),
        )


def test_a_roll_back_serves_exactly_what_an_earlier_publication_served(world: World) -> None:
    rollback = {"kind": Publication.Kind.ROLLBACK, "returns_to": world.live, "reason": "broken"}
    assert_refused("wrong_rollback", lambda: world.publish(world.first, world.manifest, **rollback))
    assert_refused("wrong_rollback", lambda: world.publish(world.release, world.other, **rollback))
    assert_refused(
        "rollback_names_its_goal",
        lambda: world.publish(world.first, world.other, **rollback | {"reason": ""}),
    )


@pytest.mark.parametrize("state", [State.IN_REVIEW, State.WITHDRAWN])
def test_only_a_draft_is_changed(world: World, state: State) -> None:
    world.set_state(state)
    assert_refused("release_closed", lambda: world.add_change(world.release, path="b.css"))
    assert_refused("release_closed", lambda: Change.objects.update(author=world.approver))
    assert_refused("release_closed", lambda: Change.objects.all()._raw_delete("default"))
    release = Release.objects.filter(pk=world.release.pk)
    for field, value in (("owner", world.approver), ("title", "Other"), ("manifest", world.other)):
        assert_refused("release_closed", partial(release.update, **{field: value}))


def test_a_release_moves_only_along_its_life(world: World) -> None:
    for state in (State.PUBLISHED, State.SUPERSEDED, State.REJECTED):
        assert_refused("wrong_state", partial(world.set_state, state))
    assert_refused(
        "wrong_state",
        lambda: Release.objects.create(
            title="Born live", channel=world.channel, created_by=world.author, state=State.APPROVED,
            owner=world.author, manifest=world.manifest, expected_result="x", rollback_note="y",
        ),
    )  # fmt: skip


def test_a_release_is_not_in_review_without_its_brief(world: World) -> None:
    for field in ("owner", "expected_result", "rollback_note", "manifest"):
        nothing = None if field in ("owner", "manifest") else ""
        with transaction.atomic():
            Release.objects.filter(pk=world.release.pk).update(**{field: nothing})
            assert_refused("briefed", lambda: world.set_state(State.IN_REVIEW))
            transaction.set_rollback(True)


def test_every_guard_is_in_the_database(db: None) -> None:
    """A later migration that rebuilds a table on SQLite drops its triggers without a word."""
    migrations = MigrationLoader(connection).disk_migrations.values()
    wanted = {op.name for migration in migrations for op in migration.operations if isinstance(op, Guard)}
    catalogue = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.vendor == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    with connection.cursor() as cursor:
        cursor.execute(catalogue)
        found = {name for (name,) in cursor.fetchall()}
    assert len(wanted) > 15
    assert wanted <= found
