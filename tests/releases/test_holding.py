"""Holds: after a roll back, or at somebody's word, nothing is published until somebody says it may go on."""

from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.audit.models import AuditEntry
from apps.releases.exceptions import ChannelHeld, NotHeld, ReasonMissing, SamePerson
from apps.releases.models import Channel, Hold, Publication, Release
from apps.releases.selectors import channel_named, live_publication
from apps.releases.selectors.holds import hold_of, holds_on, open_stop, past_holds
from apps.releases.services import channels, holding, publishing
from tests.conftest import MakeUser
from tests.releases.conftest import Publish, put
from tests.releases.test_commands import refused, run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def other_administrator(make_user: MakeUser) -> User:
    return make_user("amir", Role.ADMINISTRATOR)


@pytest.fixture
def protected(production: Channel, administrator: User) -> Channel:
    return channels.set_options(channel=production, actor=administrator, is_protected=True)


def roll_back(channel: Channel, actor: User, **more: object) -> Publication:
    return publishing.roll_back(channel=channel, reason="Checkout is broken.", actor=actor, **more)  # type: ignore[arg-type]


def entries(action: str) -> list[str]:
    return list(AuditEntry.objects.filter(action=action).order_by("pk").values_list("summary", flat=True))


@pytest.fixture
def rolled_back(approved: Release, manager: User) -> Channel:
    """production, from which ben has taken release 2 again."""
    publishing.publish(release=approved, actor=manager)
    roll_back(approved.channel, manager)
    return channel_named("production")


def test_a_roll_back_holds_its_channel_with_its_own_reason(rolled_back: Channel, manager: User) -> None:
    held = hold_of(rolled_back)
    assert held
    assert (held.reason, held.placed_by) == ("Checkout is broken.", manager)
    assert held.rollback == live_publication(rolled_back)
    assert entries("channel.hold") == ["Put production on hold: Checkout is broken."]
    assert holds_on(Channel.objects.get(name="staging")) == []


def test_nothing_is_published_while_held_and_the_refusal_names_who_and_why(
    rolled_back: Channel, publish: Publish, manager: User
) -> None:
    with pytest.raises(ChannelHeld) as refusal:
        publish(put("a.css", "b"))
    assert str(refusal.value).startswith("production is on hold by ben: “Checkout is broken”.")
    assert "release manager or an administrator may lift that" in str(refusal.value)
    assert "channel resume production" in str(refusal.value)
    holding.resume(channel=rolled_back, reason="Mended.", actor=manager)
    assert publish(put("a.css", "c")).state == Release.State.PUBLISHED


def test_a_roll_back_is_never_held_up_and_its_undo_keeps_the_first_reason(
    rolled_back: Channel, manager: User, other_manager: User
) -> None:
    undone = publishing.roll_back(channel=rolled_back, to=2, reason="It was us.", actor=other_manager)
    assert undone.sequence == 4
    held = hold_of(rolled_back)
    assert held
    assert held.placed_by == manager
    assert Hold.objects.count() == 1


def test_a_planned_roll_back_holds_nothing(approved: Release, manager: User) -> None:
    publishing.publish(release=approved, actor=manager)
    roll_back(approved.channel, manager, is_planned=True)
    assert not Hold.objects.exists()


def test_lifting_is_a_decision_with_a_name_and_a_reason(rolled_back: Channel, other_manager: User) -> None:
    with pytest.raises(ReasonMissing):
        holding.resume(channel=rolled_back, reason=" ", actor=other_manager)
    lifted = holding.resume(channel=rolled_back, reason=" Mended. ", actor=other_manager)
    assert (lifted.lifted_by, lifted.lift_reason) == (other_manager, "Mended.")
    assert lifted.lifted_at
    assert list(past_holds(rolled_back)) == [lifted]
    assert entries("channel.resume") == [
        "Let production go on: Mended. (production is on hold by ben: “Checkout is broken”.)"
    ]
    with pytest.raises(NotHeld, match=r"not on hold by itself\. Nothing has to be lifted"):
        holding.resume(channel=rolled_back, reason="Again", actor=other_manager)


def test_a_channel_is_held_by_hand_once(production: Channel, manager: User, other_manager: User) -> None:
    held = holding.hold(channel=production, reason="Wait for legal", actor=manager)
    assert (held.rollback, held.scope, str(held)) == (None, "production", "hold of production")
    with pytest.raises(ChannelHeld, match="on hold by ben: “Wait for legal” already"):
        holding.hold(channel=production, reason="Me too", actor=other_manager)
    with pytest.raises(ReasonMissing):
        holding.hold(channel=production, reason="", actor=manager)


@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_who_may_not_hold_neither_holds_stops_nor_lifts(
    production: Channel, who: str, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)
    acts: tuple[Callable[[], object], ...] = (
        lambda: holding.hold(channel=production, reason="x", actor=user),
        lambda: holding.stop(reason="x", actor=user),
        lambda: holding.resume(channel=production, reason="x", actor=user),
        lambda: holding.resume_all(reason="x", actor=user),
    )
    for act in acts:
        with pytest.raises(Forbidden):
            act()


def test_the_emergency_stop_holds_every_channel_also_one_made_later(
    approved: Release, manager: User, administrator: User
) -> None:
    stopped = holding.stop(reason="Breach.", actor=manager)
    assert stopped.is_stop
    with pytest.raises(ChannelHeld, match=r"All channels are on hold by ben: “Breach”\. .*resume --all"):
        publishing.publish(release=approved, actor=manager)
    later = Channel.objects.create(name="later")
    assert holds_on(later) == [stopped]
    with pytest.raises(ChannelHeld, match="already"):
        holding.stop(reason="Breach again", actor=administrator)
    with pytest.raises(NotHeld, match="resume --all"):
        holding.resume(channel=approved.channel, reason="x", actor=manager)
    holding.resume_all(reason="False alarm.", actor=manager)
    assert open_stop() is None
    publishing.publish(release=approved, actor=manager)
    with pytest.raises(NotHeld, match="not stopped"):
        holding.resume_all(reason="x", actor=manager)


def test_when_the_stop_is_lifted_a_channel_that_was_rolled_back_meanwhile_stays_held(
    approved: Release, manager: User
) -> None:
    publishing.publish(release=approved, actor=manager)
    holding.stop(reason="Breach.", actor=manager)
    roll_back(approved.channel, manager)
    assert [held.scope for held in holds_on(approved.channel)] == ["all channels", "production"]
    holding.resume_all(reason="False alarm.", actor=manager)
    assert [held.scope for held in holds_on(approved.channel)] == ["production"]


def test_a_protected_channel_is_opened_by_another_administrator(
    protected: Channel, manager: User, administrator: User, other_administrator: User
) -> None:
    holding.hold(channel=protected, reason="Look first", actor=administrator)
    with pytest.raises(ChannelHeld, match="Another administrator than ann may lift"):
        holding.refuse_if_held(protected)
    with pytest.raises(Forbidden, match="open production again, which is protected"):
        holding.resume(channel=protected, reason="Fine", actor=manager)
    with pytest.raises(SamePerson, match="Ask another administrator"):
        holding.resume(channel=protected, reason="Fine", actor=administrator)
    assert holding.resume(channel=protected, reason="Fine", actor=other_administrator).lifted_by


def test_a_stop_is_lifted_by_another_administrator_where_one_channel_is_protected(
    protected: Channel, manager: User, administrator: User, other_administrator: User
) -> None:
    holding.stop(reason="Breach", actor=administrator)
    for person in (manager, administrator):
        with pytest.raises((Forbidden, SamePerson)):
            holding.resume_all(reason="Fine", actor=person)
    assert holding.resume_all(reason="Fine", actor=other_administrator).lifted_by == other_administrator


def refuse(word: str, write: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError, match=word), transaction.atomic():
        write()


def test_the_database_keeps_holds_and_what_they_keep_off(
    approved: Release, manager: User, administrator: User
) -> None:
    held = holding.hold(channel=approved.channel, reason="Wait", actor=administrator)
    rows = Hold.objects.filter(pk=held.pk)
    now = timezone.now()
    lift = {"lifted_at": now, "lifted_by": manager, "lift_reason": "ok"}
    refuse("append_only", lambda: rows.update(reason="another"))
    refuse("append_only", lambda: rows.update(**lift, reason="another"))
    refuse("append_only", lambda: rows.update(**lift, channel=None))
    refuse("append_only", lambda: rows._raw_delete("default"))
    refuse("lifted_by_somebody", lambda: rows.update(lifted_at=now))
    refuse("one_open_hold", lambda: Hold.objects.create(
        channel=held.channel, reason="x", placed_by=manager, placed_at=now))  # fmt: skip
    refuse("has_a_reason", lambda: Hold.objects.create(reason="", placed_by=manager, placed_at=now))
    values = {
        "channel": approved.channel, "sequence": 2, "release": approved, "manifest": approved.manifest,
        "kind": "publish", "actor": manager, "tag": "t", "published_at": now,
    }  # fmt: skip
    refuse("channel_held", lambda: Publication.objects.create(**values))
    Channel.objects.filter(name="production").update(is_protected=True)
    refuse("same_person", lambda: rows.update(**lift | {"lifted_by": administrator}))
    rows.update(**lift)
    refuse("append_only", lambda: rows.update(**lift))
    stopped = Hold.objects.create(reason="x", placed_by=manager, placed_at=now)
    refuse("same_person", lambda: Hold.objects.filter(pk=stopped.pk).update(**lift))
    refuse("channel_held", lambda: Publication.objects.create(**values))


def test_holding_and_resuming_by_command(approved: Release, manager: User, capsys: Capture) -> None:
    held = run(capsys, "channel", "hold", "production", "--reason", "Wait", "--as", "ben")
    assert (held["channel"], held["by"], held["reason"], held["lifted_by"]) == (
        "production",
        "ben",
        "Wait",
        None,
    )
    shown = run(capsys, "channel", "show", "production")
    assert [each["reason"] for each in shown["holds"]] == ["Wait"]
    error = refused(capsys, "release", "publish", approved.pk, "--as", "ben")
    assert (error["code"], "ben" in error["message"]) == ("channel_held", True)
    run(capsys, "channel", "stop", "--reason", "Breach", "--as", "ben")
    lifted = run(capsys, "channel", "resume", "--all", "--reason", "Fine", "--as", "ben")
    assert (lifted["channel"], lifted["lifted_by"], lifted["lift_reason"]) == (None, "ben", "Fine")
    call_command("channel", "list")
    call_command("channel", "show", "production")
    call_command("channel", "resume", "production", "--reason", "Fine", "--as", "ben")
    out = capsys.readouterr().out
    assert "ON HOLD" in out
    assert "production is on hold by ben: “Wait”." in out
    assert "The hold of production is lifted." in out
    assert run(capsys, "release", "publish", approved.pk, "--as", "ben")["publication"] == 2
    back = run(capsys, "release", "rollback", "--reason", "Broken", "--as", "ben")
    assert run(capsys, "channel", "show", "production")["holds"][0]["rollback"] == back["tag"]


@pytest.mark.parametrize("words", [(), ("production", "--all")])
def test_resume_names_one_channel_or_all(production: Channel, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as error:
        call_command("channel", "resume", *words, "--reason", "x")
    assert error.value.returncode == 2
