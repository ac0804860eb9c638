"""`scripts/bench` prints figures of right answers only, and puts them where they belong."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.bench import slow, tables
from tests.bench.__main__ import DOCUMENT
from tests.bench.load import Load, drive_here
from tests.bench.measuring import Outcome, Sample, compare, switch
from tests.bench.scenarios import SCENARIOS, Request, Scenario, Wrong, check
from tests.bench.servers import OURS, WHITENOISE, Server
from tests.bench.tables import NoPlace, comparison, fill, slow_clients
from tests.serving import PROJECT, free_port

CONTENT = b"p { order: 1 }\n" * 100
SMALL = Scenario("small", "basic", "one file", connections=2)
ASKED = [Request("/small.css", CONTENT)]

type Reply = Callable[[int], bytes]  # how many requests came before → what is sent


def whole(_: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(CONTENT), CONTENT)


@contextmanager
def answering(reply: Reply) -> Iterator[int]:
    """Answer each request on a port with what `reply` gives, and close where that is nothing."""
    asked = 0

    def serve(connection: socket.socket) -> None:
        nonlocal asked
        with connection, suppress(ConnectionError):
            while connection.recv(1 << 16):
                data, asked = reply(asked), asked + 1
                if not data:
                    return
                connection.sendall(data)

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


class Standing(Server):
    """A server that runs already, as part of this process."""

    def cpu_seconds(self) -> float:
        return 0.0


@pytest.fixture
def no_wrk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.load.find", lambda program: "")


def compared(reply: Reply, folder: Path) -> Outcome:
    with answering(reply) as port:
        server = Standing(OURS, [], port, folder)
        return compare(SMALL, [server], ASKED, rounds=2, seconds=0.05, work=folder)[OURS]


def sample(*, requests: int, p50_ms: float, cpu_seconds: float) -> Sample:
    return Sample(
        Load(requests, 1.0, requests * 1_000, 0, p50_ms, p50_ms * 2, p50_ms * 4), cpu_seconds, 0.5, 0.0
    )


@pytest.mark.acceptance
def test_the_command_compares_assetsite_with_whitenoise(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    words = [
        "--scenario",
        "small,switch",
        "--rounds",
        "1",
        "--seconds",
        "1",
        "--paths",
        "50",
        "--json",
        str(file),
    ]
    done = subprocess.run([PROJECT / "scripts/bench", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = {tuple(row.split(" | ")[:2]): row for row in done.stdout.splitlines()}
    ours, theirs = rows["| small, req/s", OURS], rows["| small, req/s", WHITENOISE]
    assert "WRONG" not in ours + theirs
    assert float(ours.split(" | ")[3].split()[0]) > 0
    assert any(row.startswith("| to and fro, ") for row in done.stdout.splitlines())
    found = json.loads(file.read_text())
    assert found["scenarios"]["small"][OURS]["samples"][0]["load"]["requests"] > 0
    assert found["switching"]["wrong"] == ""


@pytest.mark.acceptance
def test_the_profile_gives_each_step_of_each_kind_of_request() -> None:
    done = subprocess.run(
        [PROJECT / "scripts/bench", "--profile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [row.strip("| ").split(" | ") for row in done.stdout.splitlines() if row.startswith("| a ")]
    assert len(rows) == 5
    for _, parse, *_, whole_request in rows:
        assert 0 < float(parse) < float(whole_request)


def test_an_unknown_scenario_is_refused_by_name() -> None:
    command = [str(PROJECT / "scripts/bench"), "--scenario", "small,smal"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such scenario: smal" in done.stderr


@pytest.mark.parametrize(("content", "is_right"), [(CONTENT, True), (b"another", False)])
def test_who_asks_beside_slow_clients_waits_for_a_right_answer(
    monkeypatch: pytest.MonkeyPatch, content: bytes, is_right: bool
) -> None:
    monkeypatch.setattr(slow, "CLIENTS", 4)
    with answering(whole) as port:
        found = slow.probe(port, Request("/small.css", content), ASKED[0], seconds=0.2)
    assert found.waited_ms
    assert (min(found.waited_ms) < slow.NEVER_MS) is is_right
    assert f"| {OURS} | {len(found.waited_ms)} | " in slow_clients({OURS: found})


def test_probes_that_wait_too_long_are_not_soon() -> None:
    assert slow.Probes([1, slow.SOON_MS, slow.SOON_MS + 1, slow.NEVER_MS]).share_soon == 0.5


def test_right_answers_get_a_figure(tmp_path: Path, no_wrk: None) -> None:
    outcome = compared(whole, tmp_path)
    assert outcome.wrong == ""
    assert len(outcome.samples) == 2
    assert outcome.samples[0].load.requests > 0
    assert outcome.samples[0].load.bytes >= len(CONTENT) * outcome.samples[0].load.requests


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (lambda _: whole(0).replace(b"order: 1", b"order: 2"), "bytes sent are not the file's"),
        (lambda _: whole(0).replace(b"200", b"203"), "status 203"),
        (lambda before: whole(0) if before < 1 else whole(0).replace(b"200", b"500"), "answers failed"),
        (
            lambda before: whole(0) if before < 1 else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "are due",
        ),
        (lambda before: whole(0) if before < 1 else b"", "closed while timed"),
    ],
    ids=["other bytes", "other status", "failures under load", "too little under load", "closed under load"],
)
def test_a_wrong_answer_is_refused_a_figure(reply: Reply, why: str, tmp_path: Path, no_wrk: None) -> None:
    outcome = compared(reply, tmp_path)
    assert why in outcome.wrong
    assert outcome.samples == []
    table = comparison({"small": {OURS: outcome}})
    assert f"| small, req/s | {OURS} | | | | | WRONG: " in table


def test_a_server_that_ends_while_it_starts_is_refused_with_its_last_words(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo no such option; exit 3"]
    with pytest.raises(Wrong, match=r"(?s)did not start: .*no such option"):
        Server("nginx", command, free_port(), tmp_path).start(ASKED[0])


def test_a_range_must_be_the_one_that_was_asked_for() -> None:
    request = Request("/small.css", CONTENT, (("Range", "bytes=0-9"),), 206, (0, 9))
    head = (
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nContent-Range: bytes %b\r\n\r\n"
        + CONTENT[:10]
    )
    with answering(lambda _: head % b"0-9/1500") as port:
        assert check(port, [request]) == ([request], 10)
    with answering(lambda _: head % b"1-10/1500") as port, pytest.raises(Wrong, match="Content-Range"):
        check(port, [request])


def test_a_conditional_request_carries_the_tag_of_its_server() -> None:
    tagged = whole(0).replace(b"OK\r\n", b'OK\r\nETag: "one"\r\n')
    asked = [Request("/small.css", CONTENT, is_conditional=True)]
    with answering(lambda before: b"HTTP/1.1 304 Not Modified\r\n\r\n" if before else tagged) as port:
        (fitted,), _ = check(port, asked)
    assert fitted.status == 304
    assert b'If-None-Match: "one"\r\n' in fitted.wire


def test_each_connection_pauses_before_it_asks_again() -> None:
    an_hour = Scenario("latency", "basic", "paused", connections=3, pause_ms=3_600_000)
    with answering(whole) as port:
        load = drive_here(port, ASKED, an_hour, seconds=0.3)
    assert load.requests == 3
    assert load.p50_ms <= load.p99_ms <= load.longest_ms


def test_switching_ends_with_the_release_that_it_began_with(tmp_path: Path) -> None:
    flips: list[int] = []
    with answering(whole) as port:
        server = Standing(OURS, [], port, tmp_path)
        found = switch(SMALL, server, ASKED, seconds=0.6, flip=lambda: flips.append(1))
    assert found.wrong == ""
    assert found.flips >= 1
    assert len(flips) % 2 == 0
    assert "| none | " in tables.switching(found)


def test_a_ratio_above_one_is_better_than_whitenoise() -> None:
    ours = Outcome(samples=[sample(requests=400, p50_ms=1, cpu_seconds=0.2)])
    theirs = Outcome(samples=[sample(requests=100, p50_ms=3, cpu_seconds=0.5)])
    table = comparison(
        {"small": {OURS: ours, WHITENOISE: theirs}, "latency": {OURS: ours, WHITENOISE: theirs}}
    )
    assert (
        f"| small, req/s | {OURS} | 400 (400 to 400) | 4.00 (4.00 to 4.00) | 500 (500 to 500) | 10.00 ("
        in table
    )
    assert f"| latency, p50 ms | {OURS} | 1.00 (1.00 to 1.00) | 3.00 (" in table
    assert f"| latency, p99 ms | {WHITENOISE} | 6.00 (6.00 to 6.00) |  |" in table


def test_what_disturbed_a_round_is_said() -> None:
    busy = Sample(Load(100, 1.0, 1_000, 0, 1, 2, 3), 0.5, 0.95, 0.4)
    table = comparison({"small": {OURS: Outcome(samples=[busy])}})
    assert "the client was the limit; disturbed: others took 40% of a core |" in table


def test_a_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(DOCUMENT.read_text())
    for block in ("| older |", "| newer |"):
        fill(document, "bench", block)
        fill(document, "budget", "| budget |")
    text = document.read_text()
    assert "| older |" not in text
    assert text.count("| newer |") == text.count("| budget |") == 1
    before, after = DOCUMENT.read_text().split("<!-- bench:")[0], DOCUMENT.read_text().split("budget -->")[-1]
    assert text.startswith(before)
    assert text.endswith(after)


@pytest.mark.parametrize("text", ["", "<!-- end of bench -->\n<!-- bench: filled by scripts/bench -->\n"])
def test_a_document_without_a_place_is_left_alone(text: str, tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(text)
    with pytest.raises(NoPlace, match="bench"):
        fill(document, "bench", "| table |")
    assert document.read_text() == text


def test_the_help_names_every_scenario() -> None:
    done = subprocess.run([PROJECT / "scripts/bench", "--help"], capture_output=True, text=True, check=True)
    assert all(scenario.name in done.stdout for scenario in SCENARIOS)
