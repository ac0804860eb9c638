"""Twenty people publish, roll back and lift holds on one channel at once: one history comes of it.

Four processes with five threads each, every thread with a connection of its own, let go at one moment.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.acceptance.conftest import FIRST, new_database, write_folder
from tests.acceptance.site import PROJECT
from tests.acceptance.test_kill import PREPARE, RECOVER, Desk

pytestmark = [pytest.mark.acceptance, pytest.mark.both_databases]

PROCESSES, THREADS = 4, 5
PEOPLE = [f"person{number}" for number in range(PROCESSES * THREADS)]
RELEASES = 6

# Each person does one thing after another; what came of each is printed as JSON.
ACT = """
import json, sys, threading
import django
django.setup()
from django.db import connection
from apps.accounts.selectors import user_named
from apps.refusals import Refusal
from apps.releases.selectors import channel_named, release_numbered
from apps.releases.services import holding, publishing

def publish(number, actor):
    return publishing.publish(release=release_numbered(number), actor=actor)

def roll_back(to, actor):
    return publishing.roll_back(
        channel=channel_named("production"), to=to or None, reason=f"{actor} saw it fail", actor=actor
    )

def resume(_, actor):
    holding.resume(channel=channel_named("production"), reason=f"{actor} looked", actor=actor)

DO = {"publish": publish, "roll_back": roll_back, "resume": resume}

def live(name, acts, said):
    actor = user_named(name)
    go.wait()
    for act, number in acts:
        try:
            done = DO[act](number, actor)
        except Refusal as refusal:
            said.append({"who": name, "act": act, "code": refusal.code, "message": str(refusal)})
        else:
            said.append({"who": name, "act": act, "done": done.sequence if done else None})
    connection.close()

people, said, go = json.loads(sys.argv[1]), [], threading.Event()
threads = [threading.Thread(target=live, args=(name, acts, said)) for name, acts in people.items()]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
go.set()
for thread in threads:
    thread.join()
print(json.dumps(said), flush=True)
"""


def acts_of(number: int) -> list[tuple[str, int]]:
    """Return what a person does: two of them publish each release; the others roll back and go on."""
    if number < 2 * RELEASES:
        return [("publish", 2 + number % RELEASES), ("resume", 0)]
    return [("roll_back", number % 2), ("resume", 0)]


@pytest.fixture
def desk(tmp_path: Path, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Desk]:
    """A site with release 1 live, six approved releases on it, and twenty people who may do everything."""
    with new_database(django_db_blocker) as url:
        desk = Desk(tmp_path / "data", url)
        done = desk.python(PREPARE, write_folder(tmp_path / "first", FIRST))
        assert done.returncode == 0, done.stderr
        desk.manage("channel", "set", "production", "--required-approvals", 0)
        done = desk.python(CROWD, RELEASES, *PEOPLE)
        assert done.returncode == 0, done.stderr
        yield desk


CROWD = """
import sys
import django
django.setup()
from apps.accounts.selectors import acting_user
from apps.accounts.roles import Role
from apps.accounts.services import add_user
from apps.assets.intake import take_in
from apps.releases.contents import PutChange
from apps.releases.selectors import channel_named
from apps.releases.services import drafts, review

administrator = acting_user(None)
for name in sys.argv[2:]:
    add_user(username=name, role=Role.MANAGER, password=None, actor=administrator)
for number in range(int(sys.argv[1])):
    changes = [PutChange(take_in([b"%d" % number], path=f"number-{number}.txt"))]
    release = drafts.create_release(
        title=f"Number {number}", channel=channel_named("production"), changes=changes, actor=administrator,
        expected_result="It is there.", rollback_note="Roll back.",
    )
    review.submit(release=release, actor=administrator)
"""


def let_go(desk: Desk) -> list[dict[str, Any]]:
    """Let everybody act at one moment; return what came of each act."""
    names = [PEOPLE[start::PROCESSES] for start in range(PROCESSES)]
    crowd = [{name: acts_of(PEOPLE.index(name)) for name in some} for some in names]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ACT, json.dumps(people)],
            cwd=PROJECT,
            env=desk.environment | {"DJANGO_SETTINGS_MODULE": "assetsite.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for people in crowd
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    said = [process.communicate("go\n")[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    return [row for text in said for row in json.loads(text)]


def test_of_twenty_people_each_is_done_or_told_who_was_first_and_one_history_comes_of_it(desk: Desk) -> None:
    said = let_go(desk)
    shown = desk.manage("channel", "show", "production", "--limit", 100)
    history = shown["history"][::-1]

    assert len(said) == len(PEOPLE) * 2
    assert [row["publication"] for row in history] == list(range(1, len(history) + 1))
    done = {row["done"]: row["who"] for row in said if row.get("done")}
    assert {row["publication"]: row["actor"] for row in history[1:]} == done
    assert len(done) >= 2
    refused = [row for row in said if "code" in row and row["act"] != "resume"]
    assert {row["code"] for row in refused} <= {
        "base_moved",
        "wrong_state",
        "already_live",
        "channel_held",
        "nothing_before",
        "unknown_publication",
    }
    for row in refused:
        if row["code"] != "unknown_publication":
            assert any(name in row["message"] for name in done.values()), row

    desk.python(RECOVER)
    live = desk.manage("channel", "show", "production")["live"]
    pointer = json.loads((desk.data / "storage/channels/production.json").read_text())
    assert (pointer["sequence"], f"sha256:{pointer['digest']}") == (live["publication"], live["digest"])
    states = Counter(row["state"] for row in desk.manage("release", "list"))
    assert states["published"] == 1
    assert desk.manage("audit", "verify")["faults"] == []
    verified = desk.manage("release", "verify")["channels"]
    assert [each["faults"] for each in verified] == [[]] * len(verified)
