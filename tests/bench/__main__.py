"""Compare Assetsite with what one would use instead, on this machine.

    scripts/bench                                  # every scenario: some minutes on a quiet machine
    scripts/bench --scenario small,site --rounds 5
    scripts/bench --profile                        # where the time of one request goes
    scripts/bench --write                          # fills docs/performance.md; so does --profile --write

Ratios above 1 are better than WhiteNoise; each is of one round, in which both were timed one after the other.
"""

import argparse
import json
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench import content, servers, slow, tables
from tests.bench.measuring import Outcome, Switching, compare, switch
from tests.bench.scenarios import SCENARIOS, SLOW, Request, Scenario, Wrong, requests
from tests.serving import PROJECT, Gunicorn, Published

DOCUMENT = PROJECT / "docs/performance.md"
FEW_PATHS = 100  # what the memory of a large release is compared with


def main(words: Sequence[str] | None = None) -> None:
    options = arguments(words)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers end with us
    with tempfile.TemporaryDirectory(prefix="assetsite-bench-") as name:
        what, found, block = (
            ("budget", *profile(Path(name))) if options.profile else ("bench", *bench(Path(name), options))
        )
    print(block)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    if options.write:
        tables.fill(DOCUMENT, what, block)


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", default=",".join(names), help="some of: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each scenario (default: 3)")
    parser.add_argument("--seconds", type=float, default=4, help="of each server in each round (default: 4)")
    parser.add_argument("--paths", type=int, default=100_000, help="of a large release (default: 100,000)")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument(
        "--write",
        action="store_true",
        help="put the tables into docs/performance.md, in place of those there",
    )
    parser.add_argument("--profile", action="store_true", help="measure the steps of one request instead")
    options = parser.parse_args(words)
    options.scenario = options.scenario.split(",")
    if unknown := set(options.scenario) - set(names):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if min(options.rounds, options.seconds, options.paths) <= 0:
        parser.error("--rounds, --seconds and --paths have to be above 0")
    return options


def profile(work: Path) -> tuple[Any, str]:
    """Measure the steps of one request in a process of its own; return the figures and their table."""
    environment = Gunicorn(work, workers=1)._environment()
    with servers.pinned(servers.SERVER_CORE):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.budget", work],
            cwd=PROJECT,
            env={**environment, "DJANGO_SETTINGS_MODULE": "assetsite.settings"},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode:
        raise Wrong("the steps could not be measured; the reason is above")
    found = json.loads(done.stdout)
    return found, f"{tables.machine()}\n\n{tables.budget(found)}"


def bench(work: Path, options: argparse.Namespace) -> tuple[Any, str]:
    """Run the scenarios that are asked for; return all figures and their tables."""
    wanted = [scenario for scenario in SCENARIOS if scenario.name in options.scenario]
    outcomes: dict[str, dict[str, Outcome]] = {}
    sizes: dict[int, dict[str, tuple[float, float]]] = {}
    switching: Switching | None = None
    probes: dict[str, slow.Probes] = {}
    for kind, files_of in (("basic", content.basic), ("site", content.site)):
        here = [scenario for scenario in wanted if scenario.content == kind]
        if here:
            with prepared(work / kind, files_of()) as stage:
                for scenario in here:
                    if scenario.name == SLOW:
                        probes = probed(scenario, stage, options)
                    else:
                        outcomes[scenario.name] = timed(scenario, stage, options, work)
    for scenario in wanted:
        if scenario.name == "million":
            for paths in (FEW_PATHS, options.paths):
                outcomes[scenario.name], sizes[paths] = sized(scenario, paths, options, work)
        elif scenario.name == "switch":
            switching = switched(scenario, work / "switch", options)
    found = {
        "machine": f"{tables.machine()} {tables.players()}",
        "rounds": options.rounds,
        "seconds": options.seconds,
        "scenarios": {
            scenario: {server: asdict(outcome) for server, outcome in each.items()}
            for scenario, each in outcomes.items()
        },
        "sizes": sizes,
        "slow_clients": {server: each.share_soon for server, each in probes.items()},
        "switching": asdict(switching) if switching else None,
    }
    return found, "\n\n".join(
        [
            f"{tables.machine()} {tables.players()} Rounds: {options.rounds} of {options.seconds:g} s.",
            *([tables.comparison(outcomes)] if outcomes else []),
            *([tables.slow_clients(probes)] if probes else []),
            *([tables.sizes(sizes)] if sizes else []),
            *([tables.switching(switching)] if switching else []),
        ]
    )


@dataclass(frozen=True, slots=True)
class Stage:
    """Servers that run, `starts` seconds after they were told to; Assetsite serves `published`."""

    files: content.Files
    running: list[servers.Server]
    starts: dict[str, float]
    published: Published


def sized(
    scenario: Scenario, paths: int, options: argparse.Namespace, work: Path
) -> tuple[dict[str, Outcome], dict[str, tuple[float, float]]]:
    """Time a release of `paths`; return also the seconds that each start took, and the memory at the end."""
    with prepared(work / f"many-{paths}", content.many(paths)) as stage:
        outcomes = timed(scenario, stage, options, work)
        return outcomes, {
            server.name: (stage.starts[server.name], server.memory_megabytes()) for server in stage.running
        }


def timed(scenario: Scenario, stage: Stage, options: argparse.Namespace, work: Path) -> dict[str, Outcome]:
    say(f"{scenario.name}: {scenario.title.format(paths=len(stage.files))}")
    asked = requests(scenario, stage.files)
    return compare(scenario, stage.running, asked, rounds=options.rounds, seconds=options.seconds, work=work)


def probed(scenario: Scenario, stage: Stage, options: argparse.Namespace) -> dict[str, slow.Probes]:
    say(f"{scenario.name}: {scenario.title}")
    small, large = (Request(f"/{path}", stage.files[path]) for path in ("small.css", "large.bin"))
    seconds = options.seconds * options.rounds
    return {server.name: slow.probe(server.port, small, large, seconds=seconds) for server in stage.running}


@contextmanager
def prepared(work: Path, files: content.Files, *, alone: bool = False) -> Iterator[Stage]:
    """Write the files, start every server (`alone`: only Assetsite), and end them afterwards."""
    say(f"preparing {len(files):,} files")
    folder, data = work / "folder", work / servers.OURS
    data.mkdir(parents=True)
    if not alone:
        content.write_folder(folder, files)
        if "large.bin" not in files and len(files) < 1_000:
            content.add_codings(folder)
    published = Published(data / "storage")
    content.publish(published, 1, files, codings_in=None if alone else folder)
    with ExitStack() as stack:
        running: list[servers.Server] = []
        starts = {}
        for server in servers_for(work, folder, data, alone=alone):
            try:
                starts[server.name] = server.start(first_request(files))
            except Wrong as fault:
                if server.name == servers.OURS:
                    raise
                say(f"without {server.name}, which {fault}")
            else:
                stack.callback(server.stop)
                running.append(server)
        yield Stage(files, running, starts, published)


def servers_for(work: Path, folder: Path, data: Path, *, alone: bool) -> Iterator[servers.Server]:
    yield servers.assetsite(data)
    for make in () if alone else (servers.whitenoise, servers.nginx):
        (work / make.__name__).mkdir()
        server = make(work / make.__name__, folder)
        if server is not None:
            yield server


def first_request(files: content.Files) -> Request:
    path = next(iter(files))
    return Request(f"/{path.removesuffix('index.html')}", files[path])


def switched(scenario: Scenario, work: Path, options: argparse.Namespace) -> Switching:
    """Put load on two releases of the same paths, between which the pointer goes to and fro."""
    with prepared(work, content.many(options.paths), alone=True) as stage:
        content.publish(stage.published, 2, content.many(options.paths, edition=2))
        stage.published.point_at(1)
        say(f"{scenario.name}: {scenario.title}")
        return switch(
            scenario,
            stage.running[0],
            requests(scenario, stage.files),
            seconds=options.seconds * options.rounds,
            flip=pointing_at_the_other(stage.published),
        )


def pointing_at_the_other(published: Published) -> Callable[[], None]:
    """Return what points a channel at release 2, then 1, then 2, …"""
    live = 1

    def flip() -> None:
        nonlocal live
        live = 3 - live
        published.point_at(live)

    return flip


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (Wrong, tables.NoPlace) as fault:
        sys.exit(str(fault))
