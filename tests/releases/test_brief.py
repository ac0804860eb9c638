"""The brief in one place, and what is asked of it before a review."""

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.models import User
from apps.releases.exceptions import BriefIncomplete
from apps.releases.models import Channel, Release
from apps.releases.review.brief import BASELINE, brief_of
from apps.releases.review.checklist import Mark, checklist_of
from apps.releases.services import channels, drafts, publishing, review
from tests.releases.conftest import MakeRelease, put
from tests.releases.test_admin_releases import page
from tests.releases.test_commands import Capture, run
from tests.staff import staff_client

NOW = {
    "route": "/checkout",
    "expected_input": "A basket with one thing in it.",
    "failing_command": "curl -s /checkout | wc -c",
    "noticed_at": "The button moves when the page is there.",
}


@pytest.fixture
def strict(live: Release, administrator: User) -> Channel:
    """production, which asks what the system does now."""
    return channels.set_options(channel=live.channel, actor=administrator, requires_baseline=True)


@pytest.fixture
def bare(strict: Channel, make_release: MakeRelease) -> Release:
    release = make_release(put("a.css", "a"))
    release.refresh_from_db()
    return Release.objects.select_related("channel").get(pk=release.pk)


def test_a_channel_that_asks_for_the_baseline_gets_it_before_a_review(bare: Release, editor: User) -> None:
    assert brief_of(bare).missing == list(BASELINE)
    with pytest.raises(BriefIncomplete) as refusal:
        review.submit(release=bare, actor=editor)
    assert "route and expected input and slow query or failing command" in refusal.value.message
    assert "--failing-command …" in refusal.value.next_step
    drafts.edit_release(release=bare, actor=editor, **NOW)
    assert review.submit(release=bare, actor=editor).state == Release.State.IN_REVIEW


@pytest.mark.parametrize("name", BASELINE)
def test_the_database_asks_for_the_baseline_too(bare: Release, editor: User, name: str) -> None:
    drafts.edit_release(release=bare, actor=editor, **NOW)
    review.submit(release=bare, actor=editor)
    manifest = bare.channel.releases.get(pk=bare.pk).manifest
    review.reopen(release=bare, actor=editor)
    drafts.edit_release(release=bare, actor=editor, **{name: ""})
    with pytest.raises(IntegrityError, match="brief_incomplete"), transaction.atomic():
        Release.objects.filter(pk=bare.pk).update(state="in_review", manifest=manifest)


def test_elsewhere_an_absent_baseline_is_a_remark(spring: Release, editor: User) -> None:
    assert [item.name for item in brief_of(spring).baseline_gaps] == list(BASELINE)
    shown = staff_client(editor).get(page(spring))
    assertContains(shown, "The brief does not say what the system does now.")
    assert review.submit(release=spring, actor=editor).state == Release.State.IN_REVIEW


def test_the_brief_stands_at_the_top_in_the_review_and_where_it_goes_live(
    spring: Release, editor: User, manager: User
) -> None:
    drafts.edit_release(release=spring, actor=editor, **NOW)
    submitted = review.submit(release=spring, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    for part in ("change", "publish"):
        shown = staff_client(manager).get(page(spring, part))
        for words in ("The hero is lighter.", "Tell #shop.", *NOW.values()):
            assertContains(shown, words)
    publishing.publish(release=spring, actor=manager)
    history = staff_client(manager).get(f"/admin/releases/channel/{spring.channel_id}/change/")
    assertContains(history, "The hero is lighter.")


def test_the_brief_by_command(spring: Release, editor: User, capsys: Capture) -> None:
    drafts.edit_release(release=spring, actor=editor, **NOW)
    report = run(capsys, "release", "show", spring.pk)
    assert {name: report[name] for name in NOW} == NOW
    assert (report["owner"], report["missing"]) == ("eva", [])
    call_command("release", "show", str(spring.pk))
    shown = capsys.readouterr().out
    for line in ("  Owner: eva", "  Route: /checkout", "  Where a user notices it: The button moves"):
        assert line in shown


def test_what_is_not_stated_is_not_shown_where_nobody_asks(spring: Release, editor: User) -> None:
    assertNotContains(staff_client(editor).get(page(spring)), "<dt>Route</dt>")


def test_the_checklist_tells_done_remarked_and_missing_apart(
    bare: Release, spring: Release, editor: User
) -> None:
    def marks(release: Release, *, open_comments: int = 0, approvals: int = 0, needed: int = 1) -> list[Mark]:
        checks = checklist_of(
            brief_of(Release.objects.get(pk=release.pk)),
            open_comments=open_comments,
            approvals=approvals,
            needed=needed,
        )
        return [check.mark for check in checks]

    done, remark, missing = Mark.DONE, Mark.REMARK, Mark.MISSING
    assert marks(bare) == [missing, missing, done, missing]
    drafts.edit_release(release=bare, actor=editor, **NOW)
    assert marks(bare, open_comments=2, approvals=1) == [done, done, remark, done]
    channels.set_options(
        channel=bare.channel, actor=User.objects.get(username="ann"), requires_baseline=False
    )
    drafts.edit_release(release=bare, actor=editor, route="")
    assert marks(bare, open_comments=1, needed=0) == [done, remark, remark, done]
    assert marks(spring) == [done, remark, done, missing]
