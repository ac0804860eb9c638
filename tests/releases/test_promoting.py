"""Production gets exactly what staging served: the digest is the proof."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.releases.contents import ChangeInput
from apps.releases.exceptions import (
    AlreadyLive,
    BaseMoved,
    BuiltDifferently,
    NothingToPromote,
    PromotedContent,
    SelfApproval,
    StaleDigest,
)
from apps.releases.models import Channel, Origin, Publication, Release
from apps.releases.selectors import authors_of, channel_named, live_publication, manifest_reader_of
from apps.releases.services import channels, drafts, publishing, review
from apps.releases.services.promoting import promote
from apps.releases.services.rebasing import rebase
from apps.releases.services.redirects import put_redirect, remove_redirect
from tests.releases.conftest import BRIEF, FIRST_SITE, Publish, put, remove
from tests.releases.test_rebasing import changes_of, new_version, pinned

Stage = Callable[..., Release]
WORDS: dict[str, Any] = {**BRIEF}


@pytest.fixture
def staging(production: Channel, administrator: User) -> Channel:
    """staging, which asks for no approval here."""
    channel = channel_named("staging")
    Channel.objects.filter(pk=channel.pk).update(required_approvals=0)
    channel.refresh_from_db()
    return channel


@pytest.fixture
def stage(staging: Channel, editor: User, manager: User) -> Stage:
    """Return a function that makes a release of changes for staging and publishes it there."""

    def make(*changes: ChangeInput, actor: User = editor, redirects: dict[str, str] | None = None) -> Release:
        release = drafts.create_release(
            title="Spring", channel=staging, changes=changes, actor=actor, route="/spring", **WORDS
        )
        for source, target in (redirects or {}).items():
            put_redirect(release=release, source=source, target=target, actor=actor)
        review.submit(release=release, actor=manager)
        publishing.publish(release=release, actor=manager)
        release.refresh_from_db()
        return release

    return make


@pytest.fixture
def staged(stage: Stage, live: Release) -> Release:
    """Release 2 and 3, live on staging: the site of production, with some changes."""
    stage(*(put(path, text) for path, text in FIRST_SITE.items()))
    return stage(
        put("css/site.css", "a { color: blue }"), put("new.txt", "new"), remove("js/old.js"),
        redirects={"/old": "/new.txt"},
    )  # fmt: skip


def go_live(release: Release, editor: User, manager: User) -> Publication:
    submitted = review.submit(release=release, actor=editor)
    if submitted.state == Release.State.IN_REVIEW:
        review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    return publishing.publish(release=submitted, actor=manager)


def test_what_staging_serves_goes_live_on_production_by_its_digest(
    staged: Release, staging: Channel, production: Channel, editor: User, other_manager: User
) -> None:
    release = promote(source=staging, target=production, actor=editor)

    assert (release.channel, release.state) == (production, Release.State.DRAFT)
    publication = go_live(release, editor, other_manager)
    assert (publication.channel, publication.manifest_id) == (production, staged.manifest_id)


def test_its_changes_are_those_against_what_production_serves(
    staged: Release, staging: Channel, production: Channel, live: Release, editor: User
) -> None:
    release = promote(source=staging, target=production, actor=editor)

    assert changes_of(release) == {"css/site.css": "put", "new.txt": "put", "js/old.js": "remove"}
    replaced = dict(release.changes.values_list("asset__path", "replaced_blob__size_bytes"))
    assert replaced == {"css/site.css": len(FIRST_SITE["css/site.css"]), "new.txt": None, "js/old.js": 1}
    assert list(release.redirect_changes.values_list("source", "target")) == [("old", "/new.txt")]
    assert release.base == live


def test_brief_rules_and_authors_are_carried_over(
    staged: Release,
    stage: Stage,
    staging: Channel,
    production: Channel,
    manager: User,
    other_editor: User,
    other_manager: User,
) -> None:
    new_version("pages", manager)
    stage(put("by-emil.txt", "emil"), actor=other_editor)

    release = promote(source=staging, target=production, actor=other_manager)

    assert (release.expected_result, release.route, release.owner) == (
        BRIEF["expected_result"],
        "/spring",
        other_editor,
    )
    assert pinned(release, "pages") == 2
    authors = dict(release.changes.values_list("asset__path", "author__username"))
    assert authors == {"css/site.css": "eva", "new.txt": "eva", "js/old.js": "eva", "by-emil.txt": "emil"}


def test_who_worked_on_it_on_staging_does_not_approve_it_for_production(
    live: Release, stage: Stage, staging: Channel, production: Channel, editor: User, manager: User
) -> None:
    stage(put("by-ben.txt", "ben"), actor=manager)
    stage(put("by-eva.txt", "eva"), actor=editor)
    release = promote(source=staging, target=production, actor=editor)
    submitted = review.submit(release=release, actor=editor)

    assert manager.pk in authors_of(submitted)
    with pytest.raises(SelfApproval):
        review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)


def test_two_who_brought_the_same_are_both_kept(
    live: Release,
    stage: Stage,
    staging: Channel,
    production: Channel,
    editor: User,
    other_editor: User,
    manager: User,
) -> None:
    stage(put("a.txt", "a"), actor=other_editor, redirects={"/old": "/a.txt"})
    stage(put("a.txt", "b"), actor=editor)
    gone = drafts.create_release(title="Gone", channel=staging, changes=[], actor=editor, **WORDS)
    remove_redirect(release=gone, source="/old", actor=editor)
    go_live(gone, editor, manager)
    stage(put("a.txt", "a"), actor=editor, redirects={"/old": "/a.txt"})

    release = promote(source=staging, target=production, actor=manager)

    assert authors_of(release) == {editor.pk, other_editor.pk, manager.pk}
    assert set(release.contributors.values_list("path", "person__username")) >= {
        ("", "eva"),
        ("a.txt", "emil"),
        ("/old", "emil"),
    }


def test_a_later_publication_on_staging_does_not_alter_it(
    staged: Release, stage: Stage, staging: Channel, production: Channel, editor: User, other_manager: User
) -> None:
    release = promote(source=staging, target=production, actor=editor)
    stage(put("later.txt", "later"))

    assert go_live(release, editor, other_manager).manifest_id == staged.manifest_id


def test_its_content_cannot_be_changed(
    staged: Release, staging: Channel, production: Channel, editor: User
) -> None:
    release = promote(source=staging, target=production, actor=editor)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: drafts.apply_changes(release=release, changes=[put("a.txt", "a")], actor=editor),
        lambda: drafts.discard_change(change=release.changes.all()[0], actor=editor),
        lambda: put_redirect(release=release, source="/a", target="/b", actor=editor),
        lambda: remove_redirect(release=release, source="/old", actor=editor),
    )
    for attempt in attempts:
        with pytest.raises(PromotedContent, match="promotes exactly what was served elsewhere"):
            attempt()
    drafts.edit_release(release=release, title="Its brief can be", actor=editor)


def test_where_production_has_moved_it_is_promoted_again(
    staged: Release, staging: Channel, production: Channel, publish: Publish, editor: User
) -> None:
    release = promote(source=staging, target=production, actor=editor)
    publish(put("hotfix.txt", "hotfix"))

    with pytest.raises(BaseMoved) as refusal:
        review.submit(release=release, actor=editor)
    assert "Promote it again" in refusal.value.next_step
    with pytest.raises(PromotedContent, match="on another base it would be something else"):
        rebase(release=release, actor=editor)

    again = promote(source=staging, target=production, actor=editor)
    assert again != release
    assert changes_of(again)["hotfix.txt"] == "remove"
    assert review.submit(release=again, actor=editor).manifest_id == staged.manifest_id


def test_what_is_promoted_already_is_not_promoted_twice(
    staged: Release, staging: Channel, production: Channel, editor: User, other_manager: User
) -> None:
    release = promote(source=staging, target=production, actor=editor)
    assert promote(source=staging, target=production, actor=editor) == release
    assert AuditEntry.objects.filter(action="release.promote").count() == 1

    go_live(release, editor, other_manager)
    with pytest.raises(AlreadyLive):
        promote(source=staging, target=production, actor=editor)


def test_channels_that_are_built_differently_are_told_apart_in_words(
    staged: Release, staging: Channel, production: Channel, administrator: User, editor: User
) -> None:
    release = promote(source=staging, target=production, actor=editor)
    channels.set_options(channel=production, actor=administrator, fingerprints=True)

    with pytest.raises(BuiltDifferently, match="production builds releases with fingerprinted names"):
        promote(source=staging, target=channel_named("production"), actor=editor)
    with pytest.raises(BuiltDifferently, match="without fingerprinted names and early hints"):
        review.submit(release=release, actor=editor)
    channels.set_options(channel=production, actor=administrator, fingerprints=False, early_hints=True)
    with pytest.raises(BuiltDifferently, match="with early hints"):
        promote(source=staging, target=channel_named("production"), actor=editor)


def test_a_channel_with_fingerprints_is_promoted_to_one_with_them(
    live: Release,
    stage: Stage,
    staging: Channel,
    production: Channel,
    administrator: User,
    editor: User,
    other_manager: User,
) -> None:
    for channel in (staging, production):
        channels.set_options(channel=channel, actor=administrator, fingerprints=True)
    staging.refresh_from_db()
    stage(put("index.html", '<link rel=stylesheet href="css/site.css">'), put("css/site.css", "a {}"))
    second = stage(put("css/site.css", "b {}"))

    release = promote(source=staging, target=channel_named("production"), actor=editor)

    assert set(changes_of(release)) == {"index.html", "css/site.css", "js/old.js"}
    assert go_live(release, editor, other_manager).manifest_id == second.manifest_id


def test_only_what_was_looked_at_is_promoted(
    staged: Release, stage: Stage, staging: Channel, production: Channel, editor: User
) -> None:
    later = stage(put("later.txt", "later"))
    with pytest.raises(StaleDigest, match="staging serves"):
        promote(source=staging, target=production, actor=editor, digest=staged.manifest_id)
    release = promote(source=staging, target=production, actor=editor, digest=later.manifest_id)
    assert "later.txt" in changes_of(release)


@pytest.mark.parametrize("target", ["production", "staging"])
def test_nothing_is_promoted_from_an_empty_channel_or_to_itself(
    live: Release, staging: Channel, editor: User, target: str
) -> None:
    with pytest.raises(NothingToPromote):
        promote(source=staging, target=channel_named(target), actor=editor)


def test_an_empty_channel_gets_all_of_it(
    stage: Stage, staging: Channel, production: Channel, editor: User, manager: User
) -> None:
    first = stage(put("index.html", "one"))
    release = promote(source=staging, target=production, actor=editor)
    assert (release.base, changes_of(release)) == (None, {"index.html": "put"})
    assert go_live(release, editor, manager).manifest_id == first.manifest_id


def test_what_is_built_on_it_knows_since_when_its_content_is_live(
    staged: Release,
    staging: Channel,
    production: Channel,
    publish: Publish,
    editor: User,
    other_manager: User,
) -> None:
    publication = go_live(promote(source=staging, target=production, actor=editor), editor, other_manager)
    later = publish(put("later.txt", "later"))

    released = manifest_reader_of(later).released
    since = int(publication.published_at.timestamp())
    assert released[staged.pk] == released[publication.release_id] == since


def test_where_it_comes_from_is_kept(
    staged: Release, staging: Channel, production: Channel, editor: User
) -> None:
    release = promote(source=staging, target=production, actor=editor)
    origin = Origin.objects.get(release=release)
    assert (origin.kind, origin.source, origin.manifest) == (Origin.Kind.PROMOTE, staged, staged.manifest)
    live_there = live_publication(staging)
    assert live_there
    details = AuditEntry.objects.get(action="release.promote").details
    assert (details["from"], details["digest"]) == ("staging", staged.manifest_id)


def test_a_viewer_promotes_nothing(
    staged: Release, staging: Channel, production: Channel, viewer: User
) -> None:
    with pytest.raises(Forbidden):
        promote(source=staging, target=production, actor=viewer)
