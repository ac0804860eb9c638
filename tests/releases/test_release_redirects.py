"""Redirects as part of a release: drafted, built, reviewed, published, rolled back."""

from collections.abc import Callable

import pytest

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.releases.contents import PutRedirect, RemoveRedirect
from apps.releases.exceptions import (
    BaseMoved,
    InvalidRedirect,
    NothingChanges,
    RedirectLoop,
    ReleaseClosed,
    SelfApproval,
    TooManyRedirects,
    UnknownRedirect,
)
from apps.releases.manifest import Redirect
from apps.releases.models import Approval, RedirectChange, Release
from apps.releases.redirects import values as pure
from apps.releases.redirects.selectors import redirects_of
from apps.releases.selectors import (
    approvals_of,
    authors_of,
    change_counts,
    live_publication,
    manifest_reader_of,
    open_manifest,
    open_release_with,
    releases_with_counts,
    reviews_for,
)
from apps.releases.services import channels, drafts, publishing, review
from apps.releases.services.redirects import (
    discard_redirect_change,
    put_redirect,
    remove_redirect,
    write_redirects,
)
from tests.releases.conftest import MakeRelease, put, remove
from tests.releases.test_guards import assert_refused

OLD = Redirect("old", "/index.html", 308)


def built_redirects(release: Release) -> list[Redirect]:
    return list(manifest_reader_of(release).redirects())


def bring_live(release: Release, editor: User, manager: User) -> Release:
    submitted = review.submit(release=release, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    publishing.publish(release=release, actor=manager)
    release.refresh_from_db()
    return release


@pytest.fixture
def draft(live: Release, make_release: MakeRelease, editor: User) -> Release:
    """Release 2: a draft of eva's with a redirect of /old and nothing else."""
    release = make_release(title="Moved")
    put_redirect(release=release, source="/old", target="/index.html", actor=editor)
    return release


@pytest.fixture
def moved(draft: Release, editor: User, manager: User) -> Release:
    """Release 2, live."""
    return bring_live(draft, editor, manager)


def test_a_release_of_redirects_alone_goes_live(moved: Release) -> None:
    assert built_redirects(moved) == [OLD]
    assert manifest_reader_of(moved).redirect_for("old") == OLD
    assert moved.manifest_id != moved.base_manifest_id


def test_a_later_release_keeps_the_redirects_of_its_base_and_changes_its_own(
    moved: Release, make_release: MakeRelease, editor: User
) -> None:
    release = make_release(put("img/new.svg", "<svg/>"))
    put_redirect(release=release, source="/b/*", target="https://b.example/:splat", status=302, actor=editor)
    put_redirect(release=release, source="/old", target="/css/site.css", status=301, actor=editor)
    review.submit(release=release, actor=editor)
    release.refresh_from_db()
    assert built_redirects(release) == [
        Redirect("b/*", "https://b.example/:splat", 302),
        Redirect("old", "/css/site.css", 301),
    ]


def test_a_redirect_can_be_removed(moved: Release, make_release: MakeRelease, editor: User) -> None:
    release = make_release()
    remove_redirect(release=release, source="/old", actor=editor)
    assert redirects_of(release) == {}
    review.submit(release=release, actor=editor)
    release.refresh_from_db()
    assert built_redirects(release) == []
    assert AuditEntry.objects.filter(action="release.remove_redirect", details={"source": "old"}).count() == 1


def test_a_roll_back_brings_redirects_back(
    moved: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    release = make_release()
    remove_redirect(release=release, source="/old", actor=editor)
    bring_live(release, editor, manager)
    publishing.roll_back(channel=moved.channel, to=2, reason="People still come", actor=manager)
    served = live_publication(moved.channel)
    assert served
    assert open_manifest(served.manifest).redirect_for("old") == OLD


def test_what_the_base_has_already_is_no_change(
    moved: Release, make_release: MakeRelease, editor: User
) -> None:
    release = make_release()
    put_redirect(release=release, source="/old", target="/css/site.css", actor=editor)
    assert release.redirect_changes.count() == 1
    put_redirect(release=release, source="/old", target="/index.html", actor=editor)
    assert release.redirect_changes.count() == 0
    with pytest.raises(NothingChanges):
        review.submit(release=release, actor=editor)


def test_removing_a_redirect_that_the_draft_put_takes_it_out_again(draft: Release, editor: User) -> None:
    remove_redirect(release=draft, source="/old", actor=editor)
    assert draft.redirect_changes.count() == 0


def test_a_redirect_that_is_not_there_is_not_removed(draft: Release, editor: User) -> None:
    with pytest.raises(UnknownRedirect, match="no redirect of /older"):
        remove_redirect(release=draft, source="/older", actor=editor)
    with pytest.raises(InvalidRedirect, match="begin with a slash"):
        remove_redirect(release=draft, source="old", actor=editor)


def test_a_change_of_a_redirect_can_be_undone(
    moved: Release, make_release: MakeRelease, editor: User
) -> None:
    release = make_release()
    put_redirect(release=release, source="/old", target="/css/site.css", actor=editor)
    discard_redirect_change(change=release.redirect_changes.get(), actor=editor)
    assert redirects_of(release) == {"old": OLD}
    assert AuditEntry.objects.filter(action="release.discard_redirect_change").count() == 1


@pytest.mark.parametrize(
    ("source", "target", "status", "field", "words"),
    [
        ("old", "/new", 308, "source", "old does not begin with a slash"),
        ("", "/new", 308, "source", "The source does not begin"),
        ("/-/x", "/new", 308, "source", "keeps for itself"),
        ("/old", "//evil.example", 308, "target", "another site"),
        ("/old", "", 308, "target", "The target is missing"),
        ("/old", "/new/:splat", 308, "target", ":splat"),
        ("/old", "/new", 200, "status", "301, 302, 307, 308"),
    ],
)
def test_a_redirect_that_cannot_be_is_refused_at_its_field(
    draft: Release, editor: User, source: str, target: str, status: int, field: str, words: str
) -> None:
    before = AuditEntry.objects.count()
    with pytest.raises(InvalidRedirect, match=words) as refusal:
        put_redirect(release=draft, source=source, target=target, status=status, actor=editor)
    assert refusal.value.field == field
    assert refusal.value.next_step
    assert (draft.redirect_changes.count(), AuditEntry.objects.count()) == (1, before)


def test_a_loop_is_refused_with_its_chain(draft: Release, editor: User) -> None:
    put_redirect(release=draft, source="/a", target="/b", actor=editor)
    with pytest.raises(RedirectLoop, match="/a → /b → /a"):
        put_redirect(release=draft, source="/b", target="/a", actor=editor)
    assert "b" not in redirects_of(draft)


def test_a_file_ends_a_chain_unless_the_release_removes_it(
    live: Release, make_release: MakeRelease, editor: User
) -> None:
    release = make_release(put("shop/index.html", "Shop"))
    put_redirect(release=release, source="/*", target="/index.html", actor=editor)
    put_redirect(release=release, source="/shop/*", target="/shop", actor=editor)
    without = make_release(remove("index.html"))
    with pytest.raises(RedirectLoop):
        put_redirect(release=without, source="/*", target="/index.html", actor=editor)


def test_clean_urls_end_a_chain_where_the_channel_has_them(
    live: Release, make_release: MakeRelease, editor: User, administrator: User
) -> None:
    release = make_release(put("blog/news.html", "News"))
    with pytest.raises(RedirectLoop):
        put_redirect(release=release, source="/blog/*", target="/blog/news", actor=editor)
    channels.set_options(channel=live.channel, clean_urls=True, actor=administrator)
    release = Release.objects.get(pk=release.pk)
    put_redirect(release=release, source="/blog/*", target="/blog/news", actor=editor)
    assert "blog/*" in redirects_of(release)


def test_a_loop_that_a_removed_file_leaves_behind_is_refused_on_submission(
    live: Release, make_release: MakeRelease, editor: User
) -> None:
    release = make_release()
    put_redirect(release=release, source="/*", target="/index.html", actor=editor)
    drafts.apply_changes(release=release, changes=[remove("index.html")], actor=editor)
    with pytest.raises(RedirectLoop, match=r"/index\.html"):
        review.submit(release=release, actor=editor)
    release.refresh_from_db()
    assert release.state == Release.State.DRAFT


def test_more_redirects_than_a_release_has_are_refused(
    draft: Release, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pure.MAX_REDIRECTS == 10_000
    monkeypatch.setattr("apps.releases.services.redirects.MAX_REDIRECTS", 2)
    put_redirect(release=draft, source="/b", target="/index.html", actor=editor)
    with pytest.raises(TooManyRedirects, match="3 redirects; 2 are the most"):
        put_redirect(release=draft, source="/c", target="/index.html", actor=editor)
    write_redirects(draft, [PutRedirect(Redirect("d", "/index.html"))], editor)
    with pytest.raises(TooManyRedirects):
        review.submit(release=draft, actor=editor)


def test_only_drafts_and_only_those_who_may_change_redirects(
    draft: Release, editor: User, viewer: User
) -> None:
    change = draft.redirect_changes.get()
    attempts: list[Callable[[User], object]] = [
        lambda actor: put_redirect(release=draft, source="/b", target="/index.html", actor=actor),
        lambda actor: remove_redirect(release=draft, source="/old", actor=actor),
        lambda actor: discard_redirect_change(change=change, actor=actor),
    ]
    for attempt in attempts:
        with pytest.raises(Forbidden):
            attempt(viewer)
    review.submit(release=draft, actor=editor)
    for attempt in attempts:
        with pytest.raises(ReleaseClosed):
            attempt(editor)
    assert draft.redirect_changes.count() == 1


def test_who_added_a_redirect_cannot_approve(draft: Release, manager: User, other_manager: User) -> None:
    put_redirect(release=draft, source="/b", target="/index.html", actor=manager)
    assert manager.pk in authors_of(draft)
    submitted = review.submit(release=draft, actor=manager)
    with pytest.raises(SelfApproval):
        review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    assert (list(reviews_for(manager)), list(reviews_for(other_manager))) == ([], [draft])
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=other_manager)
    assert approvals_of(Release.objects.get(pk=draft.pk)) == 1


def test_the_database_refuses_the_approval_of_who_added_a_redirect(
    draft: Release, manager: User, other_manager: User
) -> None:
    put_redirect(release=draft, source="/b", target="/index.html", actor=manager)
    submitted = review.submit(release=draft, actor=manager)
    words = {"release": submitted, "manifest": submitted.manifest}
    assert_refused("self_approval", lambda: Approval.objects.create(**words, approver=manager))
    Approval.objects.create(**words, approver=other_manager)


def test_an_approval_given_before_its_giver_added_a_redirect_counts_no_more(
    draft: Release, editor: User, manager: User
) -> None:
    submitted = review.submit(release=draft, actor=editor)
    digest = submitted.manifest_id or ""
    review.approve(release=submitted, digest=digest, actor=manager)
    review.reopen(release=submitted, actor=editor)
    put_redirect(release=draft, source="/old", target="/index.html", status=301, actor=manager)
    put_redirect(release=draft, source="/old", target="/index.html", actor=manager)
    again = review.submit(release=draft, actor=editor)
    assert again.manifest_id == digest
    assert (again.state, approvals_of(again)) == ("in_review", 0)
    draft_row = Release.objects.filter(pk=draft.pk)
    assert_refused("approvals_missing", lambda: draft_row.update(state="approved"))


def test_the_database_keeps_redirects_of_a_release_that_is_no_draft(draft: Release, editor: User) -> None:
    review.submit(release=draft, actor=editor)
    rows = RedirectChange.objects.all()
    words = {"release": draft, "kind": "put", "target": "/x", "status": 308, "author": editor}
    assert_refused("release_closed", lambda: RedirectChange.objects.create(source="b", **words))
    assert_refused("release_closed", lambda: rows.update(target="/evil"))
    assert_refused("release_closed", lambda: rows._raw_delete("default"))


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "put", "target": "", "status": 308},
        {"kind": "put", "target": "/x", "status": None},
        {"kind": "put", "target": "/x", "status": 200},
        {"kind": "remove", "target": "/x", "status": None},
        {"kind": "remove", "target": "", "status": 308},
        {"kind": "other", "target": "/x", "status": 308},
        {"kind": "put", "target": "/x", "status": 308, "source": "old"},
    ],
)
def test_the_database_refuses_half_a_redirect(
    draft: Release, editor: User, fields: dict[str, object]
) -> None:
    row = RedirectChange(**{"release": draft, "author": editor, "source": "b", **fields})
    assert_refused("redirect_change|UNIQUE|unique", row.save)


def test_redirects_changed_in_both_are_named_when_the_base_has_moved(
    draft: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    other = make_release(title="Other")
    put_redirect(release=other, source="/old", target="/css/site.css", actor=editor)
    put_redirect(release=other, source="/elsewhere", target="/css/site.css", actor=editor)
    bring_live(other, editor, manager)
    with pytest.raises(BaseMoved, match=r"Changed in both: the redirect /old\."):
        review.submit(release=draft, actor=editor)


def test_redirects_are_counted_beside_the_files(draft: Release, spring: Release) -> None:
    assert change_counts(draft).redirects == 1
    assert change_counts(draft).total == 0
    counted = {release.pk: vars(release)["redirects"] for release in releases_with_counts()}
    assert (counted[draft.pk], counted[spring.pk]) == (1, 0)


def test_a_release_is_begun_with_redirects(live: Release, editor: User) -> None:
    release = drafts.create_release(
        title="Both", channel=live.channel, changes=[], redirects=[PutRedirect(OLD), RemoveRedirect("x")],
        actor=editor,
    )  # fmt: skip
    assert redirects_of(release) == {"old": OLD}
    entry = AuditEntry.objects.get(action="release.create", target=f"release {release.pk}")
    assert "1 redirect" in entry.summary
    assert entry.details["redirects"] == 1


def test_an_open_release_is_found_by_its_redirects_too(draft: Release, live: Release) -> None:
    channel, now = live.channel, live_publication(live.channel)
    assert open_release_with(channel, now, [], [("old", OLD)]) == draft
    for redirects in ([], [("old", None)], [("old", Redirect("old", "/other"))], [("old", OLD), ("b", None)]):
        assert open_release_with(channel, now, [], redirects) is None
