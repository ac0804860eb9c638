"""What a node says in storage of the publications that its workers serve."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from apps.delivery.files.locks import alone
from apps.delivery.following import Reporter, node_id
from apps.delivery.node import Node
from apps.releases.channels.node_status import (
    HEARTBEAT,
    SILENT_AFTER,
    BrokenStatus,
    NodeStatus,
    Serving,
    WorkerStatus,
    dump,
    following_of,
    parse,
)
from tests.delivery.conftest import SITE
from tests.serving import Published

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def node(published: Published) -> Node:
    node = Node({"localhost": "production", "staging.example.com": "staging"})
    node.refresh()
    return node


@pytest.fixture
def reporter(node: Node, clock: Clock, settings: Settings, tmp_path: Path) -> Reporter:
    settings.DATA_DIR = tmp_path / "data"
    return Reporter(node, clock=clock)


def said(reporter: Reporter, published: Published) -> NodeStatus:
    return parse((published.folder / reporter.name).read_bytes())


@pytest.fixture
def another_process() -> Iterator[int]:
    """The number of a process that runs beside this one."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def test_a_node_says_what_it_serves_and_since_when(
    reporter: Reporter, node: Node, published: Published, clock: Clock
) -> None:
    reporter.turn()
    (worker,) = said(reporter, published).workers
    digest = node.live["production"].digest
    assert worker.pid == os.getpid()
    assert worker.channels == {"production": Serving(1, digest, START), "staging": None}

    published.publish(2, SITE | {"ten.txt": b"new"})
    node.refresh()
    clock.now += SECOND
    reporter.turn()
    serving = said(reporter, published).workers[0].channels["production"]
    assert serving
    assert (serving.sequence, serving.since) == (2, START + SECOND)


def test_nothing_is_written_while_nothing_changes_but_a_slow_heartbeat(
    reporter: Reporter, published: Published, clock: Clock
) -> None:
    reporter.turn()
    file = published.folder / reporter.name
    before = file.stat().st_ino
    clock.now += SECOND
    reporter.turn()
    assert file.stat().st_ino == before
    clock.now += HEARTBEAT
    reporter.turn()
    status = said(reporter, published)
    assert status.at == clock.now
    serving = status.workers[0].channels["production"]
    assert serving
    assert serving.since == START, "it has served that since then"


def test_the_workers_of_a_node_share_one_file(
    reporter: Reporter, node: Node, published: Published, clock: Clock, another_process: int
) -> None:
    other = Reporter(node, pid=another_process, clock=clock)
    for each in (reporter, other):
        each.turn()
    assert reporter.name == other.name
    assert {worker.pid for worker in said(reporter, published).workers} == {os.getpid(), another_process}
    other.leave()
    assert [worker.pid for worker in said(reporter, published).workers] == [os.getpid()]
    reporter.leave()
    assert not (published.folder / reporter.name).exists()


def test_a_worker_that_was_killed_is_forgotten_when_the_next_one_speaks(
    reporter: Reporter, node: Node, published: Published, clock: Clock
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    Reporter(node, pid=gone.pid, clock=clock).turn()
    reporter.turn()
    assert [worker.pid for worker in said(reporter, published).workers] == [os.getpid()]


def test_words_that_a_crash_has_cut_off_are_nobodys(
    reporter: Reporter, published: Published, settings: Settings
) -> None:
    reporter.turn()
    folder = Path(settings.DATA_DIR, "workers", Path(reporter.name).stem)
    (folder / "77.json").write_text('{"format": 1, "no')
    (folder / "told").write_text("{")
    reporter.leave()
    assert not (published.folder / reporter.name).exists()
    assert not list(folder.glob("*.json"))


def test_who_is_being_summed_up_by_another_is_told_of_at_the_next_turn(
    reporter: Reporter, published: Published, settings: Settings, clock: Clock
) -> None:
    folder = Path(settings.DATA_DIR, "workers", Path(reporter.name).stem)
    with alone(folder / "telling"):
        reporter.turn()
        assert not (published.folder / reporter.name).exists()
    reporter.turn()
    assert said(reporter, published).workers


def test_a_storage_that_takes_nothing_is_said_once_and_does_no_harm(
    reporter: Reporter, node: Node, published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    (published.folder / "nodes").write_text("a file where a folder should be")
    for _ in range(3):
        reporter._try_turn()
    assert caplog.text.count("cannot be written down") == 1
    assert node.live["production"].number == 1
    (published.folder / "nodes").unlink()
    reporter._try_turn()
    assert said(reporter, published).workers
    (published.folder / reporter.name).unlink()
    (published.folder / reporter.name).mkdir()
    (published.folder / reporter.name / "in the way").touch()
    reporter.leave()


def test_a_node_has_the_same_name_after_each_start_and_no_other_has_it() -> None:
    name = node_id("Web_1.example.com", Path("/srv/data"))
    assert name == node_id("Web_1.example.com", Path("/srv/data"))
    assert name.startswith("web-1-example-com-")
    assert len({name, node_id("web-2", Path("/srv/data")), node_id("Web_1.example.com", Path("/srv/b"))}) == 3
    assert node_id("…", Path("/")).startswith("node-")


moments = st.datetimes(timezones=st.just(UTC))
servings = st.builds(Serving, st.integers(1, 9), st.text("0123456789abcdef", max_size=64), moments)
workers = st.builds(
    WorkerStatus,
    st.integers(1, 99),
    st.dictionaries(st.sampled_from(["production", "staging"]), st.none() | servings),
)
statuses = st.builds(NodeStatus, st.text(), st.text(), moments, st.lists(workers).map(tuple))


@given(statuses)
def test_what_is_written_is_read(status: NodeStatus) -> None:
    assert parse(dump(status)) == status


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"at": "2026-11-28T12:00:00"},
        {"at": 7},
        {"workers": [{"pid": 1}]},
        {"workers": [{"pid": 1, "channels": {"production": {"sequence": 1}}}]},
        {"workers": None},
    ],
)
def test_what_no_node_has_written_is_refused(change: dict[str, object]) -> None:
    words = json.loads(dump(NodeStatus("n", "h", START, ())))
    with pytest.raises(BrokenStatus):
        parse(json.dumps(words | change).encode())


def a_node(name: str, *sequences: int | None, at: datetime = START) -> NodeStatus:
    """A node with a worker for each of these publications of production."""
    return NodeStatus(
        name,
        name,
        at,
        tuple(
            WorkerStatus(
                pid, {"production": Serving(sequence, "d", START + SECOND * sequence) if sequence else None}
            )
            for pid, sequence in enumerate(sequences)
        ),
    )


def test_a_publication_is_followed_when_every_worker_that_is_heard_of_serves_it_or_a_later_one() -> None:
    all_of_them = following_of([a_node("b", 3, 4), a_node("a", 3)], "production", 3, now=START)
    assert all_of_them.is_complete
    assert (all_of_them.workers, all_of_them.following) == (3, 3)
    assert [node.node for node in all_of_them.nodes] == ["a", "b"]
    assert all_of_them.since == START + SECOND * 4

    some = following_of([a_node("a", 2, 3), a_node("b", None)], "production", 3, now=START)
    assert not some.is_complete
    assert (some.workers, some.following) == (3, 1)
    assert [node.has_followed for node in some.nodes] == [False, False]


def test_nobody_waits_for_a_node_that_is_silent_or_serves_other_channels() -> None:
    silent = a_node("a", 2, at=START - SILENT_AFTER - SECOND)
    found = following_of([silent, a_node("b", 3)], "production", 3, now=START)
    assert found.is_complete
    assert [node.is_silent for node in found.nodes] == [True, False]
    assert following_of([a_node("b", 3)], "staging", 1, now=START).nodes == ()
    assert not following_of([silent], "production", 2, now=START).is_complete, "nobody is heard of"
