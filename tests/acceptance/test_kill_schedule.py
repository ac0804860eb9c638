"""Kill -9 while what is scheduled is carried out: it is done, and done once."""

import json
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.test_kill import Desk, desk, prepared  # noqa: F401 - fixtures

pytestmark = pytest.mark.acceptance

# Does what the worker does every second, some days later, and kills itself before or after one function.
RUN = """
import importlib, json, os, signal, sys
from datetime import timedelta
import django
django.setup()
from django.utils import timezone
real_now = timezone.now
days, target, when = int(sys.argv[1]), sys.argv[2], sys.argv[3]
timezone.now = lambda: real_now() + timedelta(days=days)
if target != "-":
    module, name = target.rsplit(".", 1)
    place = importlib.import_module(module)
    real = getattr(place, name)
    def killing(*args, **kwargs):
        if when == "after":
            real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(place, name, killing)
from apps.releases.services.scheduled_runs import run_due
print(json.dumps(run_due()))
"""
INSIDE = [
    ("apps.releases.services.publishing.record", "before"),
    ("apps.releases.services.publishing.record", "after"),
]
OUTSIDE = [("apps.assets.store.replace", "before")]


def run(desk: Desk, *, days: int, target: str = "-", when: str = "-") -> list[str]:  # noqa: F811
    done = desk.python(RUN, days, target, when)
    if target != "-":
        assert done.returncode == -signal.SIGKILL, done.stderr
        return []
    assert done.returncode == 0, done.stderr
    lines: list[str] = json.loads(done.stdout)
    return lines


def schedules(desk: Desk) -> dict[str, dict[str, Any]]:  # noqa: F811
    found: list[dict[str, Any]] = desk.manage("release", "show", 2)["schedules"]
    return {each["action"]: each for each in found}


def in_days(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d %H:%M}"


def kinds(desk: Desk) -> list[str]:  # noqa: F811
    return [line["kind"] for line in desk.manage("channel", "show", "production")["history"]]


@pytest.mark.parametrize(("target", "when"), [*INSIDE, *OUTSIDE])
def test_killed_while_it_publishes_what_is_due_it_is_done_once(
    desk: Desk,  # noqa: F811
    target: str,
    when: str,
) -> None:
    desk.manage("release", "submit", 2)
    desk.manage("release", "schedule", 2, "--at", in_days(1), "--time-zone", "UTC")
    run(desk, days=2, target=target, when=when)
    is_done = (target, when) in OUTSIDE
    desk.recover()
    desk.assert_consistent()
    assert schedules(desk)["publish"]["state"] == ("late" if is_done else "waiting")
    assert len(run(desk, days=2)) == (0 if is_done else 1)
    assert run(desk, days=2) == []
    assert schedules(desk)["publish"]["state"] == "late"
    assert kinds(desk) == ["publish", "publish"]
    desk.recover()
    desk.assert_consistent()
