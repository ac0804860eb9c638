"""Rounds: every server is checked, timed in its turn, and checked again."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.load import Load, drive, drive_here
from tests.bench.scenarios import Request, Scenario, Wrong, check
from tests.bench.servers import CORES, TICKS, Server

SETTLED_SHARE = 0.1  # of a core: what else may run beside before a figure says so
LEAST_BYTES_SHARE = 0.7  # of what is due for an answer, in the mean of those that were timed
FLIP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """One server in one round. Shares are of one core; `others_share` is what unrelated programs took."""

    load: Load
    cpu_seconds: float
    client_share: float
    others_share: float

    @property
    def cpu_microseconds(self) -> float:
        """The server's processor time for one answer."""
        return self.cpu_seconds / self.load.requests * 1e6


@dataclass(slots=True)
class Outcome:
    """One server in one scenario: why it does not count, or what every round saw."""

    wrong: str = ""
    mean_bytes: float = 0
    samples: list[Sample] = field(default_factory=list)

    def median_of(self, value: Callable[[Sample], float]) -> float:
        return median(value(sample) for sample in self.samples)


@dataclass(slots=True)
class Switching:
    """Load on Assetsite while its pointer does not change, and while it does."""

    wrong: str = ""
    flips: int = 0
    still: Load | None = None
    flipping: Load | None = None


def compare(
    scenario: Scenario,
    servers: Sequence[Server],
    asked: list[Request],
    *,
    rounds: int,
    seconds: float,
    work: Path,
) -> dict[str, Outcome]:
    """Time the servers in turn, each round beginning with another one. A `Wrong` one gets no figures."""
    outcomes = {server.name: Outcome() for server in servers}
    fitted: dict[str, list[Request]] = {}

    def step(server: Server, number: int) -> None:
        outcome, file = outcomes[server.name], work / f"{server.name}.list"
        if number in (0, rounds + 1):
            fitted[server.name], outcome.mean_bytes = check(server.port, asked)
        if number == 0:  # warm
            drive(server.port, fitted[server.name], scenario, seconds=min(seconds, 1), at=0, file=file)
        elif number <= rounds:
            outcome.samples.append(
                _sample(
                    server,
                    fitted[server.name],
                    scenario,
                    seconds=seconds,
                    at=number / (rounds + 1),
                    file=file,
                )
            )
            _judge(outcome.samples[-1].load, outcome.mean_bytes)

    for number in range(rounds + 2):
        first = number % len(servers)
        for server in [*servers[first:], *servers[:first]]:
            outcome = outcomes[server.name]
            try:
                if not outcome.wrong:
                    step(server, number)
            except (Wrong, OSError) as fault:
                outcome.wrong = str(fault)
                outcome.samples.clear()
    return outcomes


def switch(
    scenario: Scenario, server: Server, asked: list[Request], *, seconds: float, flip: Callable[[], None]
) -> Switching:
    """Put load on a server, first as it is, then while `flip` points its channel at another release."""
    found = Switching()

    def flip_once() -> None:
        found.flips += 1
        flip()

    try:
        mean_bytes = check(server.port, asked)[1]
        found.still = drive_here(server.port, asked, scenario, seconds=seconds)
        found.flipping = drive_here(
            server.port, asked, scenario, seconds=seconds, every=(FLIP_SECONDS, flip_once)
        )
        for load in (found.still, found.flipping):
            _judge(load, mean_bytes)
        if found.flips % 2:
            flip()
        _until_right(server.port, asked)
    except (Wrong, OSError) as fault:
        found.wrong = str(fault)
    return found


def _until_right(port: int, asked: list[Request], *, most_seconds: float = 10) -> None:
    """Wait until the server has followed the pointer back."""
    begun = time.monotonic()
    while True:
        try:
            check(port, asked)
        except Wrong:
            if time.monotonic() > begun + most_seconds:
                raise
            time.sleep(0.1)
        else:
            return


def _judge(load: Load, mean_bytes: float) -> None:
    """Refuse a round whose answers, seen as a whole, cannot have been the right ones."""
    if load.failures:
        raise Wrong(f"{load.failures} answers failed while timed")
    if load.bytes / load.requests < LEAST_BYTES_SHARE * mean_bytes:
        raise Wrong(
            f"{load.bytes / load.requests:,.0f} bytes an answer while timed, where {mean_bytes:,.0f} are due"
        )


def _sample(
    server: Server, asked: list[Request], scenario: Scenario, *, seconds: float, at: float, file: Path
) -> Sample:
    begun, served, own, busy = time.monotonic(), server.cpu_seconds(), _own_seconds(), _busy_seconds()
    load = drive(server.port, asked, scenario, seconds=seconds, at=at, file=file)
    served, own, busy = server.cpu_seconds() - served, _own_seconds() - own, _busy_seconds() - busy
    wall = time.monotonic() - begun  # a client prepares its requests as well
    return Sample(load, served, own / wall, max(busy - served - own, 0) / wall)


def _own_seconds() -> float:
    """Return the processor time of this program and of the clients it has run."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _busy_seconds() -> float:
    """Return the time that the cores in use have spent on anything, whoever asked for it."""
    names = {f"cpu{core}" for core in (CORES[0], CORES[-1])}
    rows = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    counts = [[int(count) for count in row[1:9]] for row in rows if row and row[0] in names]
    return sum(sum(count) - count[3] - count[4] for count in counts) / TICKS
