"""A disk that fills up, or cannot be written to: what was begun stays, and goes on once there is room."""

import json
import subprocess
import sys

import pytest

from tests.acceptance import deeds
from tests.acceptance.desk import Desk
from tests.acceptance.site import PROJECT

pytestmark = pytest.mark.acceptance

# A file system of its own for storage, with what storage holds and so much room more; then with all of it.
IN_LITTLE_ROOM = """
room=$1; shift
cp -a "$DATA_DIR/storage" "$DATA_DIR/kept"
mount -t tmpfs -o size=64m none "$DATA_DIR/storage" || exit 77
cp -a "$DATA_DIR/kept/." "$DATA_DIR/storage"
free=$(df --output=avail -k "$DATA_DIR/storage" | tail -1)
head -c "$((free - room))k" /dev/zero >"$DATA_DIR/storage/filler"
"$@"
ls "$DATA_DIR/storage/unfinished" 2>/dev/null | wc -l
rm "$DATA_DIR/storage/filler"
"$@"
"""


def run(desk: Desk, *command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), env=desk.environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("room_kb", [0, 24, 60])
def test_a_disk_that_is_full_leaves_the_draft_and_the_same_command_finishes_it(
    desk: Desk,
    room_kb: int,
) -> None:
    command = (sys.executable, PROJECT / "manage.py", "release", "submit", 2, "--json")
    unshared = ("unshare", "--map-root-user", "--mount", "sh", "-c", IN_LITTLE_ROOM, "sh", room_kb)
    done = run(desk, *unshared, *command)
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip("no file system of its own can be mounted here")
    refusal, left, report = done.stdout.splitlines()
    error = json.loads(refusal)["error"]
    assert error["code"] == "storage_full", done.stderr
    assert "df -h" in error["next"]
    assert left == "0"
    assert json.loads(report)["state"] == "approved"


@pytest.mark.parametrize("act", ["publish", "rollback"])
@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_what_goes_live_while_storage_takes_nothing_is_served_once_it_does(
    desk: Desk, kind: str, act: str
) -> None:
    """What is decided is decided: people are told that visitors wait for it, and why."""
    desk.manage("release", "submit", 2)
    if act == "rollback":
        desk.manage("release", "publish", 2)
    words = ["publish", "2"] if act == "publish" else ["rollback", "--reason", "broken"]
    done = desk.attempt(deeds.on_a_disk_of_its_own, kind, "release", *words)
    if done.returncode == 77:
        pytest.skip("no file system of its own can be mounted here")
    assert done.returncode == 0, done.stderr
    pointer, lines = json.loads(done.stdout.splitlines()[-1])
    number = 2 if act == "publish" else 3
    assert pointer["sequence"] == number - 1
    assert "Storage has not taken its pointer yet" in done.stdout
    assert ("There is no room in" if kind == "full" else "cannot be written to") in done.stderr
    assert "Traceback" not in done.stderr
    assert any(f"now names publication {number}" in line for line in lines)
