"""The database itself refuses what the services refuse: past forms, commands and shells."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from apps.accounts.models import User
from apps.assets.models import Asset, AssetVersion, Blob
from apps.releases.models import (
    Approval,
    Change,
    Channel,
    Comment,
    Contributor,
    Involvement,
    Manifest,
    Publication,
    RedirectChange,
    Release,
)
from apps.releases.selectors import approvals_of
from tests.migrating import guards_after, guards_in
from tests.tampering import without_guard

State = Release.State
AT = datetime(2026, 1, 1, tzinfo=UTC)


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
        self.release = self.make_release("Second", self.manifest, base=self.first)
        self.change = self.add_change(self.release)

    def make_manifest(self, letter: str) -> Manifest:
        return Manifest.objects.create(
            digest=letter * 64, path_count=1, file_name=letter, file_sha256="c" * 64, file_size_bytes=1
        )

    def make_release(self, title: str, manifest: Manifest, *, base: Release | None = None) -> Release:
        return Release.objects.create(
            title=title,
            channel=self.channel,
            base=base,
            base_manifest=base.manifest if base else None,
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
        """Move the second release as the services do: a draft has no digest, and what is in review has."""
        manifests = {State.DRAFT: None, State.IN_REVIEW: self.manifest}
        for state in states:
            taken_along = {"manifest": manifests[state]} if state in manifests else {}
            Release.objects.filter(pk=self.release.pk).update(state=state, **taken_along)

    def let_only_approve(self, person: User) -> None:
        group = Group.objects.create(name="legal")
        person.groups.add(group)
        Channel.objects.filter(pk=self.channel.pk).update(approver_group=group)

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
    first = Release.objects.filter(pk=world.first.pk)
    first.update(state=State.SUPERSEDED)
    back = world.publish(
        world.first, world.other, kind=Publication.Kind.ROLLBACK, returns_to=world.live, reason="broken"
    )
    assert (second.sequence, back.sequence) == (2, 3)
    world.set_state(State.SUPERSEDED)
    first.update(state=State.PUBLISHED)


def approve_it(world: World) -> None:
    world.set_state(State.IN_REVIEW)
    world.approve()
    world.set_state(State.APPROVED)


def test_a_release_is_published_by_its_publication_and_superseded_by_another(world: World) -> None:
    first = Release.objects.filter(pk=world.first.pk)
    approve_it(world)
    assert_refused("not_published", lambda: world.set_state(State.PUBLISHED))
    assert_refused("not_superseded", lambda: first.update(state=State.SUPERSEDED))
    world.publish(world.release, world.manifest)
    assert_refused("base_moved", lambda: world.publish(world.release, world.manifest))
    for state in (State.DRAFT, State.WITHDRAWN):
        assert_refused("wrong_state", partial(world.set_state, state))
    first.update(state=State.SUPERSEDED)
    assert_refused("not_published", lambda: first.update(state=State.PUBLISHED))


def test_a_release_goes_on_what_it_was_begun_on(world: World) -> None:
    Release.objects.filter(pk=world.release.pk).update(base_manifest=None)
    approve_it(world)
    assert_refused("base_moved", lambda: world.publish(world.release, world.manifest))


def test_a_release_is_taken_back_without_its_digest_and_never_removed(world: World) -> None:
    world.set_state(State.IN_REVIEW)
    release = Release.objects.filter(pk=world.release.pk)
    assert_refused("stale_digest", lambda: release.update(state=State.DRAFT))
    assert_refused("stale_digest", lambda: release.update(state=State.DRAFT, manifest=None, submitted_at=AT))
    bare = Release.objects.create(title="Bare", channel=world.channel, created_by=world.author)
    assert_refused("append_only", bare.delete)


def test_a_manifest_stays_what_its_digest_says(world: World) -> None:
    row = Manifest.objects.filter(pk=world.manifest.pk)
    for change in ({"file_sha256": "e" * 64}, {"path_count": 2}, {"digest": "f" * 64}):
        assert_refused("manifest_fixed", partial(row.update, **change))
    row.update(file_sha256="e" * 64, revision=2)
    row.update(newest_representation=7)


VOIDING: dict[str, Callable[[World, User], object]] = {
    "owns it": lambda world, mona: Release.objects.filter(pk=world.release.pk).update(owner=mona),
    "began it": lambda world, mona: Release.objects.filter(pk=world.release.pk).update(created_by=mona),
    "changed it": lambda world, mona: world.add_change(world.release, author=mona, path="b.css"),
    "redirected": lambda world, mona: RedirectChange.objects.create(
        release=world.release, source="b", kind="put", target="/c", status=301, author=mona
    ),
    "contributed": lambda world, mona: Contributor.objects.create(release=world.release, person=mona),
    "submitted it": lambda world, mona: Involvement.objects.create(
        release=world.release, person=mona, kind="submitted", at=AT
    ),
    "is in another group": lambda world, mona: world.let_only_approve(world.approver),
}


@pytest.mark.parametrize("touch", VOIDING)
def test_an_approval_that_is_void_counts_in_no_guard(world: World, other_manager: User, touch: str) -> None:
    """Approved by mona, who had no part in it then; ben's approval is the one that counts."""
    world.set_state(State.IN_REVIEW)
    world.approve(approver=other_manager)
    world.set_state(State.DRAFT)
    VOIDING[touch](world, other_manager)
    world.set_state(State.IN_REVIEW)
    assert approvals_of(Release.objects.get(pk=world.release.pk)) == 0
    assert_refused("approvals_missing", lambda: world.set_state(State.APPROVED))
    with without_guard("release_approved_by_enough", "releases_release"):
        world.set_state(State.APPROVED)
        assert_refused("not_approved", lambda: world.publish(world.release, world.manifest))
        world.set_state(State.DRAFT, State.IN_REVIEW)
    world.approve()
    world.set_state(State.APPROVED)
    world.publish(world.release, world.manifest)


def test_an_approval_counts_after_who_gave_it_has_left(world: World) -> None:
    """As the services count it: what was looked at was looked at."""
    world.set_state(State.IN_REVIEW)
    world.approve()
    User.objects.filter(pk=world.approver.pk).update(is_active=False)
    world.set_state(State.APPROVED)
    assert world.publish(world.release, world.manifest).sequence == 2


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
        "not_approved|base_moved",
        lambda: world.publish(world.release, world.manifest, channel=elsewhere, sequence=1),
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
        assert_refused("wrong_state|not_published|not_superseded", partial(world.set_state, state))
    assert_refused(
        "wrong_state",
        lambda: Release.objects.create(
            title="Born live", channel=world.channel, created_by=world.author, state=State.APPROVED,
            owner=world.author, manifest=world.manifest, expected_result="x", rollback_note="y",
        ),
    )  # fmt: skip


def test_a_release_is_rejected_by_who_says_why(world: World) -> None:
    world.set_state(State.IN_REVIEW)
    assert_refused("reason_missing", lambda: world.set_state(State.REJECTED))
    Comment.objects.create(release=world.release, author=world.approver, kind="rejection", text="Too dark.")
    world.set_state(State.REJECTED)


def test_a_release_is_not_in_review_without_its_brief(world: World) -> None:
    for field in ("owner", "expected_result", "rollback_note", "manifest"):
        nothing = None if field in ("owner", "manifest") else ""
        with transaction.atomic():
            Release.objects.filter(pk=world.release.pk).update(**{field: nothing})
            release = Release.objects.filter(pk=world.release.pk)
            assert_refused("briefed", partial(release.update, state=State.IN_REVIEW))
            transaction.set_rollback(True)


def test_every_guard_is_in_the_database(db: None) -> None:
    """A later migration that rebuilds a table on SQLite drops its triggers without a word."""
    wanted = guards_after(MigrationLoader(connection).disk_migrations)
    assert len(wanted) > 15
    assert guards_in(connection) == wanted
