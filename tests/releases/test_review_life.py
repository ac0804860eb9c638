"""The life of a release under any order of steps by anybody: hypothesis looks for a promise that breaks."""

from collections.abc import Callable

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from apps.accounts.models import User
from apps.refusals import Refusal
from apps.releases.models import Channel, Comment, Release
from apps.releases.selectors import approvals_of, authors_of, request_for_changes, standings_of
from apps.releases.services import conversation, drafts, publishing, review
from apps.releases.transitions import TRANSITIONS
from tests.releases.conftest import BRIEF, put

State = Release.State
WHO = st.sampled_from(["eva", "ben", "mona", "ann"])
CONTENT = st.sampled_from(["red", "blue"])
BEFORE_IT_IS_LIVE = {State.APPROVED, State.PUBLISHED, State.SUPERSEDED}


class Life(RuleBasedStateMachine):
    """One release of eva's on a channel that asks for two approvals, and what was promised of it."""

    def __init__(self, channel: Channel, people: dict[str, User]) -> None:
        super().__init__()
        self.sandbox = transaction.atomic()
        self.sandbox.__enter__()
        self.people = people
        self.release = drafts.create_release(
            title="Spring",
            channel=channel,
            changes=[put("a.css", "red")],
            actor=people["eva"],
            expected_result=BRIEF["expected_result"],
            rollback_note=BRIEF["rollback_note"],
        )
        self.state, self.touched, self.said, self.asked = State.DRAFT, {"eva"}, 0, False
        self.has_moved = True

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.sandbox.__exit__(None, None, None)

    def now(self) -> Release:
        return Release.objects.get(pk=self.release.pk)

    def attempt(self, step: Callable[[], object]) -> bool:
        """Take a step; where it is refused all of it is taken back, and nothing has to be looked at anew."""
        try:
            with transaction.atomic():
                step()
        except Refusal:
            self.has_moved = False
        else:
            self.has_moved = True
        return self.has_moved

    @rule(who=WHO, content=CONTENT)
    def change(self, who: str, content: str) -> None:
        changes, actor = [put("a.css", content)], self.people[who]
        if self.attempt(lambda: drafts.apply_changes(release=self.now(), changes=changes, actor=actor)):
            assert self.state is State.DRAFT
            self.touched.add(who)

    @rule(who=WHO)
    def own(self, who: str) -> None:
        actor = self.people["eva"]
        if self.attempt(lambda: drafts.edit_release(release=self.now(), owner=self.people[who], actor=actor)):
            self.touched.add(who)

    @rule(who=WHO)
    def submit(self, who: str) -> None:
        if self.attempt(lambda: review.submit(release=self.now(), actor=self.people[who])):
            assert self.state is State.DRAFT
            self.touched.add(who)
            self.asked = False

    @rule(who=WHO)
    def approve(self, who: str) -> None:
        release = self.now()
        digest, actor = release.manifest_id or "", self.people[who]
        if self.attempt(lambda: review.approve(release=release, digest=digest, actor=actor)):
            assert self.state is State.IN_REVIEW
            assert who not in self.touched

    @rule(who=WHO)
    def request_changes(self, who: str) -> None:
        actor = self.people[who]
        if self.attempt(lambda: review.request_changes(release=self.now(), reason="Darker.", actor=actor)):
            assert self.state in (State.IN_REVIEW, State.APPROVED)
            self.said += 1
            self.asked = True

    @rule(who=WHO)
    def reject(self, who: str) -> None:
        if self.attempt(lambda: review.reject(release=self.now(), reason="No.", actor=self.people[who])):
            self.said += 1

    @rule(who=WHO, step=st.sampled_from(["reopen", "reopen", "withdraw"]))
    def step_back(self, who: str, step: str) -> None:
        if self.attempt(lambda: getattr(review, step)(release=self.now(), actor=self.people[who])):
            self.asked = False

    @rule(who=WHO)
    def publish(self, who: str) -> None:
        if self.attempt(lambda: publishing.publish(release=self.now(), actor=self.people[who])):
            assert self.state is State.APPROVED

    @rule(who=WHO)
    def comment(self, who: str) -> None:
        actor = self.people[who]
        assert self.attempt(lambda: conversation.comment(release=self.now(), text="Hm.", actor=actor))
        self.said += 1

    @invariant()
    def every_promise_is_kept(self) -> None:
        if self.has_moved:
            release = self.now()
            self.it_moved_along_its_life(release)
            self.nobody_who_touched_it_counts(release)
            assert bool(request_for_changes(release)) == self.asked, "it stands until it is submitted"
            assert Comment.objects.filter(release=release).count() == self.said, "what was said stays"

    def it_moved_along_its_life(self, release: Release) -> None:
        now = State(release.state)
        # Submitting what was approved before goes on to approved at once, where the content is the same.
        at_once = (self.state, now) == (State.DRAFT, State.APPROVED)
        assert now is self.state or at_once or (self.state, now) in TRANSITIONS
        self.state = now

    def nobody_who_touched_it_counts(self, release: Release) -> None:
        ids = {self.people[name].pk for name in self.touched}
        assert authors_of(release) == ids
        for standing in standings_of(release):
            assert standing.holds == (
                standing.approval.manifest_id == release.manifest_id
                and standing.approval.approver_id not in ids
            )
        if release.state in BEFORE_IT_IS_LIVE:
            assert approvals_of(release) >= 2


@pytest.mark.usefixtures("live")
def test_no_order_of_steps_breaks_a_promise(
    production: Channel, editor: User, manager: User, other_manager: User, administrator: User
) -> None:
    Channel.objects.filter(pk=production.pk).update(required_approvals=2)
    people = {user.username: user for user in (editor, manager, other_manager, administrator)}

    class Here(Life):
        def __init__(self) -> None:
            super().__init__(Channel.objects.get(pk=production.pk), people)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
