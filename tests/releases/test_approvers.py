"""A channel that names a group of approvers: who may approve then, and whose approval counts."""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from apps.accounts.group_services import add_to_group, remove_from_group
from apps.accounts.models import User
from apps.releases.actions import actions_for
from apps.releases.exceptions import NotAnApprover
from apps.releases.models import Approval, Release
from apps.releases.seen import Seen
from apps.releases.selectors import approvals_of, reviews_for, standings_of
from apps.releases.services import channels, review

State = Release.State


@pytest.fixture
def asked(spring: Release, manager: User, editor: User, administrator: User) -> Release:
    """Release 2, in review on a channel whose approvers are ben alone."""
    add_to_group(user=manager, group="legal", actor=administrator)
    channels.set_options(channel=spring.channel, actor=administrator, approver_group="legal")
    review.submit(release=spring, actor=editor)
    return Release.objects.select_related("channel").get(pk=spring.pk)


def test_only_members_of_the_group_approve(asked: Release, manager: User, other_manager: User) -> None:
    digest = asked.manifest_id or ""
    with pytest.raises(NotAnApprover, match="mona is not in the group legal") as refusal:
        review.approve(release=asked, digest=digest, actor=other_manager)
    assert refusal.value.next_step == "Ask one of its members: ben."
    assert "not in the group legal" in actions_for(Seen(asked), other_manager)["approve"].why_not
    with pytest.raises(IntegrityError, match="not_an_approver"), transaction.atomic():
        Approval.objects.create(release=asked, manifest_id=digest, approver=other_manager)
    assert (asked in reviews_for(manager), asked in reviews_for(other_manager)) == (True, False)

    review.approve(release=asked, digest=digest, actor=manager)
    asked.refresh_from_db()
    assert asked.state == State.APPROVED


def test_an_approval_by_who_left_the_group_is_void(
    asked: Release, manager: User, editor: User, administrator: User
) -> None:
    review.approve(release=asked, digest=asked.manifest_id or "", actor=manager)
    review.reopen(release=asked, actor=editor)
    remove_from_group(user=manager, group="legal", actor=administrator)
    submitted = review.submit(release=asked, actor=editor)
    assert (submitted.state, approvals_of(submitted)) == (State.IN_REVIEW, 0)
    assert standings_of(submitted)[0].void_since == "who gave it is not in the group that approves"
    with pytest.raises(IntegrityError, match="approvals_missing"), transaction.atomic():
        Release.objects.filter(pk=asked.pk).update(state=State.APPROVED)


def test_a_group_without_members_says_who_can_mend_that(asked: Release, other_manager: User) -> None:
    Group.objects.get(name="legal").user_set.clear()
    with pytest.raises(NotAnApprover, match="in the group legal") as refusal:
        review.approve(release=asked, digest=asked.manifest_id or "", actor=other_manager)
    assert refusal.value.next_step.endswith("it has none yet; an administrator adds them.")
