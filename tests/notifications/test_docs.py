"""The documentation of notifications and schedules says what the program does."""

import re
import time
from collections.abc import Callable

import pytest
from django.conf import settings

from apps.notifications.backoff import MAX_ATTEMPTS, pause_after
from apps.notifications.kinds import WHO_IS_TOLD
from apps.notifications.posting import SECONDS
from apps.notifications.signing import HEADER, signature_header
from apps.releases.models import Schedule
from apps.releases.services.scheduled_runs import TRIED_FOR

TEXT = (settings.BASE_DIR / "docs" / "notifications.md").read_text()
SCHEDULES = (settings.BASE_DIR / "docs" / "schedules.md").read_text()


@pytest.fixture
def is_ours() -> Callable[[str, str, bytes], bool]:
    """The function that the documentation gives to receivers."""
    (snippet,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Callable[[str, str, bytes], bool]] = {}
    exec(snippet, names)  # noqa: S102 - it is ours
    return names["is_ours"]


def test_a_receiver_knows_with_it_what_is_ours(is_ours: Callable[[str, str, bytes], bool]) -> None:
    now = int(time.time())
    header = signature_header("whsec_x", at=now, body=b'{"id":1}')
    assert is_ours("whsec_x", header, b'{"id":1}')
    assert not is_ours("whsec_x", header, b'{"id":2}')
    assert not is_ours("whsec_y", header, b'{"id":1}')
    assert not is_ours("whsec_x", header.replace(f"t={now}", f"t={now + 1}"), b'{"id":1}')
    old = signature_header("whsec_x", at=now - 3600, body=b'{"id":1}')
    assert not is_ours("whsec_x", old, b'{"id":1}')


@pytest.mark.parametrize("kind", WHO_IS_TOLD)
def test_each_kind_is_listed(kind: str) -> None:
    assert f"`{kind}`" in TEXT


def test_numbers_are_those_of_the_program() -> None:
    assert HEADER in TEXT
    assert f"after {MAX_ATTEMPTS} attempts" in TEXT
    assert "after 10 s, 40 s, 160 s" in TEXT
    assert [pause_after(n).total_seconds() for n in (1, 2, 3)] == [10, 40, 160]
    assert SECONDS == 10
    assert "within ten seconds" in TEXT
    assert TRIED_FOR.total_seconds() == 600
    assert "for ten minutes" in SCHEDULES


@pytest.mark.parametrize("state", Schedule.State.values)
def test_each_state_of_a_schedule_is_explained(state: str) -> None:
    assert f"| `{state}` |" in SCHEDULES
