"""Kill -9 of a command: the next start says what it put right, and the same command goes on from there.

At which instants whatever else may be killed: test_instants.py.
"""

import pytest

from tests.acceptance.desk import Desk

pytestmark = [pytest.mark.acceptance, pytest.mark.both_databases]


def test_killed_while_a_release_is_built_it_is_still_a_draft_which_is_submitted_again(desk: Desk) -> None:
    desk.kill("apps.assets.store.put_file", "before", "release", "submit", 2)
    (line,) = desk.recover()
    assert line.startswith("removed 1 unfinished file")
    desk.assert_consistent()
    assert desk.manage("release", "show", 2)["state"] == "draft"
    assert desk.manage("release", "submit", 2)["state"] == "approved"


def test_killed_before_storage_is_told_the_next_start_tells_it_of_what_is_live(desk: Desk) -> None:
    desk.manage("release", "submit", 2)
    desk.kill("apps.assets.store.replace", "before", "release", "publish", 2)
    assert any("now names publication 2" in line for line in desk.recover())
    desk.assert_consistent()
    desk.kill("apps.assets.store.replace", "before", "release", "rollback", "--reason", "broken")
    assert any("now names publication 3" in line for line in desk.recover())
    desk.assert_consistent()
    assert desk.manage("release", "receipt", 3)["state"] == "open", "never none"
