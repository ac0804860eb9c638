"""What the pages say about each step is what the services then do."""

import pytest

from apps.accounts.models import User
from apps.releases.actions import Action, actions_for, main_action
from apps.releases.headlines import headline
from apps.releases.models import Channel, Release
from apps.releases.seen import Seen
from apps.releases.services import channels, publishing, review
from tests.releases.conftest import MakeRelease, put


def allowed(release: Release, user: User) -> set[str]:
    release.refresh_from_db()
    return {action.name for action in actions_for(Seen(release), user).values() if action.is_allowed}


def words(release: Release, user: User) -> str:
    release.refresh_from_db()
    return headline(Seen(release), actions_for(Seen(release), user), user).text


def main(release: Release, user: User) -> Action:
    release.refresh_from_db()
    found = main_action(actions_for(Seen(release), user))
    assert found is not None
    return found


def test_in_a_draft_an_editor_edits_submits_and_withdraws(spring: Release, editor: User) -> None:
    assert allowed(spring, editor) == {"edit", "submit", "withdraw"}
    assert words(spring, editor) == "Draft: the brief is complete; you may submit it for review."


def test_a_viewer_may_do_nothing_and_reads_who_may(spring: Release, viewer: User) -> None:
    assert allowed(spring, viewer) == set()
    assert "an editor, a release manager or an administrator may submit it" in words(spring, viewer)
    assert f"vera may not submit release {spring.pk}" in main(spring, viewer).why_not


def test_a_draft_says_what_is_missing(live: Release, make_release: MakeRelease, editor: User) -> None:
    draft = make_release(put("a.txt", "a"), expected_result="")

    assert words(draft, editor) == "Draft: expected result is missing."
    assert main(draft, editor).why_not == "Missing: expected result. Complete the brief."
    assert "submit" not in allowed(draft, editor)


def test_a_draft_says_that_its_channel_moved_on(
    spring: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    other = review.submit(release=make_release(put("css/site.css", "b {}")), actor=editor)
    review.approve(release=other, digest=other.manifest_id or "", actor=manager)
    publishing.publish(release=other, actor=manager)

    assert "Changed in both: css/site.css" in words(spring, editor)
    assert "submit" not in allowed(spring, editor)


def test_who_has_no_part_in_it_may_approve_or_reject(spring: Release, editor: User, manager: User) -> None:
    review.submit(release=spring, actor=editor)

    assert allowed(spring, manager) == {
        "approve",
        "request_changes",
        "reject",
        "reopen",
        "withdraw",
    }
    assert words(spring, manager) == "Waiting for one approval; you may give it."
    assert words(spring, editor) == (
        "Waiting for one approval; a release manager or an administrator may give it."
    )


def test_nobody_approves_their_own_work(make_release: MakeRelease, live: Release, manager: User) -> None:
    mine = review.submit(release=make_release(put("a", "a"), actor=manager), actor=manager)

    assert "approve" not in allowed(mine, manager)
    assert f"ben cannot approve release {mine.pk}: ben began it, owns it" in words(mine, manager)


def test_of_two_approvals_one_person_gives_one(
    spring: Release, production: Channel, editor: User, manager: User, administrator: User
) -> None:
    channels.set_required_approvals(channel=production, count=2, actor=administrator)
    submitted = review.submit(release=spring, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    release = Release.objects.get(pk=spring.pk)

    assert "approve" not in allowed(release, manager)
    assert words(release, manager) == (
        "Waiting for two approvals, one given. You have approved it already. Somebody else has to, too."
    )
    assert words(release, administrator) == "Waiting for two approvals, one given; you may give one."


def test_an_approved_release_is_published_by_who_may(approved: Release, editor: User, manager: User) -> None:
    assert allowed(approved, manager) == {"publish", "request_changes", "reopen", "withdraw"}
    assert main(approved, manager).label == "Publish to production"
    assert words(approved, manager) == "Approved by ben; you may publish it to production."
    assert "publish" not in allowed(approved, editor)


def test_a_live_release_can_only_be_reverted_and_says_since_when(live: Release, administrator: User) -> None:
    actions = actions_for(Seen(live), administrator)

    assert allowed(live, administrator) == {"revert"}
    assert main_action(actions) is None
    found = headline(Seen(live), actions, administrator)
    assert found.text == "Live on production since"
    assert found.since is not None


def test_a_release_that_was_replaced_names_what_replaced_it(approved: Release, manager: User) -> None:
    publishing.publish(release=approved, actor=manager)
    first = Release.objects.get(pk=approved.base_id or 0)

    assert words(first, manager) == f"Was live on production until release {approved.pk} took its place,"


def test_a_release_that_was_rolled_back_says_who_and_why(
    approved: Release, production: Channel, manager: User
) -> None:
    publishing.publish(release=approved, actor=manager)
    publishing.roll_back(channel=production, reason="Checkout is broken.", actor=manager)

    assert words(approved, manager) == "ben rolled it back: “Checkout is broken”."


def test_a_rejected_release_says_why_and_who_takes_it_back(
    spring: Release, editor: User, manager: User, viewer: User
) -> None:
    review.submit(release=spring, actor=editor)
    review.reject(release=spring, reason="Too blue.", actor=manager)

    assert words(spring, editor) == "Rejected by ben: “Too blue”; you may take it back to draft."
    assert words(spring, viewer).endswith("may take it back to draft.")
    assert allowed(spring, editor) == {"reopen"}


def test_a_withdrawn_release_is_at_its_end(spring: Release, editor: User, administrator: User) -> None:
    review.withdraw(release=spring, actor=editor)

    assert allowed(spring, administrator) == set()
    assert words(spring, editor) == "Withdrawn: it will not go live."


@pytest.mark.parametrize("name", ["approve", "reject", "publish", "reopen"])
def test_a_step_that_comes_later_says_what_comes_first(
    spring: Release, administrator: User, name: str
) -> None:
    action = actions_for(Seen(spring), administrator)[name]

    assert not action.is_next
    assert "is draft and cannot be" in action.why_not
    assert "Submit it for review first." in action.why_not
