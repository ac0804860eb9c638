from typing import Any
from unittest import mock

import pytest

from apps.jobs import registry, schedule
from apps.jobs.exceptions import UnknownKind
from apps.jobs.log import JobLog


def _work(payload: dict[str, Any], log: JobLog) -> None:
    """Do nothing."""


def _other(payload: dict[str, Any], log: JobLog) -> None:
    """Do nothing either."""


@pytest.fixture(autouse=True)
def _nothing_registered() -> Any:
    with (
        mock.patch.dict(registry._handlers, clear=True),
        mock.patch.dict(registry._priorities, clear=True),
        mock.patch.dict(schedule._scheduled, clear=True),
    ):
        yield


def test_a_handler_is_found_by_its_kind() -> None:
    assert registry.handler("tests.work")(_work) is _work
    assert registry.handler_of("tests.work") is _work


def test_registering_the_same_handler_again_is_harmless() -> None:
    registry.handler("tests.work")(_work)
    registry.handler("tests.work")(_work)


def test_a_kind_has_one_handler() -> None:
    registry.handler("tests.work")(_work)

    with pytest.raises(ValueError, match="two handlers"):
        registry.handler("tests.work")(_other)


def test_an_unknown_kind_is_refused_with_those_that_are_known() -> None:
    registry.handler("tests.work")(_work)

    with pytest.raises(UnknownKind) as refusal:
        registry.handler_of("tests.wrok")

    assert "'tests.wrok'" in refusal.value.message
    assert "tests.work" in refusal.value.next_step


def test_a_kind_has_a_priority_if_it_was_given_one() -> None:
    registry.handler("tests.work", priority=-10)(_work)

    assert registry.priority_of("tests.work") == -10
    assert registry.priority_of("tests.unknown") == 0


def test_a_scheduled_function_is_listed_with_its_period() -> None:
    def chore() -> list[str]:
        return []

    schedule.every(2, "tests.chore")(chore)

    assert schedule.scheduled() == (schedule.Scheduled("tests.chore", 2, chore),)


def test_a_schedule_has_each_name_once() -> None:
    schedule.every(2, "tests.chore")(list)

    with pytest.raises(ValueError, match=r"named tests\.chore"):
        schedule.every(3, "tests.chore")(list)
