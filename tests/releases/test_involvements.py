"""Who has a part in a release, and stays out of its approval, whatever became of that part."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.caching.models import CacheRule, CacheRuleVersion
from apps.releases.exceptions import SelfApproval
from apps.releases.models import Approval, Involvement, Release
from apps.releases.selectors import approvals_of, authors_of, parts_in, reviews_for, standings_of
from apps.releases.services import drafts, review
from apps.releases.services.redirects import discard_redirect_change, put_redirect, remove_redirect
from tests.releases.conftest import MakeRelease, put

State = Release.State
Touch = Callable[[Release, User, User], object]


def owned_once(release: Release, mona: User, eva: User) -> None:
    drafts.edit_release(release=release, owner=mona, actor=eva)
    drafts.edit_release(release=release, owner=eva, actor=eva)


def changed_what_was_replaced(release: Release, mona: User, eva: User) -> None:
    drafts.apply_changes(release=release, changes=[put("css/site.css", "mona's")], actor=mona)
    drafts.apply_changes(release=release, changes=[put("css/site.css", "eva's")], actor=eva)


def changed_what_was_taken_out(release: Release, mona: User, eva: User) -> None:
    drafts.apply_changes(release=release, changes=[put("more.css", "mona's")], actor=mona)
    drafts.discard_change(change=release.changes.get(asset__path="more.css"), actor=eva)


def took_something_out(release: Release, mona: User, eva: User) -> None:
    drafts.discard_change(change=release.changes.get(asset__path="img/new.svg"), actor=mona)


def put_back_what_the_base_serves(release: Release, mona: User, eva: User) -> None:
    drafts.apply_changes(release=release, changes=[put("css/site.css", "a { color: red }")], actor=mona)


def wrote_the_brief(release: Release, mona: User, eva: User) -> None:
    drafts.edit_release(release=release, expected_result="Everything is better.", actor=mona)


def redirected_what_was_replaced(release: Release, mona: User, eva: User) -> None:
    put_redirect(release=release, source="/old", target="/new", actor=mona)
    put_redirect(release=release, source="/old", target="/newer", actor=eva)


def removed_a_redirect(release: Release, mona: User, eva: User) -> None:
    put_redirect(release=release, source="/old", target="/new", actor=eva)
    remove_redirect(release=release, source="/old", actor=mona)


def took_a_redirect_out(release: Release, mona: User, eva: User) -> None:
    put_redirect(release=release, source="/old", target="/new", actor=eva)
    discard_redirect_change(change=release.redirect_changes.get(), actor=mona)


def submitted_it(release: Release, mona: User, eva: User) -> None:
    review.submit(release=release, actor=mona)
    review.reopen(release=release, actor=eva)


def wrote_a_rule_that_it_brings(release: Release, mona: User, eva: User) -> None:
    release.rules.add(new_version(created_by=mona, owner=eva))


def owns_a_rule_that_it_brings(release: Release, mona: User, eva: User) -> None:
    release.rules.add(new_version(created_by=eva, owner=mona))


def new_version(*, created_by: User, owner: User) -> CacheRuleVersion:
    earlier = CacheRuleVersion.objects.get(rule__slug="everything")
    return CacheRuleVersion.objects.create(
        rule=earlier.rule, number=2, name=earlier.name, owner=owner, order=earlier.order,
        match=earlier.match, policy=earlier.policy, examples=[], created_by=created_by,
        expected_result="Fresher.", rollback_note="None.",
    )  # fmt: skip


def past_the_services(release: Release, mona: User, eva: User) -> None:
    release.changes.filter(asset__path="img/new.svg").update(author=mona)
    release.changes.filter(asset__path="img/new.svg").update(author=eva)


def owned_past_the_services(release: Release, mona: User, eva: User) -> None:
    Release.objects.filter(pk=release.pk).update(owner=mona)
    Release.objects.filter(pk=release.pk).update(owner=eva)


def began_past_the_services(release: Release, mona: User, eva: User) -> None:
    Release.objects.filter(pk=release.pk).update(created_by=mona)
    Release.objects.filter(pk=release.pk).update(created_by=eva)


def redirected_past_the_services(release: Release, mona: User, eva: User) -> None:
    put_redirect(release=release, source="/old", target="/new", actor=eva)
    release.redirect_changes.update(author=mona)
    release.redirect_changes.all()._raw_delete("default")


TOUCHES: dict[Touch, str] = {
    owned_once: "has owned it",
    changed_what_was_replaced: "has changed what it holds",
    changed_what_was_taken_out: "has changed what it holds",
    took_something_out: "has changed what it holds",
    put_back_what_the_base_serves: "has changed what it holds",
    wrote_the_brief: "has written its brief",
    redirected_what_was_replaced: "has changed what it holds",
    removed_a_redirect: "has changed what it holds",
    took_a_redirect_out: "has changed what it holds",
    submitted_it: "has submitted it",
    wrote_a_rule_that_it_brings: "wrote a cache rule that it brings",
    owns_a_rule_that_it_brings: "wrote a cache rule that it brings",
    past_the_services: "has changed what it holds",
    owned_past_the_services: "has owned it",
    began_past_the_services: "began it",
    redirected_past_the_services: "has changed what it holds",
}


@pytest.mark.parametrize("touch", TOUCHES, ids=lambda touch: touch.__name__)
def test_who_ever_touched_it_never_approves_it(
    spring: Release, editor: User, other_manager: User, manager: User, touch: Touch
) -> None:
    touch(spring, other_manager, editor)
    submitted = review.submit(release=Release.objects.get(pk=spring.pk), actor=editor)
    digest = submitted.manifest_id or ""

    with pytest.raises(SelfApproval, match=TOUCHES[touch]):
        review.approve(release=submitted, digest=digest, actor=other_manager)
    with pytest.raises(IntegrityError, match="self_approval"), transaction.atomic():
        Approval.objects.create(release=submitted, manifest_id=digest, approver=other_manager)
    assert submitted not in reviews_for(other_manager)

    assert submitted in reviews_for(manager)
    review.approve(release=submitted, digest=digest, actor=manager)
    spring.refresh_from_db()
    assert spring.state == State.APPROVED


def test_who_wrote_the_rules_that_the_base_has_already_may_approve(
    spring: Release, administrator: User, editor: User
) -> None:
    submitted = review.submit(release=spring, actor=editor)
    assert set(submitted.rules.values_list("created_by", flat=True)) == {administrator.pk}
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=administrator)


def test_an_approval_by_who_touches_it_later_is_void(
    approved: Release, editor: User, manager: User, other_manager: User
) -> None:
    """In a shell, too: the same content again is not approved by what counted before."""
    review.reopen(release=approved, actor=editor)
    drafts.edit_release(release=approved, rollback_note="Tell everyone.", actor=manager)
    submitted = review.submit(release=approved, actor=editor)
    assert (approvals_of(submitted), submitted.state) == (0, State.IN_REVIEW)
    [standing] = standings_of(submitted)
    assert standing.void_since == "who gave it has a part in the release by now"
    with pytest.raises(IntegrityError, match="approvals_missing"), transaction.atomic():
        Release.objects.filter(pk=submitted.pk).update(state=State.APPROVED)


def test_an_approval_of_an_earlier_digest_says_that_it_is_void(
    approved: Release, editor: User, manager: User
) -> None:
    seen = (approved.manifest_id or "")[:12]
    review.reopen(release=approved, actor=editor)
    drafts.apply_changes(release=approved, changes=[put("more.css", "m")], actor=editor)
    [standing] = standings_of(review.submit(release=approved, actor=editor))
    assert standing.void_since == f"it was of {seen}, not of what the release holds now"


def test_what_people_did_is_said_once_each(spring: Release, editor: User, manager: User) -> None:
    for text in ("One.", "Two."):
        drafts.edit_release(release=spring, rollback_note=text, actor=editor)
    review.submit(release=spring, actor=manager)
    assert parts_in(spring) == {
        editor.pk: ["began it", "owns it", "has written its brief", "has changed what it holds"],
        manager.pk: ["has submitted it"],
    }


def test_involvements_are_never_taken_back(spring: Release, editor: User) -> None:
    drafts.edit_release(release=spring, rollback_note="None.", actor=editor)
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        Involvement.objects.all()._raw_delete("default")
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        Involvement.objects.update(kind=Involvement.Kind.BEGAN)


def test_a_release_without_an_owner_has_authors(
    live: Release, make_release: MakeRelease, editor: User
) -> None:
    assert authors_of(make_release(put("a", "a"), owner=None)) == {editor.pk}


def test_a_rule_of_the_first_release_is_one_that_it_brings(live: Release, administrator: User) -> None:
    assert CacheRule.objects.exists()
    assert administrator.pk in authors_of(live)
