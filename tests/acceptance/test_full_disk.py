"""A disk that fills up while a release is built: the draft stays, and the same command goes on later."""

import json
import subprocess
import sys

import pytest

from tests.acceptance.site import PROJECT
from tests.acceptance.test_kill import Desk, desk, prepared  # noqa: F401 - fixtures

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


def run(desk: Desk, *command: object) -> subprocess.CompletedProcess[str]:  # noqa: F811
    return subprocess.run(
        list(map(str, command)), env=desk.environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("room_kb", [0, 24, 60])
def test_a_disk_that_is_full_leaves_the_draft_and_the_same_command_finishes_it(
    desk: Desk,  # noqa: F811
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
