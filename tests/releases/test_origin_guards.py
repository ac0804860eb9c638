"""The database itself keeps contributors from approving, and promoted releases as they were."""

from functools import partial

import pytest
from django.db import connection

from apps.accounts.models import User
from apps.releases.models import Channel, Contributor, Origin, Release
from tests.releases.test_guards import State, World, assert_refused


@pytest.fixture
def world(editor: User, manager: User) -> World:
    return World(editor, manager)


def contribute(world: World, person: User, path: str = "a.css") -> Contributor:
    return Contributor.objects.create(release=world.release, person=person, path=path)


def test_nobody_approves_what_they_contributed_to(world: World, other_manager: User) -> None:
    contribute(world, other_manager)
    world.set_state(State.IN_REVIEW)
    assert_refused("self_approval", lambda: world.approve(approver=other_manager))
    world.approve()
    world.set_state(State.APPROVED)


def test_an_approval_from_before_somebody_contributed_does_not_count(
    world: World, other_manager: User
) -> None:
    world.set_state(State.IN_REVIEW)
    world.approve(approver=other_manager)
    world.set_state(State.DRAFT)
    contribute(world, other_manager)
    world.set_state(State.IN_REVIEW)
    assert_refused("approvals_missing", lambda: world.set_state(State.APPROVED))

    world.approve()
    world.set_state(State.APPROVED)


def test_of_two_approvals_asked_for_a_contributors_does_not_count(world: World, other_manager: User) -> None:
    Channel.objects.filter(pk=world.channel.pk).update(required_approvals=2)
    world.set_state(State.IN_REVIEW)
    world.approve(approver=other_manager)
    world.set_state(State.DRAFT)
    contribute(world, other_manager)
    world.set_state(State.IN_REVIEW)
    world.approve()
    assert_refused("approvals_missing", lambda: world.set_state(State.APPROVED))


def test_who_contributed_is_said_of_drafts_only(world: World, other_manager: User) -> None:
    known = contribute(world, other_manager)
    world.set_state(State.IN_REVIEW)
    for attempt in (
        lambda: contribute(world, other_manager, "b.css"),
        lambda: Contributor.objects.update(path="b.css"),
        known.delete,
    ):
        assert_refused("release_closed", attempt)


def test_a_promoted_release_has_the_manifest_that_was_served(world: World) -> None:
    Release.objects.filter(pk=world.release.pk).update(manifest=None)
    Origin.objects.create(
        release=world.release, kind=Origin.Kind.PROMOTE, source=world.first, manifest=world.manifest
    )
    release = Release.objects.filter(pk=world.release.pk)
    assert_refused("promoted", lambda: release.update(manifest=world.other, state=State.IN_REVIEW))
    release.update(manifest=world.manifest, state=State.IN_REVIEW)


def test_where_a_release_comes_from_is_said_once_while_it_is_a_draft(world: World) -> None:
    Origin.objects.create(release=world.release, kind=Origin.Kind.REVERT, source=world.first)
    with connection.cursor() as cursor:
        for statement in ("UPDATE releases_origin SET kind = 'split'", "DELETE FROM releases_origin"):
            assert_refused("append_only", partial(cursor.execute, statement))
    second = world.make_release("Third", world.other)
    Release.objects.filter(pk=second.pk).update(state=State.IN_REVIEW)
    assert_refused(
        "release_closed",
        lambda: Origin.objects.create(release=second, kind=Origin.Kind.REVERT, source=world.first),
    )


def test_only_what_is_promoted_names_a_manifest(world: World) -> None:
    for kind, manifest in ((Origin.Kind.PROMOTE, None), (Origin.Kind.SPLIT, world.manifest)):
        assert_refused(
            "origin_has_a_manifest",
            partial(
                Origin.objects.create,
                release=world.release,
                kind=kind,
                source=world.first,
                manifest=manifest,
            ),
        )
