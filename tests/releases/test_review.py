import pytest

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.releases.exceptions import (
    AlreadyApproved,
    BaseMoved,
    BriefIncomplete,
    NothingChanges,
    ReasonMissing,
    SelfApproval,
    StaleDigest,
    WrongState,
)
from apps.releases.models import Release
from apps.releases.selectors import approvals_of
from apps.releases.services import channels, drafts, publishing, review
from tests.releases.conftest import MakeRelease, put, served

State = Release.State


def test_submitting_builds_what_would_be_served(spring: Release, live: Release, editor: User) -> None:
    submitted = review.submit(release=spring, actor=editor)
    assert submitted.state == State.IN_REVIEW
    assert submitted.submitted_at
    before, after = served(live), served(submitted)
    assert set(after) == {"index.html", "css/site.css", "img/new.svg"}
    assert after["index.html"] == before["index.html"]
    assert after["css/site.css"] != before["css/site.css"]


def test_what_is_missing_in_the_brief_is_named_with_the_command_that_fills_it(
    live: Release, make_release: MakeRelease, editor: User
) -> None:
    release = make_release(put("a.css", "a"), owner=None, expected_result="", rollback_note=" ")
    with pytest.raises(BriefIncomplete) as refusal:
        review.submit(release=release, actor=editor)
    assert "owner and expected result and rollback note" in refusal.value.message
    assert f"release edit {release.pk} --owner … --expected-result …" in refusal.value.next_step
    release.refresh_from_db()
    assert (release.state, release.manifest) == (State.DRAFT, None)


def test_a_release_that_changes_nothing_is_not_reviewed(
    live: Release, make_release: MakeRelease, editor: User
) -> None:
    with pytest.raises(NothingChanges, match="exactly what production serves"):
        review.submit(release=make_release(), actor=editor)


def test_the_last_approval_needed_makes_it_approved(
    spring: Release, editor: User, manager: User, other_manager: User, administrator: User
) -> None:
    channels.set_required_approvals(channel=spring.channel, count=2, actor=administrator)
    submitted = review.submit(release=spring, actor=editor)
    digest = submitted.manifest_id or ""
    review.approve(release=submitted, digest=digest, actor=manager)
    spring.refresh_from_db()
    assert spring.state == State.IN_REVIEW
    review.approve(release=submitted, digest=digest, actor=other_manager)
    spring.refresh_from_db()
    assert spring.state == State.APPROVED


def test_nobody_approves_twice(spring: Release, editor: User, manager: User, administrator: User) -> None:
    channels.set_required_approvals(channel=spring.channel, count=2, actor=administrator)
    submitted = review.submit(release=spring, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    with pytest.raises(AlreadyApproved):
        review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)


def test_nobody_approves_what_they_own_made_or_added_to(
    live: Release, make_release: MakeRelease, manager: User, other_manager: User, administrator: User
) -> None:
    release = make_release(put("a.css", "a"), actor=manager, owner=other_manager)
    drafts.apply_changes(release=release, changes=[put("b.css", "b")], actor=administrator)
    submitted = review.submit(release=release, actor=manager)
    for person in (manager, other_manager, administrator):
        with pytest.raises(SelfApproval, match="cannot approve release"):
            review.approve(release=submitted, digest=submitted.manifest_id or "", actor=person)
    assert not submitted.approvals.exists()


def test_an_approval_is_of_the_digest_that_was_looked_at(
    spring: Release, editor: User, manager: User
) -> None:
    seen = review.submit(release=spring, actor=editor).manifest_id or ""
    review.reopen(release=spring, actor=editor)
    drafts.apply_changes(release=spring, changes=[put("evil.js", "alert(1)")], actor=editor)
    review.submit(release=spring, actor=editor)
    with pytest.raises(StaleDigest, match=seen[:12]):
        review.approve(release=spring, digest=seen, actor=manager)


def test_a_changed_release_is_approved_anew(approved: Release, editor: User, manager: User) -> None:
    review.reopen(release=approved, actor=editor)
    drafts.apply_changes(release=approved, changes=[put("more.css", "m")], actor=editor)
    submitted = review.submit(release=approved, actor=editor)
    assert submitted.state == State.IN_REVIEW
    assert approvals_of(submitted) == 0
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    approved.refresh_from_db()
    assert approved.state == State.APPROVED


def test_an_approval_holds_where_the_content_is_the_same_again(approved: Release, editor: User) -> None:
    """The digest is what was approved: reopening without a change leaves nothing new to look at."""
    review.reopen(release=approved, actor=editor)
    submitted = review.submit(release=approved, actor=editor)
    assert (approvals_of(submitted), submitted.state) == (1, State.APPROVED)


def test_an_approval_by_who_becomes_its_owner_holds_no_longer(
    approved: Release, editor: User, manager: User, other_manager: User
) -> None:
    review.reopen(release=approved, actor=editor)
    drafts.edit_release(release=approved, actor=editor, owner=manager)
    submitted = review.submit(release=approved, actor=editor)
    assert (approvals_of(submitted), submitted.state) == (0, State.IN_REVIEW)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=other_manager)
    approved.refresh_from_db()
    assert approved.state == State.APPROVED


def test_a_rejection_needs_its_reason_and_can_be_answered(
    spring: Release, editor: User, manager: User
) -> None:
    review.submit(release=spring, actor=editor)
    with pytest.raises(ReasonMissing):
        review.reject(release=spring, reason="  ", actor=manager)
    review.reject(release=spring, reason="The blue is not ours.", actor=manager)
    assert spring.state == State.REJECTED
    assert AuditEntry.objects.get(action="release.reject").summary.endswith(
        "was rejected: The blue is not ours."
    )
    review.reopen(release=spring, actor=editor)
    assert spring.state == State.DRAFT


def test_a_withdrawn_release_stays_withdrawn(spring: Release, editor: User) -> None:
    review.withdraw(release=spring, actor=editor)
    with pytest.raises(WrongState, match="withdrawn"):
        review.submit(release=spring, actor=editor)
    with pytest.raises(WrongState, match="withdrawn"):
        review.reopen(release=spring, actor=editor)


def test_a_team_of_one_may_do_without_approvals(spring: Release, administrator: User) -> None:
    channels.set_required_approvals(channel=spring.channel, count=0, actor=administrator)
    assert review.submit(release=spring, actor=administrator).state == State.APPROVED


def test_a_release_whose_base_is_no_longer_live_names_the_conflicts(
    spring: Release, approved: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    late = make_release(put("css/site.css", "a { color: black }"), put("late.css", "l"))
    publishing.publish(release=approved, actor=manager)
    with pytest.raises(BaseMoved) as refusal:
        review.submit(release=late, actor=editor)
    assert f"serves release {approved.pk} by now" in refusal.value.message
    assert "Changed in both: css/site.css." in refusal.value.message


@pytest.mark.parametrize("step", ["submit", "approve", "reject", "reopen", "withdraw"])
def test_each_step_asks_for_its_permission(spring: Release, editor: User, viewer: User, step: str) -> None:
    review.submit(release=spring, actor=editor)
    extra = {"approve": {"digest": spring.manifest_id or ""}, "reject": {"reason": "no"}}.get(step, {})
    with pytest.raises(Forbidden, match=r"vera may not .* release"):
        getattr(review, step)(release=spring, actor=viewer, **extra)


def test_an_editor_does_not_approve(spring: Release, editor: User, other_editor: User) -> None:
    submitted = review.submit(release=spring, actor=editor)
    with pytest.raises(Forbidden, match="a release manager or an administrator"):
        review.approve(release=submitted, digest=submitted.manifest_id or "", actor=other_editor)


def test_a_draft_is_not_approved(spring: Release, manager: User) -> None:
    with pytest.raises(WrongState, match="draft and cannot be approved"):
        review.approve(release=spring, digest="0" * 64, actor=manager)
