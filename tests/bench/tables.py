"""What the benchmark prints, and where it stands in a document."""

import os
import platform
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from tests.bench.load import Load
from tests.bench.measuring import SETTLED_SHARE, Outcome, Sample, Switching
from tests.bench.scenarios import SCENARIOS, Scenario
from tests.bench.servers import CORES, WHITENOISE, find
from tests.bench.slow import CLIENTS, SOON_MS, Probes

STEPS = ("parse", "look up", "choose", "write", "count")  # of one request, in their order
PACKAGES = ("gunicorn", "gunicorn-h1c", "uvloop", "whitenoise")


class NoPlace(Exception):
    """A document has no place for a table."""


type Metric = tuple[str, Callable[[Sample], float], bool]  # name, value, and whether more is better

_METRICS: dict[str, tuple[Metric, ...]] = {
    "req/s": (("req/s", lambda sample: sample.load.requests / sample.load.seconds, True),),
    "MB/s": (("MB/s", lambda sample: sample.load.bytes / sample.load.seconds / 1e6, True),),
    "ms": (
        ("p50 ms", lambda sample: sample.load.p50_ms, False),
        ("p99 ms", lambda sample: sample.load.p99_ms, False),
    ),
}
_HEAD = (
    "| scenario | server | median (min to max) | ratio | CPU µs a request | ratio of CPU | remarks |\n"
    "|---|---|---|---|---|---|---|"
)


def machine() -> str:
    """Say when, on what machine and with which versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {len(CORES)} cores, Linux {os.uname().release}, "
        f"Python {platform.python_version()}, {packages}."
    )


def players() -> str:
    """Say who asks, and which server from outside Python answers as well."""
    client = _said_by("wrk", "--version").partition(" [")[0] if find("wrk") else "a client in Python"
    nginx = _said_by("nginx", "-v").rpartition("/")[2] if find("nginx") else ""
    shared = " The client shares the servers' core: only the CPU time counts." if len(CORES) == 1 else ""
    return (
        f"Servers on core {CORES[0]}, {client} on core {CORES[-1]}."
        f"{f' With nginx {nginx}.' if nginx else ''}{shared}"
    )


def comparison(outcomes: dict[str, dict[str, Outcome]]) -> str:
    """Return a Markdown table with one row for each server and figure of each scenario."""
    rows = [_HEAD]
    for scenario in SCENARIOS:
        found = outcomes.get(scenario.name, {})
        for metric in _METRICS[scenario.unit]:
            rows += [_row(scenario, metric, name, found) for name in found]
    return "\n".join(rows)


def switching(found: Switching) -> str:
    """Say what a request waits at most while another release goes live."""
    if found.wrong or not found.still or not found.flipping:
        return f"Switching: WRONG {found.wrong}"
    return (
        "| switching | answers | p50 ms | p99 ms | longest ms |\n|---|---|---|---|---|\n"
        f"| none | {_latencies(found.still)}\n"
        f"| to and fro, {found.flips} in all | {_latencies(found.flipping)}"
    )


def slow_clients(found: dict[str, Probes]) -> str:
    """Return a table of how long others wait beside slow clients: server → probes."""
    rows = [
        f"| beside {CLIENTS} slow clients | probes | within {SOON_MS} ms | p50 ms | p99 ms | longest ms |",
        "|---|---|---|---|---|---|",
    ]
    for name, probes in found.items():
        waited = sorted(probes.waited_ms)
        figures = (waited[len(waited) // 2], waited[len(waited) * 99 // 100], waited[-1])
        rows.append(
            f"| {name} | {len(waited):,} | {probes.share_soon:.1%} |"
            f" {' | '.join(f'{figure:.2f}' for figure in figures)} |"
        )
    return "\n".join(rows)


def sizes(found: dict[int, dict[str, tuple[float, float]]]) -> str:
    """Return a table of starts and memory: release size → server → (seconds, megabytes)."""
    rows = ["| paths | server | s to the first right answer | MB after the load |", "|---|---|---|---|"]
    for paths, servers in found.items():
        rows += [
            f"| {paths:,} | {name} | {seconds:.2f} | {megabytes:.1f} |"
            for name, (seconds, megabytes) in servers.items()
        ]
    return "\n".join(rows)


def budget(found: dict[str, dict[str, float]]) -> str:
    """Return the table of a request's steps: kind of request → step → microseconds."""
    rows = [f"| µs | {' | '.join(STEPS)} | between them | whole |", f"|---|{'---|' * (len(STEPS) + 2)}"]
    for kind, steps in found.items():
        between = steps["whole"] - sum(steps[step] for step in STEPS)
        figures = [*(steps[step] for step in STEPS), between, steps["whole"]]
        rows.append(f"| {kind} | {' | '.join(f'{figure:.2f}' for figure in figures)} |")
    return "\n".join(rows)


def fill(document: Path, name: str, block: str, *, by: str = "scripts/bench") -> None:
    """Put `block` between the markers `name` of a document. Raises `NoPlace` where they are missing."""
    text = document.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: filled by {by} -->", f"<!-- end of {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise NoPlace(f"{document} has no place for {name}: it needs the lines {begin} and {end}")
    before, _, rest = text.partition(begin)
    document.write_text(
        f"{before}{begin}\n\n{block.strip()}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8"
    )


def _row(scenario: Scenario, metric: Metric, name: str, found: dict[str, Outcome]) -> str:
    unit, value, more_is_better = metric
    outcome, peer = found[name], found.get(WHITENOISE)
    start = f"| {scenario.name}, {unit} | {name} |"
    if outcome.wrong:
        return f"{start} | | | | WRONG: {' '.join(outcome.wrong.split())[:200]} |"
    own = [value(sample) for sample in outcome.samples]
    cpu = [sample.cpu_microseconds for sample in outcome.samples]
    ratios = cpu_ratios = ""
    if peer is not None and not peer.wrong and name != WHITENOISE:
        others = [value(sample) for sample in peer.samples]
        pairs = zip(own, others, strict=True)
        ratios = spread([mine / other if more_is_better else other / mine for mine, other in pairs])
        theirs = [sample.cpu_microseconds for sample in peer.samples]
        cpu_ratios = spread([other / mine for mine, other in zip(cpu, theirs, strict=True) if mine])
    return f"{start} {spread(own)} | {ratios} | {spread(cpu)} | {cpu_ratios} | {_remarks(outcome)} |"


def spread(values: list[float]) -> str:
    """Return median and extremes; "" of nothing."""
    if not values:
        return ""
    shape = "{:,.0f}" if median(values) >= 100 else "{:.2f}"
    low, middle, high = (shape.format(value) for value in (min(values), median(values), max(values)))
    return f"{middle} ({low} to {high})"


def _remarks(outcome: Outcome) -> str:
    found = []
    server_share = outcome.median_of(lambda sample: sample.cpu_seconds / sample.load.seconds)
    client_share = outcome.median_of(lambda sample: sample.client_share)
    if client_share > 0.9 and server_share < 0.9:
        found.append("the client was the limit")
    others_share = max(sample.others_share for sample in outcome.samples)
    if others_share > SETTLED_SHARE:
        found.append(f"disturbed: others took {others_share:.0%} of a core")
    return "; ".join(found)


def _latencies(load: Load) -> str:
    return f"{load.requests:,} | {load.p50_ms:.2f} | {load.p99_ms:.2f} | {load.longest_ms:.2f} |"


def _processor() -> str:
    found = re.search(r"^model name\s*: *(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _said_by(program: str, option: str) -> str:
    done = subprocess.run([find(program), option], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()
