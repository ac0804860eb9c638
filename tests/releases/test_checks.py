"""Release checks: tried on what would be served, kept by its digest, and passed only with a reason."""

import json
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.audit.models import AuditEntry
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination, RuleState
from apps.caching.serialisation import as_json
from apps.caching.services import add_rule, choose_combination, set_state
from apps.releases.actions import actions_for
from apps.releases.checks import Candidate, Finding, Found, ReleaseCheck, registry, release_check
from apps.releases.checks import rule_examples as examples_check
from apps.releases.exceptions import (
    ChecksFailed,
    NotAnApprover,
    NothingToOverride,
    ReasonMissing,
    SelfApproval,
    StaleDigest,
    UnknownCheck,
    WrongState,
)
from apps.releases.headlines import headline
from apps.releases.models import Channel, CheckOverride, CheckResult, Involvement, Publication, Release
from apps.releases.release_report import as_json as report_as_json
from apps.releases.release_report import as_markdown, report_of
from apps.releases.release_report.documents import written
from apps.releases.review.brief import brief_of
from apps.releases.review.checklist import Mark, checklist_of
from apps.releases.seen import Seen
from apps.releases.selectors.checks import check_standings, failed_checks
from apps.releases.services import channels, drafts, emergencies, publishing, review
from apps.releases.services.checking import run_checks
from apps.releases.services.involvements import note_involvement
from apps.releases.services.overriding import check_again, override_check
from tests.conftest import MakeUser
from tests.releases.conftest import MakeRelease, put
from tests.releases.test_admin_releases import page, take
from tests.releases.test_commands import refused, run
from tests.releases.test_guards import assert_refused
from tests.staff import staff_client
from tests.tampering import without_guard, without_guards

State = Release.State
NAME = examples_check.NAME
LOGO = "img/logo.svg"
Capture = pytest.CaptureFixture[str]


def rule_for_small_pictures(**changes: Any) -> dict[str, Any]:
    """Return a rule whose example takes the logo to be small."""
    usual = as_json(DEFAULT_RULES["everything"])
    usual["match"] |= {"extensions": ["svg"], "max_size_bytes": 100}
    usual["policy"] |= {"browser_ttl_seconds": 3600}
    usual["examples"] = [
        {"url": f"/{LOGO}", "rule": "small", "is_cached": True, "size_bytes": 50, "browser_ttl_seconds": 3600}
    ]
    return usual | {"name": "Small pictures", "order": 500} | changes


@pytest.fixture
def small(live: Release, other_manager: User) -> CacheRuleVersion:
    """A rule of mona's, whose example holds as long as the logo is small."""
    return add_rule(slug="small", content=rule_for_small_pictures(), actor=other_manager)


@pytest.fixture
def failing(small: CacheRuleVersion, make_release: MakeRelease, editor: User) -> Release:
    """Release 2, in review: its logo is larger than an example of its rules takes it to be."""
    return review.submit(release=make_release(put(LOGO, "<svg>" + " " * 200)), actor=editor)


def ask_for(number: int, channel: Channel) -> None:
    with without_guards("releases_channel"):
        Channel.objects.filter(pk=channel.pk).update(required_approvals=number)


def approve(release: Release, actor: User) -> None:
    review.approve(release=release, digest=release.manifest_id or "", actor=actor)


def override(release: Release, actor: User, **fields: Any) -> CheckOverride:
    given: dict[str, Any] = {"name": NAME, "reason": "The logo is new; the rule follows.", **fields}
    return override_check(release=release, actor=actor, **given)


def test_the_examples_of_a_release_are_executed_when_it_is_submitted(
    spring: Release, editor: User, manager: User
) -> None:
    release = review.submit(release=spring, actor=editor)
    [standing] = check_standings(release)
    count = sum(len(rule.examples) for rule in DEFAULT_RULES.values())
    assert (standing.is_good, standing.result.words) == (True, f"{count} examples executed, and each holds")
    assert standing.result.manifest_id == release.manifest_id
    assert AuditEntry.objects.get(action="release.submit", target="release 2").details["checks"] == {
        NAME: "passed"
    }
    approve(release, manager)
    assert CheckResult.objects.filter(release=release).count() == 1


def test_what_a_file_of_the_manifest_is_decides_and_not_what_the_example_takes_it_to_be(
    failing: Release, small: CacheRuleVersion
) -> None:
    [standing] = failed_checks(failing)
    assert standing.result.findings == [
        {
            "subject": f"small, example 1: /{LOGO}",
            "expected": "cached 1 h in browsers, by small",
            "seen": "cached 5 min, by everything",
            "rule": "small",
            "address": f"/{LOGO}",
        }
    ]
    assert standing.result.words == "1 of 16 examples does not hold"


def test_a_release_whose_checks_fail_is_neither_approved_nor_published(
    failing: Release, manager: User, editor: User
) -> None:
    assert failing.state == State.IN_REVIEW
    with pytest.raises(ChecksFailed, match="cannot be approved: Examples of cache rules: 1 of 16") as refusal:
        approve(failing, manager)
    assert f"release check 2 --override {NAME} --reason" in refusal.value.next_step
    actions = actions_for(Seen(failing), manager)
    assert "cannot be approved: Examples" in actions["approve"].why_not
    said = headline(Seen(failing), actions, manager).text
    assert said.startswith("Cannot be approved. Examples of cache rules: 1 of 16 examples does not hold;")
    assert headline(Seen(failing), actions, editor).text.endswith("does not hold.")
    with without_guard("release_approved_by_enough", "releases_release"):
        assert_refused("checks_failed", lambda: set_to_approved(failing))


def set_to_approved(release: Release) -> None:
    Release.objects.filter(pk=release.pk).update(state=State.APPROVED)


def test_an_override_lets_it_go_on_and_is_written_down(failing: Release, manager: User) -> None:
    made = override(failing, manager, digest=failing.manifest_id)
    assert not failed_checks(failing)
    approve(failing, manager)
    failing.refresh_from_db()
    assert publishing.publish(release=failing, actor=manager).release == failing
    [standing] = check_standings(failing)
    assert (standing.override, standing.is_good) == (made, False)
    entry = AuditEntry.objects.get(action="release.override_check")
    assert entry.actor == manager
    assert entry.summary.endswith("1 of 16 examples does not hold): The logo is new; the rule follows.")
    with pytest.raises(WrongState):
        override(failing, manager)


def test_the_page_that_publishes_says_who_let_a_check_pass(failing: Release, manager: User) -> None:
    assertContains(staff_client(manager).get(page(failing, "publish")), "✕</span> failed")
    override(failing, manager)
    approve(failing, manager)
    shown = staff_client(manager).get(page(failing, "publish"))
    assertContains(shown, "overridden by ben: “The logo is new; the rule follows.”")


def test_an_override_holds_for_one_digest(failing: Release, manager: User, editor: User) -> None:
    override(failing, manager)
    review.reopen(release=failing, actor=editor)
    failing.refresh_from_db()
    drafts.apply_changes(release=failing, changes=[put("more.txt", "1")], actor=editor)
    changed = review.submit(release=failing, actor=editor)
    [standing] = failed_checks(changed)
    assert standing.override is None
    with pytest.raises(StaleDigest):
        override(changed, manager, digest="0" * 64)
    with pytest.raises(ChecksFailed):
        approve(changed, manager)


def test_only_somebody_who_may_approve_it_overrides_a_check(
    failing: Release, editor: User, manager: User, other_manager: User, make_user: MakeUser
) -> None:
    with pytest.raises(Forbidden):
        override(failing, editor)
    with pytest.raises(SelfApproval, match="wrote a cache rule that it brings"):
        override(failing, other_manager)
    with pytest.raises(ReasonMissing):
        override(failing, manager, reason=" \n")
    with pytest.raises(UnknownCheck, match="'other'") as unknown:
        override(failing, manager, name="other")
    assert NAME in unknown.value.next_step
    lawyer = make_user("lara", Role.MANAGER)
    channels.set_options(
        channel=failing.channel, actor=User.objects.get(username="ann"), approver_group=group_of(lawyer).name
    )
    with pytest.raises(NotAnApprover):
        override(failing, manager)
    assert override(failing, lawyer).by == lawyer
    with pytest.raises(NothingToOverride, match="overridden already, by lara"):
        override(failing, lawyer)


def group_of(*people: User) -> Group:
    group = Group.objects.create(name="legal")
    group.user_set.add(*people)
    return group


def test_what_has_passed_is_not_overridden(spring: Release, editor: User, manager: User) -> None:
    release = review.submit(release=spring, actor=editor)
    with pytest.raises(NothingToOverride, match="has passed"):
        override(release, manager)


def test_where_no_approval_is_asked_for_a_failing_check_waits_for_somebody_else(
    live: Release, small: CacheRuleVersion, make_release: MakeRelease, manager: User, editor: User
) -> None:
    ask_for(0, live.channel)
    mine = review.submit(release=make_release(put(LOGO, " " * 200), actor=manager), actor=manager)
    assert mine.state == State.IN_REVIEW
    with pytest.raises(WrongState):
        publishing.publish(release=mine, actor=manager)
    assert_refused("checks_failed", lambda: set_to_approved(mine))
    with pytest.raises(SelfApproval):
        override(mine, manager)
    override(mine, User.objects.get(username="ann"))
    mine.refresh_from_db()
    assert mine.state == State.APPROVED


def test_an_override_of_somebody_who_has_a_part_in_it_by_now_is_void(failing: Release, manager: User) -> None:
    override(failing, manager)
    with without_guard("involvement_of_drafts", "releases_involvement"):
        note_involvement(failing, manager, Involvement.Kind.BRIEFED)
    [standing] = failed_checks(failing)
    assert [each.by for each in standing.void] == [manager]
    with without_guard("release_approved_by_enough", "releases_release"):
        assert_refused("checks_failed", lambda: set_to_approved(failing))


def test_the_database_keeps_results_and_overrides(
    failing: Release, live: Release, editor: User, manager: User, other_manager: User, make_user: MakeUser
) -> None:
    [standing] = failed_checks(failing)
    failed = standing.result
    now = timezone.now()
    make = partial(CheckOverride.objects.create, reason="x", at=now)
    result = partial(CheckResult.objects.create, name="n", words="w", at=now, release=failing)
    assert failing.manifest
    assert_refused("self_approval|forbidden", lambda: make(result=failed, by=editor))
    assert_refused("self_approval", lambda: make(result=failed, by=other_manager))
    assert_refused("forbidden", lambda: make(result=failed, by=make_user("vic", Role.VIEWER)))
    assert_refused("check_override_has_a_reason", lambda: make(result=failed, by=manager, reason=""))
    assert_refused("stale_digest", lambda: result(manifest=live.manifest, outcome="passed"))
    assert_refused(
        "check_fails", lambda: result(manifest=failing.manifest, outcome="passed", finding_count=1)
    )
    passed = result(manifest=failing.manifest, outcome="passed")
    assert_refused("nothing_to_override", lambda: make(result=passed, by=manager))
    made = make(result=failed, by=manager)
    assert_refused("append_only", made.delete)
    assert_refused("append_only", lambda: CheckResult.objects.update(outcome="passed", finding_count=0))
    Channel.objects.filter(pk=failing.channel_id).update(approver_group=group_of())
    assert_refused("not_an_approver", lambda: make(result=failed, by=User.objects.get(username="ann")))
    assert failed_checks(Release.objects.get(pk=failing.pk))


def test_a_check_that_fails_after_the_approval_keeps_it_from_going_live(
    approved: Release, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, lambda candidate: Found("Bad", (Finding("All", "good", "bad"),)))
    [standing, _] = check_again(release=approved, actor=manager)
    assert standing.stands_in_the_way
    assert AuditEntry.objects.filter(action="release.check").count() == 1
    with pytest.raises(ChecksFailed, match="cannot be published: house: Bad") as refusal:
        publishing.publish(release=approved, actor=manager)
    assert "house" in str(refusal.value)
    assert approved.manifest
    values = {
        "channel": approved.channel, "release": approved, "manifest": approved.manifest, "sequence": 2,
        "kind": "publish", "actor": manager, "tag": "t", "published_at": timezone.now(),
    }  # fmt: skip
    assert_refused("checks_failed", lambda: Publication.objects.create(**values))
    register(monkeypatch, lambda candidate: Found("Good"))
    check_again(release=approved, actor=manager)
    assert publishing.publish(release=approved, actor=manager).sequence == 2


def register(monkeypatch: pytest.MonkeyPatch, run_it: Any) -> None:
    monkeypatch.setitem(registry._CHECKS, "house", ReleaseCheck("house", "house", run_it))


def test_a_check_that_fails_by_itself_says_so_and_leaves_the_submission_whole(
    spring: Release, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(candidate: Candidate) -> Found:
        CheckResult.objects.create(release=candidate.release)
        return Found("never")

    register(monkeypatch, broken)
    release = review.submit(release=spring, actor=editor)
    [standing] = failed_checks(release)
    assert standing.result.words == "It could not be tried"
    assert standing.result.findings[0]["seen"].startswith("IntegrityError")


def test_a_check_is_registered_once() -> None:
    with pytest.raises(ValueError, match="already"):
        release_check(NAME, title="Again")(lambda candidate: Found(""))


def test_what_comes_out_as_before_is_not_written_again_and_goes_on_being_overridden(
    failing: Release, manager: User, editor: User, viewer: User
) -> None:
    override(failing, manager)
    assert run_checks(failing) == []
    with pytest.raises(Forbidden, match=f"check release {failing.pk}"):
        check_again(release=failing, actor=viewer)
    assert not any(each.stands_in_the_way for each in check_again(release=failing, actor=editor))
    with pytest.raises(WrongState):
        check_again(release=review.reopen(release=failing, actor=editor), actor=editor)


def test_what_was_submitted_before_there_were_checks_is_checked_when_it_is_approved(
    failing: Release, manager: User
) -> None:
    with without_guards("releases_checkresult"):
        CheckResult.objects.all().delete()
    with pytest.raises(UnknownCheck) as unknown:
        override(failing, manager)
    assert f"`scripts/manage release check {failing.pk}` tries the checks first" in unknown.value.next_step
    with pytest.raises(ChecksFailed):
        approve(failing, manager)
    [standing] = check_standings(failing)
    assert standing.stands_in_the_way, "what has failed is kept although the approval was refused"
    assert override(failing, manager).by == manager


def test_an_emergency_passes_checks_as_it_passes_the_review(
    failing: Release, administrator: User, make_user: MakeUser
) -> None:
    emergencies.ask(release=failing, reason="The shop is down.", actor=administrator)
    done = emergencies.confirm(release=failing, actor=make_user("amir", Role.ADMINISTRATOR))
    assert done.release == failing
    entry = AuditEntry.objects.get(action="release.publish_in_emergency")
    assert entry.details["failed_checks"] == [NAME]


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("/%2e%2e/etc/passwd", True),
        ("/a%00b", True),
        ("/a//b", True),
        ("/%ff", True),
        ("/" + "a" * 9000, False),
        ("http://a b/", False),
        ("http://[::1/x", False),
        ("javascript:alert(1)", False),
        ("/\u202egnp.css", False),
    ],
)
def test_a_hostile_address_is_answered_as_visitors_are_or_said_to_be_none(
    live: Release, small: CacheRuleVersion, make_release: MakeRelease, editor: User, url: str, holds: bool
) -> None:
    example = {"url": url, "rule": "", "is_cached": False, "request_headers": [["Cookie", "a=b\r\nX: y"]]}
    with without_guards("caching_cacheruleversion"):
        CacheRuleVersion.objects.filter(pk=small.pk).update(examples=[example])
    release = review.submit(release=make_release(put("a.txt", "a")), actor=editor)
    [standing] = check_standings(release)
    assert standing.is_good == holds
    assert all(len(text) <= 500 for each in standing.result.findings for text in each.values())
    assertContains(staff_client(editor).get(page(release)), "Examples of cache rules")


def test_more_examples_than_are_executed_do_not_pass(
    small: CacheRuleVersion, make_release: MakeRelease, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sum(len(DEFAULT_RULES[slug].examples) for slug in ("pages", "fingerprinted"))
    monkeypatch.setattr(examples_check, "MAX_EXAMPLES", before + 1)
    release = make_release(put(LOGO, "<svg>" + " " * 200))
    [standing] = failed_checks(review.submit(release=release, actor=editor))
    last, others = standing.result.findings
    assert last["subject"] == f"small, example 1: /{LOGO}"
    assert others["seen"] == "16: those after that were not executed"


def test_rules_are_combined_as_the_release_says_and_no_rule_is_an_outcome(
    live: Release, small: CacheRuleVersion, make_release: MakeRelease, editor: User, other_manager: User
) -> None:
    choose_combination(combination=Combination.MERGE, reason="So", actor=other_manager)
    for slug in ("pages", "fingerprinted", "everything"):
        set_state(rule_slug=slug, state=RuleState.DISABLED, reason="Not now", actor=other_manager)
    release = review.submit(release=make_release(put(LOGO, "<svg/>"), put("a.txt", "a")), actor=editor)
    assert [each.result.words for each in check_standings(release)] == [
        "One example executed, and each holds"
    ]


def test_a_release_without_rules_has_nothing_to_execute(
    live: Release, make_release: MakeRelease, editor: User
) -> None:
    release = make_release(put("a.txt", "a"))
    release.rules.clear()
    [standing] = check_standings(review.submit(release=release, actor=editor))
    assert (standing.is_good, standing.result.words) == (True, "It ships with no example")


def test_the_page_shows_what_was_expected_and_seen_and_takes_an_override(
    failing: Release, small: CacheRuleVersion, manager: User, editor: User
) -> None:
    shown = staff_client(manager).get(page(failing))
    for words in (
        "1 check failed",
        "cached 1 h in browsers, by small",
        "cached 5 min, by everything",
        f'href="/admin/caching/cacherule/{small.rule_id}/change/">Rule</a>',
        f"?release={failing.pk}&amp;url=%2Fimg%2Flogo.svg",
        "Override this check",
    ):
        assertContains(shown, words)
    assertNotContains(staff_client(editor).get(page(failing)), "Override this check")
    typed = {"check": NAME, "digest": failing.manifest_id}
    assert take(failing, manager, "override_check", reason="", **typed).status_code == 409
    assertContains(take(failing, manager, "check_again"), "Checked again. Examples of cache rules: 1 of 16")
    done = take(failing, manager, "override_check", reason="<b>The rule follows.", **typed)
    assertContains(done, "“&lt;b&gt;The rule follows.”")
    assertContains(done, "1 of 1 check failed, and is overridden.")
    assertContains(take(failing, manager, "check_again"), "Checked again: no check fails.")


def test_the_page_of_an_emergency_names_what_it_passes(failing: Release, administrator: User) -> None:
    assertContains(
        staff_client(administrator).get(page(failing)),
        "It passes checks that have failed as well: Examples of cache rules: 1 of 16",
    )


def test_a_draft_says_when_it_is_checked(spring: Release, editor: User) -> None:
    assertContains(staff_client(editor).get(page(spring)), "They are tried when it is submitted for review.")


def test_the_checklist_tells_failed_overridden_and_passed_apart(spring: Release) -> None:
    def mark(*checks: tuple[bool, bool]) -> list[Mark]:
        listed = checklist_of(brief_of(spring), checks=checks, open_comments=0, approvals=0, needed=0)
        return [each.mark for each in listed if each.section == "checks"]

    assert mark() == []
    assert mark((True, False)) == [Mark.DONE]
    assert mark((True, False), (False, False)) == [Mark.REMARK]
    assert mark((False, True), (False, False)) == [Mark.MISSING]


def test_the_command_checks_and_overrides(failing: Release, manager: User, capsys: Capture) -> None:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        call_command("release", "check", "2", "--json")
    assert stop.value.code == 1
    [found] = json.loads(capsys.readouterr().out)
    assert (found["check"], found["outcome"], found["stands_in_the_way"]) == (NAME, "failed", True)
    assert found["findings"][0]["seen"] == "cached 5 min, by everything"
    assert run(capsys, "release", "show", 2)["checks"] == [found]
    assert refused(capsys, "release", "approve", 2, "--as", "ben")["code"] == "checks_failed"
    words = ("release", "check", 2, "--override", NAME, "--digest", found["digest"], "--as", "ben")
    assert refused(capsys, *words)["code"] == "reason_missing"
    [passed] = run(capsys, *words, "--reason", "The rule follows.")
    assert [(each["by"], each["holds"]) for each in passed["overrides"]] == [("ben", True)]
    assert run(capsys, "release", "approve", 2, "--as", "ben")["state"] == "approved"
    call_command("release", "check", "2")
    call_command("release", "show", "2")
    out = capsys.readouterr().out
    assert f"⚑ Examples of cache rules: 1 of 16 examples does not hold ({NAME})" in out
    assert "expected cached 1 h in browsers, by small" in out
    with pytest.raises(CommandError):
        call_command("release", "check", "2", "--reason", "alone")


def test_the_command_shows_what_a_draft_lacks(spring: Release, capsys: Capture) -> None:
    call_command("release", "check", "2")
    assert "Release 2 was not checked" in capsys.readouterr().out


def test_the_report_has_findings_and_who_let_them_pass(failing: Release, manager: User) -> None:
    override(failing, manager, reason="It *follows*.")
    [line, *_] = report_of(failing).checks
    finding = f"small, example 1: /{LOGO}: expected cached 1 h in browsers, by small, seen cached 5 min, by"
    assert line.findings[0].startswith(finding)
    assert line.override.endswith(": It *follows*.")
    text = as_markdown(report_of(failing))
    assert "- ✗ Examples of cache rules: 1 of 16" in text
    assert "  - **Overridden by ben" in text
    assert "It \\*follows\\*" in text
    assert "Overridden by ben" in written(report_of(failing), "html")
    assert report_as_json(report_of(failing))["checks"][0]["findings"] == line.findings
