"""The emergency publish: two administrators instead of the approvals that are missing, marked for ever."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.audit.models import AuditEntry
from apps.releases.exceptions import (
    AlreadyAsked,
    BaseMoved,
    ChannelHeld,
    NoEmergency,
    ReasonMissing,
    SamePerson,
    WrongState,
)
from apps.releases.history.verification import history_faults
from apps.releases.models import (
    EmergencyPublication,
    EmergencyRequest,
    FreezeOverride,
    Involvement,
    Publication,
    Release,
)
from apps.releases.release_report import report_of
from apps.releases.release_report.documents import written
from apps.releases.selectors import live_publication
from apps.releases.selectors.emergencies import VALID_HOURS, marks_of, open_request
from apps.releases.services import drafts, emergencies, freezes, holding, publishing, review
from apps.releases.services.involvements import note_involvement
from tests.conftest import MakeUser
from tests.releases.clock import Clock, stopped_clock
from tests.releases.conftest import MakeRelease, Publish, put
from tests.releases.test_commands import refused, run
from tests.tampering import without_guard, without_guards

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def amir(make_user: MakeUser) -> User:
    return make_user("amir", Role.ADMINISTRATOR)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with stopped_clock() as clock:
        yield clock


@pytest.fixture
def waiting(spring: Release, editor: User) -> Release:
    """Release 2, of eva's, in review and approved by nobody."""
    return review.submit(release=spring, actor=editor)


@pytest.fixture
def asked(waiting: Release, administrator: User) -> Release:
    emergencies.ask(release=waiting, reason="The shop sells at half price.", actor=administrator)
    return waiting


def test_two_administrators_publish_what_nobody_has_approved(
    asked: Release, administrator: User, amir: User
) -> None:
    done = emergencies.confirm(release=asked, actor=amir)
    asked.refresh_from_db()
    assert (done.sequence, done.kind, asked.state) == (2, "publish", "published")
    assert live_publication(asked.channel) == done
    mark = EmergencyPublication.objects.get()
    assert (mark.request.asked_by, mark.confirmed_by, mark.sequence) == (administrator, amir, 2)
    assert marks_of([done])[done.pk].words == "in an emergency: ann asked, amir confirmed"
    assert done.reason == "The shop sells at half price."
    actions = ("release.ask_emergency", "release.publish_in_emergency")
    assert [AuditEntry.objects.get(action=action).actor for action in actions] == [administrator, amir]
    publishing.roll_back(channel=asked.channel, reason="not that", actor=amir)
    assert marks_of(asked.channel.publications.all()).keys() == {done.pk}


def test_its_marks_are_sealed_and_reported_and_missed_where_somebody_removes_them(
    asked: Release, administrator: User, amir: User
) -> None:
    freezes.add_window(
        channel=asked.channel, starts="2020-01-01 0:00", ends="2099-01-01 0:00", actor=administrator
    )
    done = emergencies.confirm(release=asked, actor=amir)
    said = json.loads(done.seal.statement)
    assert said["emergency"] == {
        "asked_by": administrator.pk,
        "asked_by_name": "ann",
        "confirmed_by": amir.pk,
        "confirmed_by_name": "amir",
        "reason": "The shop sells at half price.",
    }
    windows = FreezeOverride.objects.get().windows
    assert said["freeze"] == {"windows": windows, "reason": "The shop sells at half price."}
    (line,) = report_of(asked).publications
    assert (line.emergency, line.fault) == ("ann asked, amir confirmed", "")
    assert line.freeze == f"{windows}. Why: The shop sells at half price"
    page = written(report_of(asked), "html")
    assert "ann asked, amir confirmed" in page
    assert "In a freeze: " in page
    User.objects.filter(pk=amir.pk).update(username="amira")
    assert list(history_faults(asked.channel, with_files=False))[1:] == [], "people may be renamed"
    tables = ("releases_emergencypublication", "releases_freezeoverride")
    with without_guards(*tables), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")
    fault = next(iter(history_faults(asked.channel, with_files=False)))
    assert fault.message == "after it was sealed, this was changed: emergency, freeze"


def test_who_asked_does_not_confirm(asked: Release, administrator: User) -> None:
    with pytest.raises(SamePerson, match=r"ann has asked .* cannot confirm it as well"):
        emergencies.confirm(release=asked, actor=administrator)


def test_an_author_does_not_confirm_but_may_ask(
    live: Release, make_release: MakeRelease, administrator: User, amir: User, editor: User
) -> None:
    release = make_release(put("a.css", "1"), actor=amir)
    drafts.edit_release(release=release, actor=amir, owner=editor)
    review.submit(release=release, actor=editor)
    emergencies.ask(release=release, reason="Now.", actor=amir)
    assert emergencies.confirm(release=release, actor=administrator).sequence == 2
    second = make_release(put("b.css", "1"), actor=amir)
    review.submit(release=second, actor=editor)
    emergencies.ask(release=second, reason="Now.", actor=administrator)
    with pytest.raises(SamePerson, match="owns release"):
        emergencies.confirm(release=second, actor=amir)


@pytest.mark.parametrize("who", ["editor", "manager"])
def test_it_takes_administrators(asked: Release, who: str, request: pytest.FixtureRequest) -> None:
    user = request.getfixturevalue(who)
    with pytest.raises(Forbidden):
        emergencies.ask(release=asked, reason="Now.", actor=user)
    with pytest.raises(Forbidden):
        emergencies.confirm(release=asked, actor=user)


def test_it_takes_a_reason_a_review_and_nobody_who_has_asked_before(
    spring: Release, editor: User, administrator: User, amir: User
) -> None:
    with pytest.raises(WrongState, match="draft and cannot be published in an emergency"):
        emergencies.ask(release=spring, reason="Now.", actor=administrator)
    release = review.submit(release=spring, actor=editor)
    with pytest.raises(ReasonMissing):
        emergencies.ask(release=release, reason=" ", actor=administrator)
    with pytest.raises(NoEmergency):
        emergencies.confirm(release=release, actor=amir)
    emergencies.ask(release=release, reason="Now.", actor=administrator)
    with pytest.raises(AlreadyAsked, match="ann has asked"):
        emergencies.ask(release=release, reason="Now!", actor=amir)


@pytest.mark.parametrize("hours", [4, -4])
def test_what_is_not_confirmed_within_hours_has_expired_whichever_way_the_clock_went(
    waiting: Release, administrator: User, amir: User, clock: Clock, hours: int
) -> None:
    clock.now = datetime(2030, 12, 1, 12, tzinfo=UTC)
    emergencies.ask(release=waiting, reason="Now.", actor=administrator)
    clock.now += timedelta(hours=hours)
    with pytest.raises(NoEmergency):
        emergencies.confirm(release=waiting, actor=amir)
    emergencies.ask(release=waiting, reason="Still.", actor=amir)
    clock.now += timedelta(hours=3, minutes=59)
    assert emergencies.confirm(release=waiting, actor=administrator).reason == "Still."


def test_what_was_changed_since_is_not_confirmed(
    asked: Release, editor: User, amir: User, administrator: User
) -> None:
    digest = asked.manifest_id
    draft = review.reopen(release=asked, actor=editor)
    with pytest.raises(NoEmergency):
        emergencies.confirm(release=draft, actor=amir)
    drafts.apply_changes(release=draft, changes=[put("more.css", "1")], actor=editor)
    again = review.submit(release=draft, actor=editor)
    assert again.manifest_id != digest
    assert open_request(again) is None
    with pytest.raises(NoEmergency):
        emergencies.confirm(release=again, actor=amir)
    emergencies.ask(release=again, reason="Now.", actor=administrator)
    with pytest.raises(NoEmergency):
        emergencies.confirm(release=again, actor=amir, digest=digest)


def test_it_never_passes_a_hold(asked: Release, amir: User, manager: User) -> None:
    holding.hold(channel=asked.channel, reason="Look first", actor=manager)
    with pytest.raises(ChannelHeld, match="Look first"):
        emergencies.confirm(release=asked, actor=amir)
    assert not EmergencyPublication.objects.exists()


def test_it_passes_a_freeze_with_its_reason(asked: Release, administrator: User, amir: User) -> None:
    for ends in (("Mon 0:00", "Thu 0:00"), ("Thu 0:00", "Mon 0:00")):
        freezes.add_window(channel=asked.channel, starts=ends[0], ends=ends[1], actor=administrator)
    done = emergencies.confirm(release=asked, actor=amir)
    mark = FreezeOverride.objects.get()
    assert (mark.publication, mark.reason, mark.frozen_until) == (done, done.reason, None)
    marked = marks_of([done])[done.pk]
    assert marked.emergency
    assert "although frozen" in marked.words


def test_what_is_live_by_now_still_counts(asked: Release, publish: Publish, amir: User) -> None:
    publish(put("css/site.css", "a { color: green }"))
    with pytest.raises(BaseMoved):
        emergencies.confirm(release=asked, actor=amir)


def refuse(word: str, write: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError, match=word), transaction.atomic():
        write()


def test_the_database_asks_for_two_who_have_no_part_in_it(
    asked: Release, administrator: User, amir: User, editor: User, manager: User, make_user: MakeUser
) -> None:
    once_involved = make_user("zoe", Role.ADMINISTRATOR)
    with without_guard("involvement_of_drafts", "releases_involvement"):
        note_involvement(asked, once_involved, Involvement.Kind.BRIEFED)
    request = EmergencyRequest.objects.get()
    now = timezone.now()
    assert asked.manifest
    values = {
        "channel": asked.channel, "sequence": 2, "release": asked, "manifest": asked.manifest,
        "kind": "publish", "actor": amir, "tag": "t", "published_at": now,
    }  # fmt: skip

    def mark(**fields: object) -> EmergencyPublication:
        usual = {"request": request, "channel": asked.channel, "sequence": 2, "confirmed_by": amir}
        return EmergencyPublication.objects.create(**usual | {"confirmed_at": now} | fields)

    refuse("not_approved", lambda: Publication.objects.create(**values))
    refuse("not_published", lambda: Release.objects.filter(pk=asked.pk).update(state="published"))
    for person in (administrator, editor, manager, once_involved):
        refuse("self_approval", partial(mark, confirmed_by=person))
    for hours in (VALID_HOURS, -VALID_HOURS):
        late = request.asked_at + timedelta(hours=hours) * 1.001
        refuse("expired", partial(mark, confirmed_at=late))
    ask = partial(EmergencyRequest.objects.create, release=asked, manifest=asked.manifest, asked_at=now)
    refuse("forbidden", lambda: ask(asked_by=manager, reason="Half price."))
    with transaction.atomic():
        mark(sequence=3)
        refuse("not_approved", lambda: Publication.objects.create(**values))
        transaction.set_rollback(True)
    refuse("append_only", lambda: EmergencyRequest.objects.update(reason="x"))
    made = mark()
    refuse("append_only", lambda: EmergencyPublication.objects.filter(pk=made.pk).update(sequence=3))
    refuse("append_only", made.delete)
    assert Publication.objects.create(**values).sequence == 2
    Release.objects.filter(pk=asked.pk).update(state="published")
    manifest = asked.manifest
    refuse("stale_digest", lambda: EmergencyRequest.objects.create(
        release=asked, manifest=manifest, asked_by=amir, asked_at=now, reason="x"))  # fmt: skip


def test_asking_and_confirming_by_command(
    waiting: Release, administrator: User, amir: User, capsys: Capture
) -> None:
    words = ("release", "emergency-publish", waiting.pk, "--reason", "Half price.")
    request = run(capsys, *words, "--as", "ann")
    assert (request["release"], request["asked_by"], request["reason"]) == (waiting.pk, "ann", "Half price.")
    assert refused(capsys, "release", "confirm-emergency", waiting.pk, "--as", "ann")["code"] == "same_person"
    confirm = ("release", "confirm-emergency", waiting.pk, "--digest", request["digest"])
    assert run(capsys, *confirm, "--as", "amir")["publication"] == 2
    (newest, first) = run(capsys, "channel", "show", "production")["history"]
    assert (newest["emergency"]["asked_by"], newest["emergency"]["confirmed_by"]) == ("ann", "amir")
    assert first["emergency"] is None
    call_command("channel", "show", "production")
    assert "in an emergency: ann asked, amir confirmed" in capsys.readouterr().out
