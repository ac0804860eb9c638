"""What is counted of the answers at each front door, and how a worker writes it down."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.assets import store
from apps.assets.store import blob_name
from apps.delivery import counting
from apps.delivery.counting import CountWriter
from apps.delivery.counts import BrokenCounts, Counted, dump, parse
from apps.delivery.front import Front
from apps.delivery.node import Node, current_node
from apps.delivery.tally import Figures
from apps.releases.channels.targets import OWN_AGENT
from tests.delivery.conftest import SITE, STYLE, STYLE_GZIP, TEN
from tests.delivery.doors import ask_middleware
from tests.delivery.test_front import connect, front
from tests.serving import Published, sha256

__all__ = ["front"]

START = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
HOUR = datetime(2026, 11, 28, 12, tzinfo=UTC)
PAGE_SIZE = len(SITE["index.html"])

type Ask = Callable[..., object]


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ask_connection(front: Front, target: str, *, method: str = "GET", **headers: str) -> None:
    """Ask over a connection of the worker's, which goes the plain way where it can."""
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    connection, transport = connect(front)
    connection.data_received(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())

    async def answered() -> None:
        while not transport.written:  # a file that has to be brought first
            await asyncio.sleep(0)

    front.loop.run_until_complete(asyncio.wait_for(answered(), timeout=10))


@pytest.fixture(params=["connection", "middleware"])
def ask(request: pytest.FixtureRequest, published: Published) -> Ask:
    if request.param == "middleware":
        return ask_middleware
    front: Front = request.getfixturevalue("front")
    ask_connection(front, "/never-was")  # the plain way knows a host once it was asked for
    return lambda target, **headers: ask_connection(front, target, **headers)


def counted() -> dict[str, Figures]:
    """Return what was counted since this was last asked, by rule, where there was anything."""
    found = {
        rule: tally.take()
        for publication in current_node().counted
        for (rule, _), tally in publication.tallies.by_rule.items()
    }
    return {rule: figures for rule, figures in found.items() if any(figures)}


def test_answers_are_counted_for_their_rule_with_the_bytes_of_their_bodies(ask: Ask) -> None:
    ask("/")
    ask("/")
    ask("/ten.txt")
    assert counted() == {
        "pages": Figures(sent=2, body_bytes=2 * PAGE_SIZE),
        "everything": Figures(sent=1, body_bytes=10),
    }
    ask("/css/site.css", accept_encoding="gzip")
    ask("/css/site.css", accept_encoding="gzip;q=0.5")
    ask("/css/site.css")
    assert counted() == {"everything": Figures(sent=3, body_bytes=2 * len(STYLE_GZIP) + len(STYLE))}


def test_each_kind_of_answer_counts_as_what_it_is(ask: Ask) -> None:
    tag = f'"{sha256(TEN)}"'
    ask("/ten.txt", method="HEAD")
    assert counted() == {"everything": Figures(sent=1)}
    ask("/ten.txt", if_none_match=tag)
    ask("/ten.txt", if_none_match=f'"x", {tag}')
    assert counted() == {"everything": Figures(not_modified=2)}
    ask("/ten.txt", range="bytes=2-4")
    ask("/ten.txt", range="bytes=-1")
    assert counted() == {"everything": Figures(sent=2, body_bytes=4)}
    ask("/ten.txt", range="bytes=10-")
    ask("/ten.txt", if_match='"x"')
    (failed,) = counted().values()
    assert (failed.failed, failed.sent) == (2, 0)


def test_what_no_rule_is_about_is_not_counted(ask: Ask) -> None:
    for target in ("/never-was", "/docs"):
        ask(target)
    ask("/ten.txt", method="POST")
    assert counted() == {}


def test_what_the_site_asks_of_itself_is_not_counted(ask: Ask) -> None:
    ask("/ten.txt", method="HEAD", user_agent=OWN_AGENT)
    assert counted() == {}


@pytest.mark.parametrize("damage", ["gone", "other"])
def test_a_file_that_storage_has_lost_is_an_error_of_its_rule(
    ask: Ask, published: Published, damage: str
) -> None:
    file = published.folder / blob_name(sha256(TEN))
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(b"something else")
    ask("/ten.txt")
    assert counted()["everything"].failed == 1


@pytest.fixture
def node(published: Published) -> Node:
    node = Node({"localhost": "production"})
    node.refresh()
    return node


@pytest.fixture
def writer(node: Node, clock: Clock) -> CountWriter:
    return CountWriter(node, clock=clock)


def answered(node: Node, path: str = "ten.txt", *, times: int = 1) -> None:
    resource = node.live["production"].find(path)
    assert resource
    for _ in range(times):
        resource.tally.add(200, 10)


def written(folder: Path) -> list[Counted]:
    return [line for file in sorted((folder / "counts").glob("*.json")) for line in parse(file.read_bytes())]


def requests(folder: Path) -> list[tuple[int, int]]:
    """Return publication and requests of each line that was written."""
    return sorted((line.publication, line.requests) for line in written(folder))


def test_what_was_counted_is_written_once_a_minute_and_once_an_hour(
    writer: CountWriter, node: Node, published: Published, clock: Clock
) -> None:
    answered(node, times=3)
    writer.turn()
    assert written(published.folder) == []
    clock.now += timedelta(minutes=1)
    writer.turn()
    assert written(published.folder) == [Counted("production", 1, "everything", 1, HOUR, 3, 30, 0, 0)]
    clock.now = HOUR + timedelta(minutes=59, seconds=50)
    writer.turn()  # nothing was asked for meanwhile
    answered(node)
    clock.now += timedelta(seconds=20)
    writer.turn()
    assert [(line.hour, line.requests) for line in written(published.folder) if line.requests < 3] == [
        (HOUR, 1)
    ]


def test_nothing_is_lost_when_another_release_takes_its_place(
    writer: CountWriter, node: Node, published: Published
) -> None:
    answered(node, times=2)
    before = node.live["production"]
    published.publish(2, SITE)
    node.refresh()
    answered(node)
    writer.write()
    late = before.find("ten.txt")
    assert late
    late.tally.add(200, 10)  # whoever was being answered when it was let go
    writer.write()
    assert requests(published.folder) == [(1, 1), (1, 2), (2, 1)]
    writer.write()
    assert [each.sequence for each in node.counted] == [2]


def test_names_of_earlier_publications_change_nothing_that_was_counted(node: Node) -> None:
    answered(node)
    node.live["production"] = node.live["production"].with_names(None)
    answered(node)
    ((publication,),) = [node.counted]
    assert publication.tallies.of("everything", 1).take().sent == 2


def test_what_storage_refuses_is_kept_and_said_once(
    writer: CountWriter,
    node: Node,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    replace = store.replace

    def written_but_refused(name: str, content: bytes) -> None:
        replace(name, content)
        raise OSError("No space left on device")

    monkeypatch.setattr(store, "replace", written_but_refused)
    for _ in range(3):
        answered(node)
        writer.write()
    told = [record.message for record in caplog.records if record.name == counting.__name__]
    assert told == [
        "What was asked for cannot be written down; it is kept in memory: OSError('No space left on device')"
    ]
    monkeypatch.setattr(store, "replace", replace)
    writer.write()
    assert requests(published.folder) == [(1, 1), (1, 2)]  # what was written after all has its name still


def test_what_is_kept_in_memory_is_bounded_and_the_rest_comes_later(
    writer: CountWriter, node: Node, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_LINES", 1)
    answered(node)
    answered(node, "index.html", times=2)
    for _ in range(2):
        writer.write()
    assert sorted((line.rule, line.requests) for line in written(published.folder)) == [
        ("everything", 1),
        ("pages", 2),
    ]


def test_a_process_counts_until_it_ends(
    node: Node, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting.leave()  # of a process that has not begun
    monkeypatch.setattr(CountWriter, "start", lambda self: None)
    counting.count(node)
    answered(node)
    counting.leave()
    assert requests(published.folder) == [(1, 1)]
    monkeypatch.setattr(counting, "_writer", None)


lines = st.builds(
    Counted,
    st.text("abc-", min_size=1, max_size=60),
    st.integers(0, 2**31 - 1),
    st.text("abc-", min_size=1, max_size=60),
    st.integers(0, 2**31 - 1),
    st.integers(0, 10**6).map(lambda hours: datetime.fromtimestamp(hours * 3600, UTC)),
    st.integers(2, 2**53),
    st.integers(0, 2**53),
    st.integers(0, 1),
    st.integers(0, 1),
)


@given(st.lists(lines, max_size=3))
def test_what_was_written_is_read_the_same(counts: list[Counted]) -> None:
    assert parse(dump(counts)) == counts


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"format": 2, "counts": []}',
        b'{"format": 1, "counts": [[]]}',
        *(
            json.dumps({"format": 1, "counts": [line]}).encode()
            for line in (
                ["production", 1, "everything", 1, 3600, 1, 1, 1, 1],  # more than were asked for
                ["production", 1, "everything", 1, 3601, 1, 1, 0, 0],  # no hour
                ["production", 1, "everything", 1, 3600, -1, 1, 0, 0],
                ["production", 2**31, "everything", 1, 3600, 1, 1, 0, 0],
                ["production", 1, "", 1, 3600, 1, 1, 0, 0],
                ["production", 1, "every\0thing", 1, 3600, 1, 1, 0, 0],
                ["production", 1, "every\ud800thing", 1, 3600, 1, 1, 0, 0],  # no database takes it
                ["production", True, "everything", 1, 3600, 1, 1, 0, 0],
                ["production", 1, "everything", 1, 3600, 1, 1, 0],
            )
        ),
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(BrokenCounts):
        parse(content)


def test_more_lines_than_a_worker_writes_are_refused() -> None:
    line = Counted("production", 1, "everything", 1, HOUR, 1, 1, 0, 0)
    with pytest.raises(BrokenCounts, match="20001 lines"):
        parse(dump([line] * 20_001))
