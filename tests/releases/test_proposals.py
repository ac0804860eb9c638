"""That a channel asks for less before something goes live is approved too: by another administrator."""

from collections.abc import Callable
from functools import partial

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.accounts.services import deactivate
from apps.audit.models import AuditEntry
from apps.releases.exceptions import (
    ProposalDecided,
    ProposalOpen,
    SelfApproval,
    UnknownProposal,
    WrongApprovals,
)
from apps.releases.models import Channel, ChannelProposal
from apps.releases.selectors import channel_named
from apps.releases.selectors.proposals import open_proposals, proposal_in_words, proposal_numbered
from apps.releases.services import channels, proposals
from tests.conftest import MakeUser
from tests.releases.test_commands import Capture, refused, run
from tests.staff import staff_client

State = ChannelProposal.State


@pytest.fixture
def second(make_user: MakeUser) -> User:
    return make_user("bo", Role.ADMINISTRATOR)


def page(channel: Channel) -> str:
    return f"/admin/releases/channel/{channel.pk}/change/"


def propose(channel: Channel, count: int, actor: User) -> ChannelProposal:
    channels.set_required_approvals(channel=channel, count=count, actor=actor)
    return open_proposals(channel).get()


def assert_refused(word: str, write: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError, match=word), transaction.atomic():
        write()


def test_fewer_approvals_wait_for_another_administrator(
    production: Channel, administrator: User, second: User
) -> None:
    proposal = propose(production, 0, administrator)
    assert channel_named("production").required_approvals == 1
    assert proposal_in_words(proposal) == "required approvals of production: 0, now: 1"
    with pytest.raises(SelfApproval, match="ann proposed that") as refusal:
        proposals.confirm(proposal=proposal, actor=administrator)
    assert refusal.value.next_step == "Ask bo."

    done = proposals.confirm(proposal=proposal, actor=second)
    assert (done.state, done.decided_by) == (State.APPLIED, second)
    assert channel_named("production").required_approvals == 0
    actions = AuditEntry.objects.filter(target="channel production").order_by("sequence")
    assert list(actions.values_list("action", "actor_name"))[-2:] == [
        ("channel.propose", "ann"),
        ("channel.confirm", "bo"),
    ]


def test_more_approvals_are_asked_for_at_once(production: Channel, administrator: User, second: User) -> None:
    channels.set_required_approvals(channel=production, count=3, actor=administrator)
    assert channel_named("production").required_approvals == 3
    assert not open_proposals().exists()


def test_another_group_of_approvers_is_proposed_and_the_first_is_not(
    production: Channel, administrator: User, second: User
) -> None:
    legal, _ = (Group.objects.create(name=name) for name in ("legal", "friends"))
    set_group = partial(channels.set_options, channel=production, actor=administrator)
    assert set_group(approver_group="legal").approver_group == legal
    assert set_group(approver_group="friends").approver_group == legal
    assert proposal_in_words(open_proposals().get()) == (
        "group that may approve of production: friends, now: legal"
    )
    set_group(approver_group="")  # who proposed may think better of it
    proposal = open_proposals().get()
    assert proposal_in_words(proposal).endswith(": none: everybody whose role lets them, now: legal")
    proposals.confirm(proposal=proposal, actor=second)
    assert channel_named("production").approver_group is None


def test_protection_is_taken_away_by_two(production: Channel, administrator: User, second: User) -> None:
    channels.set_options(channel=production, actor=administrator, is_protected=True)
    changed = channels.set_requirements(
        channel=channel_named("production"), approvals=0, actor=administrator, is_protected=False
    )
    assert (changed.is_protected, changed.required_approvals) == (True, 1)
    approvals, protection = (
        open_proposals().get(field=field) for field in ("required_approvals", "is_protected")
    )
    with pytest.raises(WrongApprovals, match="nobody publishes on it alone"):
        proposals.confirm(proposal=approvals, actor=second)
    proposals.confirm(proposal=protection, actor=second)
    proposals.confirm(proposal=approvals, actor=second)
    now = channel_named("production")
    assert (now.is_protected, now.required_approvals) == (False, 0)


def test_who_is_the_only_administrator_is_not_locked_out_and_leaves_a_note(
    production: Channel, administrator: User, manager: User
) -> None:
    channels.set_required_approvals(channel=production, count=0, actor=administrator)
    assert channel_named("production").required_approvals == 0
    proposal = ChannelProposal.objects.get()
    note = "Nobody else could confirm it: ann is the only one who may change channels."
    assert (proposal.state, proposal.decided_by, proposal.note) == (State.APPLIED, administrator, note)
    entry = AuditEntry.objects.get(action="channel.propose")
    assert entry.details["note"] == note
    assert entry.summary.endswith(note)


def test_a_proposal_of_who_is_alone_by_now_is_set_again_and_done(
    production: Channel, administrator: User, second: User
) -> None:
    propose(production, 0, administrator)
    deactivate(user=second, actor=administrator)
    channels.set_required_approvals(channel=production, count=0, actor=administrator)
    assert channel_named("production").required_approvals == 0
    assert list(ChannelProposal.objects.values_list("state", flat=True)) == [State.DECLINED, State.APPLIED]


def test_the_same_is_proposed_once_and_something_else_after_that_is_decided(
    production: Channel, administrator: User, second: User
) -> None:
    channels.set_required_approvals(channel=production, count=2, actor=administrator)
    first = propose(production, 1, administrator)
    assert propose(production, 1, second) == first
    with pytest.raises(ProposalOpen, match="ann has proposed already"):
        propose(production, 0, second)
    assert propose(production, 0, administrator) != first
    assert proposal_numbered(first.pk).state == State.DECLINED


def test_what_no_longer_fits_is_not_confirmed(production: Channel, administrator: User, second: User) -> None:
    proposal = propose(production, 0, administrator)
    channels.set_required_approvals(channel=production, count=2, actor=second)
    with pytest.raises(ProposalDecided, match="has changed since"):
        proposals.confirm(proposal=proposal, actor=second)
    proposals.decline(proposal=proposal, actor=administrator)
    with pytest.raises(ProposalDecided, match="is declined already"):
        proposals.confirm(proposal=proposal, actor=second)
    with pytest.raises(UnknownProposal):
        proposal_numbered(999)


@pytest.mark.parametrize("who", ["viewer", "editor", "manager"])
def test_only_administrators_decide(
    production: Channel, administrator: User, second: User, who: str, request: pytest.FixtureRequest
) -> None:
    proposal, user = propose(production, 0, administrator), request.getfixturevalue(who)
    for decide in (proposals.confirm, proposals.decline):
        with pytest.raises(Forbidden, match="what is proposed for production"):
            decide(proposal=proposal, actor=user)
    answer = staff_client(user).post(page(production), {"proposal": proposal.pk, "decision": "confirm"})
    assert answer.status_code == 403
    shown = staff_client(user).get(page(production))
    assertContains(shown, "Required approvals of production: 0, now: 1")
    assertNotContains(shown, 'value="confirm"')


# Past the services


STRICT = {"required_approvals": 2, "is_protected": True}
LESS = {"required_approvals": 1, "approver_group": None, "is_protected": False}


@pytest.fixture
def strict(production: Channel) -> Channel:
    """production as it asks for two approvals of a group, and is protected."""
    group = Group.objects.create(name="legal")
    Channel.objects.filter(pk=production.pk).update(approver_group=group, **STRICT)
    return channel_named("production")


def test_no_row_is_written_with_which_a_channel_asks_for_less_unless_that_is_confirmed(
    strict: Channel, administrator: User, second: User
) -> None:
    rows = Channel.objects.filter(pk=strict.pk)
    for name, value in LESS.items():
        edited = channel_named("production")
        setattr(edited, name, value)
        column = "approver_group_id" if name == "approver_group" else name
        with connection.cursor() as cursor:
            statement = f"UPDATE releases_channel SET {column} = %s WHERE id = %s"
            writes = (
                partial(rows.update, **{name: value}),
                edited.save,
                partial(Channel.objects.bulk_update, [edited], [name]),
                partial(cursor.execute, statement, [value, strict.pk]),
            )
            for write in writes:
                assert_refused("not_confirmed", write)
    proposal = propose(strict, 1, administrator)
    proposals.confirm(proposal=proposal, actor=second)
    rows.update(required_approvals=3)
    assert_refused("not_confirmed", partial(rows.update, required_approvals=1))  # it was for once


def test_by_no_door_does_one_person_let_a_channel_ask_for_less(
    strict: Channel, administrator: User, second: User, manager: User, capsys: Capture
) -> None:
    typed = {"required_approvals": 1, "approver_group": "", "is_protected": False}
    words = ("--required-approvals", 1, "--approver-group", "", "--protected", "off")
    doors: tuple[Callable[[], object], ...] = (
        lambda: channels.set_requirements(
            channel=strict, approvals=1, actor=administrator, approver_group="", is_protected=False
        ),
        lambda: staff_client(administrator).post(page(strict), typed),
        lambda: run(capsys, "channel", "set", "production", *words, "--as", "ann"),
    )
    for door in doors:
        with transaction.atomic():
            door()
            now = channel_named("production")
            assert (now.required_approvals, str(now.approver_group), now.is_protected) == (2, "legal", True)
            assert {proposal.field for proposal in open_proposals()} == set(LESS)
            transaction.set_rollback(True)
    assert staff_client(manager).post(page(strict), typed).status_code == 403
    refusal = refused(capsys, "channel", "set", "production", *words, "--as", manager.username)
    assert refusal["code"] == "forbidden"
    assert not open_proposals().exists()


def test_the_database_asks_for_another_administrator(
    production: Channel, administrator: User, second: User, manager: User
) -> None:
    proposal = propose(production, 0, administrator)
    rows = ChannelProposal.objects.filter(pk=proposal.pk)
    confirmed = {"state": State.CONFIRMED, "decided_at": timezone.now()}
    for person in (administrator, manager):
        assert_refused("self_approval", partial(rows.update, decided_by=person, **confirmed))
    for change in (
        {"state": State.APPLIED, "decided_by": second, "decided_at": timezone.now()},
        {"after": "3"},
        {"proposed_by": second},
    ):
        assert_refused("append_only", partial(rows.update, **change))
    assert_refused("append_only", lambda: rows._raw_delete("default"))
    alone = {"field": "is_protected", "before": "on", "after": "off", "note": "Alone.", **confirmed}
    assert_refused(
        "not_confirmed",
        lambda: ChannelProposal.objects.create(
            channel=production, proposed_by=administrator, decided_by=administrator, **alone
        ),
    )
    rows.update(decided_by=second, **confirmed)
    assert_refused("append_only", partial(rows.update, decided_by=administrator))
    assert_refused("append_only", partial(rows.update, state=State.OPEN, decided_by=None, decided_at=None))


# By command and on the page


def test_two_administrators_by_command(
    production: Channel, administrator: User, second: User, capsys: Capture
) -> None:
    report = run(capsys, "channel", "set", "production", "--required-approvals", 0, "--as", "ann")
    assert report["required_approvals"] == 1
    [proposed] = report["proposals"]
    assert (proposed["field"], proposed["after"], proposed["proposed_by"]) == (
        "required_approvals",
        "0",
        "ann",
    )
    call_command("channel", "proposals", "production")
    assert "required approvals of production: 0, now: 1 (ann)" in capsys.readouterr().out
    number = proposed["proposal"]
    assert refused(capsys, "channel", "confirm", number, "--as", "ann")["code"] == "self_approval"
    assert run(capsys, "channel", "confirm", number, "--as", "bo")["state"] == "applied"
    assert refused(capsys, "channel", "decline", number, "--as", "bo")["code"] == "proposal_decided"
    assert run(capsys, "channel", "proposals") == []


def test_a_proposal_is_declined_by_command(
    production: Channel, administrator: User, second: User, capsys: Capture
) -> None:
    proposal = propose(production, 0, administrator)
    assert run(capsys, "channel", "decline", proposal.pk, "--as", "bo")["decided_by"] == "bo"
    call_command("channel", "proposals")
    assert "Nothing is proposed." in capsys.readouterr().out


def test_two_administrators_on_the_page(production: Channel, administrator: User, second: User) -> None:
    ann, bo = staff_client(administrator), staff_client(second)
    answer = ann.post(page(production), {"required_approvals": 0}, follow=True)
    assertContains(answer, "Proposed, until bo confirms it: required approvals of production: 0, now: 1.")
    assertContains(answer, "You proposed it. bo can confirm it.")
    assertContains(answer, "Take it back")
    assertContains(bo.get("/admin/"), "Decide what production asks for")
    assertNotContains(ann.get("/admin/"), "Decide what production asks for")
    number = open_proposals().get().pk
    forged = ann.post(page(production), {"proposal": number, "decision": "confirm"})
    assertContains(forged, "proposed that, and cannot confirm it", status_code=409)
    done = bo.post(page(production), {"proposal": number, "decision": "confirm"}, follow=True)
    assertContains(done, "Confirmed: required approvals of production: 0")
    assert channel_named("production").required_approvals == 0


@pytest.mark.parametrize("number", ["", "x", "0", "9" * 30])
def test_a_proposal_that_is_not_there_is_no_fault(
    production: Channel, administrator: User, number: str
) -> None:
    answer = staff_client(administrator).post(page(production), {"proposal": number, "decision": "decline"})
    assertContains(answer, "There is no proposal", status_code=409)


def test_a_proposal_is_declined_on_the_page(production: Channel, administrator: User, second: User) -> None:
    number = propose(production, 0, administrator).pk
    answer = staff_client(second).post(
        page(production), {"proposal": number, "decision": "decline"}, follow=True
    )
    assertContains(answer, "Declined. production stays as it is")
    assertNotContains(answer, "Waiting for another administrator")
