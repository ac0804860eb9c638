"""Kill -9 at every instant of every act: the next start finds it done or not done, and goes on from there."""

import json

import pytest

from tests.acceptance import instants
from tests.acceptance.acts import ACTS
from tests.acceptance.desk import Desk

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("act", ACTS)
def test_killed_at_any_instant_an_act_is_done_or_not_and_is_done_by_the_same_command(
    desk: Desk, act: str
) -> None:
    found = json.loads(desk.do(instants.kill_everywhere, act).splitlines()[-1])
    assert [each for each in found if each["faults"]] == []
    assert [each for each in found if each["then"] != "after"] == []
    assert {each["where"] for each in found} == {"before", "after"}
