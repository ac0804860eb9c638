"""Twenty people publish, roll back and lift holds on one channel at once: one history comes of it.

Four processes with five threads each, every thread with a connection of its own, let go at one moment.
"""

import json
from collections import Counter
from typing import Any

import pytest

from tests.acceptance import crowds
from tests.acceptance.desk import Desk

pytestmark = [pytest.mark.acceptance, pytest.mark.both_databases]

PROCESSES, THREADS = 4, 5
PEOPLE = [f"person{number}" for number in range(PROCESSES * THREADS)]
RELEASES = 6


def let_go(desk: Desk, acts: dict[str, crowds.Acts]) -> list[dict[str, Any]]:
    """Let everybody act at one moment; return what came of each act."""
    people = list(acts)
    groups = [{name: acts[name] for name in people[start::PROCESSES]} for start in range(PROCESSES)]
    said: list[dict[str, Any]] = json.loads(desk.do(crowds.let_go, groups))
    return said


def acts_of(number: int, releases: list[int]) -> crowds.Acts:
    """Return what a person does: two of them publish each release; the others roll back and go on."""
    if number < 2 * RELEASES:
        return [("publish", releases[number % RELEASES]), ("resume", 0)]
    return [("roll_back", number % 2), ("resume", 0)]


def test_of_twenty_people_each_is_done_or_told_who_was_first_and_one_history_comes_of_it(desk: Desk) -> None:
    releases = json.loads(desk.do(crowds.gather, RELEASES, PEOPLE))
    said = let_go(desk, {name: acts_of(number, releases) for number, name in enumerate(PEOPLE)})
    shown = desk.manage("channel", "show", "production", "--limit", 100)
    history = shown["history"][::-1]

    assert len(said) == len(PEOPLE) * 2
    assert [row["publication"] for row in history] == list(range(1, len(history) + 1))
    done = {row["done"]: row["who"] for row in said if row.get("done")}
    assert {row["publication"]: row["actor"] for row in history[1:]} == done
    assert done
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
            assert any(name in row["message"] for name in {"admin", *done.values()}), row

    desk.recover()
    live = desk.manage("channel", "show", "production")["live"]
    pointer = json.loads((desk.data / "storage/channels/production.json").read_text())
    assert (pointer["sequence"], f"sha256:{pointer['digest']}") == (live["publication"], live["digest"])
    states = Counter(row["state"] for row in desk.manage("release", "list"))
    assert states["published"] == 1
    assert desk.manage("audit", "verify")["faults"] == []
    verified = desk.manage("release", "verify")["channels"]
    assert [each["faults"] for each in verified] == [[]] * len(verified)


def test_of_those_who_write_the_same_rule_at_once_one_does_and_the_others_are_told(desk: Desk) -> None:
    """Some save one rule, some add rules of one name, and some change the order meanwhile."""
    wanted: list[tuple[str, int]] = [("save_rule", 1), ("add_rule", 0), ("add_rule", 1), ("move_rule", 0)]
    acts: dict[str, crowds.Acts] = {
        name: [wanted[number // PROCESSES]] for number, name in enumerate(PEOPLE[: len(wanted) * PROCESSES])
    }
    acts[PEOPLE[-1]] = [("move_rule", 1)] * 3
    desk.do(crowds.gather, 0, list(acts))
    let_go(desk, {PEOPLE[-1]: [("add_rule", 2)]})
    said = let_go(desk, acts)

    def told(people: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
        rows = [row for row in said if row["who"] in people]
        return [row["who"] for row in rows if "done" in row], [
            (row["code"], row["message"]) for row in rows if "code" in row
        ]

    codes = ["version_moved", "invalid_rule", "invalid_rule"]
    for number, code in enumerate(codes):
        first, others = told(PEOPLE[number * PROCESSES : (number + 1) * PROCESSES])
        assert len(first) == 1, others
        assert {each for each, _ in others} == {code}, others
        assert number or all(f"{first[0]} has saved version 2" in words for _, words in others)
    assert told([*PEOPLE[12:16], PEOPLE[-1]])[1] == []
    listed = {row["rule"] for row in desk.manage("rule", "list")["rules"]}
    assert len(listed & {"fonts", *(f"icons-{name}" for name in PEOPLE)}) == 2
    assert desk.manage("audit", "verify")["faults"] == []


def test_what_is_on_hold_is_published_by_nobody_who_was_about_to(desk: Desk) -> None:
    """Some ship again and again, while one holds the channel and another one stops all of them."""
    holder, stopper, *shippers = PEOPLE[:8]
    desk.do(crowds.gather, 0, [holder, stopper, *shippers])
    acts: dict[str, crowds.Acts] = {name: [("ship", 1), ("ship", 2)] for name in shippers}
    acts[holder] = [("hold", 0), ("resume", 0), ("hold", 0), ("resume", 0), ("hold", 0)]
    acts[stopper] = [("stop", 0), ("resume_all", 0), ("stop", 0), ("resume_all", 0)]
    said = let_go(desk, acts)

    assert {row["code"] for row in said if "code" in row} <= {"channel_held", "base_moved"}, said
    held: set[str] = set()
    for entry in desk.manage("audit", "list", "--limit", 500)["entries"][::-1]:
        if entry["action"] in {"channel.hold", "channel.stop"}:
            held.add(entry["target"])
        elif entry["action"] == "channel.resume":
            held.remove(entry["target"])
        elif entry["action"] == "release.publish":
            assert not held, entry
    assert held == {"channel production"}
    refused = [row["message"] for row in said if row.get("code") == "channel_held"]
    assert all(f"on hold by {holder}" in words or f"on hold by {stopper}" in words for words in refused)
    (last,) = let_go(desk, {shippers[0]: [("ship", 3)]})
    assert f"production is on hold by {holder}" in last["message"]
