"""How what workers have counted comes into the database: once, whatever happens meanwhile."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.assets import store
from apps.delivery.counts import Counted, dump
from apps.jobs.schedule import scheduled
from apps.observability import taking
from apps.observability.models import RuleCount, TakenCounts
from apps.observability.taking import DAYS_KEPT, HOURS_KEPT, NAMES_KEPT, sum_up, take_in

HOUR = datetime(2026, 11, 28, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def line(requests: int = 4, *, hour: datetime = HOUR, rule: str = "everything", version: int = 1) -> Counted:
    return Counted("production", 3, rule, version, hour, requests, 100, 1, 1)


def say(name: str, *lines: Counted) -> str:
    full = f"counts/{name}.json"
    store.replace(full, dump(lines))
    return full


def rows() -> list[tuple[str, int, datetime, bool, int, int, int, int]]:
    return list(
        RuleCount.objects.order_by("rule", "version", "began_at").values_list(
            "rule", "version", "began_at", "is_day", "requests", "body_bytes", "not_modified", "errors"
        )
    )


def waiting(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "counts").iterdir() if file.is_file())


def test_a_site_that_was_never_asked_has_nothing_to_take(storage_folder: Path) -> None:
    assert take_in() == []


def test_files_are_added_up_and_removed(storage_folder: Path) -> None:
    say("a", line(), line(2, rule="pages"))
    say("b", line(6), line(3, version=2), line(5, hour=HOUR + timedelta(hours=1)))
    assert take_in() == []
    assert rows() == [
        ("everything", 1, HOUR, False, 10, 200, 2, 2),
        ("everything", 1, HOUR + timedelta(hours=1), False, 5, 100, 1, 1),
        ("everything", 2, HOUR, False, 3, 100, 1, 1),
        ("pages", 1, HOUR, False, 2, 100, 1, 1),
    ]
    assert waiting(storage_folder) == []


def test_a_file_that_is_there_again_counts_once(
    storage_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say("a", line())

    def killed(name: str) -> None:
        raise SystemExit

    with monkeypatch.context() as context:
        context.setattr(store, "remove", killed)
        with pytest.raises(SystemExit):
            take_in()
    assert waiting(storage_folder) == ["a.json"]
    take_in()
    say("a", line(), line(2, rule="pages"))  # written again by who did not hear that it was
    take_in()
    assert [row[4] for row in rows()] == [4]
    assert waiting(storage_folder) == []


@pytest.mark.django_db(transaction=True)
def test_what_is_killed_half_way_has_added_nothing(
    storage_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say("a", line(), line(2, rule="pages"))
    create = RuleCount.objects.create

    def killed(**row: object) -> RuleCount:
        if row["rule"] == "pages":
            raise SystemExit
        return create(**row)

    with monkeypatch.context() as context:
        context.setattr(RuleCount.objects, "create", killed)
        with pytest.raises(SystemExit):
            take_in()
    assert rows() == []
    assert not TakenCounts.objects.exists()
    take_in()
    assert [row[4] for row in rows()] == [4, 2]


def test_two_workers_at_once_add_a_file_once(storage_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = say("a", line())
    read = store.read

    def another_is_faster(asked: str) -> bytes | None:
        content = read(asked)
        with monkeypatch.context() as context:
            context.setattr(store, "read", read)
            take_in()
        return content

    with monkeypatch.context() as context:
        context.setattr(store, "read", another_is_faster)
        take_in()
    monkeypatch.setattr(taking, "_waiting", lambda: [name])
    take_in()  # listed before the other has removed it
    assert [row[4] for row in rows()] == [4]


def test_a_row_that_another_worker_makes_meanwhile_is_added_to_the_next_time(
    storage_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say("a", line())

    def refused(**row: object) -> RuleCount:
        raise IntegrityError

    with monkeypatch.context() as context:
        context.setattr(RuleCount.objects, "create", refused)
        assert take_in() == []
    assert waiting(storage_folder) == ["a.json"]
    take_in()
    assert [row[4] for row in rows()] == [4]


def test_what_cannot_be_read_is_set_aside_and_said(
    storage_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.replace("counts/a.json", b'{"format": 1, "cou')
    say("b", line())
    store.replace("counts/readme.txt", b"not ours")
    (told,) = take_in()
    assert "counts/a.json cannot be read and is kept as counts/damaged/a.json" in told
    assert "counts/a.json is passed over" in caplog.text
    assert (storage_folder / "counts/damaged/a.json").read_bytes() == b'{"format": 1, "cou'
    assert [row[4] for row in rows()] == [4]
    assert waiting(storage_folder) == ["readme.txt"]
    assert take_in() == []


def test_the_background_worker_takes_them_in(storage_folder: Path) -> None:
    say("a", line())
    (chore,) = [each for each in scheduled() if each.name == "observability.take_in_counts"]
    assert chore.is_apart, "storage may be far away, and schedules do not wait for it"
    assert chore.run() == []
    assert [row[4] for row in rows()] == [4]


def test_old_hours_become_days_and_old_days_go(storage_folder: Path, administrator: User) -> None:
    old = (timezone.now() - HOURS_KEPT - timedelta(days=2)).replace(hour=1, minute=0, second=0, microsecond=0)
    recent = (timezone.now() - HOURS_KEPT + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    say("a", line(4, hour=old), line(5, hour=old.replace(hour=23)), line(6, hour=recent))
    take_in()
    ancient = old - DAYS_KEPT
    RuleCount.objects.create(
        rule="pages", version=1, channel="production", publication=1, is_day=True, began_at=ancient
    )
    output = StringIO()
    call_command("gc", "--dry-run", stdout=output)
    assert "counts of requests: 3 removed" in output.getvalue()
    assert len(rows()) == 4
    call_command("gc", stdout=output)
    day = ("everything", 1, old.replace(hour=0), True, 9, 200, 2, 2)
    assert rows() == [day, ("everything", 1, recent, False, 6, 100, 1, 1)]
    say("b", line(2, hour=old))  # a node that had nowhere to write it
    take_in()
    sum_up()
    assert rows()[0][:5] == ("everything", 1, old.replace(hour=0), True, 11)


def test_names_are_forgotten_once_their_files_are_gone(
    storage_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say("a", line())
    kept = say("b", line())
    with monkeypatch.context() as context:
        context.setattr(store, "remove", lambda name: None)  # a storage that does not do as it is told
        take_in()
    store.remove("counts/a.json")
    TakenCounts.objects.update(taken_at=timezone.now() - NAMES_KEPT - timedelta(minutes=1))
    sum_up()
    assert list(TakenCounts.objects.values_list("name", flat=True)) == [kept]


def test_more_of_a_kind_than_of_all_is_refused() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        RuleCount.objects.create(
            rule="x", version=1, channel="production", publication=1, began_at=HOUR, requests=1, errors=2
        )
