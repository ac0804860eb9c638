"""Print how long releases take on a large site, and every page of theirs.

    scripts/figures --releases                    # a million paths, ten thousand releases; half an hour
    scripts/figures --releases --paths 100000     # a smaller one
    scripts/figures --releases --write            # and put it into docs/performance.md

A site in processes of its own, with 3 workers that serve visitors meanwhile. Steps are timed from the call of
the service to its return, pages from request to answer, without a socket; medians of 5 for pages.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.acceptance.site import PROJECT, WORKERS, Site
from tests.bench.tables import fill

type Step = tuple[str, float, float | None]

DOCUMENT = PROJECT / "docs/performance.md"
# What the figures should be, in seconds: at a million paths and ten thousand releases.
GOALS = {"100 changes: submit (builds)": 1, "100 changes: publish": 0.5, "100 changes: roll back": 0.5}
GOALS |= {"10,000 changes: from draft to live": 10, "10,000 changes: roll back": 10}
GOALS |= {f"100 changes: until the last worker serves {what}": 1 for what in ("it", "what was before")}
GOALS |= {"trace of an address": 0.05, "trace of an address, again": 0.05}

PAGE_SECONDS = 0.2
LEAST_PATHS = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--releases", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--paths", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--drafts", type=int, default=10_000, help="releases in all; default: 10,000")
    parser.add_argument("--publications", type=int, default=500, help="default: 500")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    if options.paths < LEAST_PATHS:
        parser.error(f"--paths: {LEAST_PATHS:,} at the least, or releases of 10,000 changes meet each other")
    with tempfile.TemporaryDirectory() as name:
        site = Site(data=Path(name) / "data", start_seconds=600)
        run(site, "seed", options.paths, options.drafts, options.publications)
        with site.running():
            found = json.loads(run(site, "measure", site.public_port, site.staff_port))
    block = tables(found, options.paths, options.drafts, options.publications)
    print(block)
    if options.write:
        fill(DOCUMENT, "releases", block, by="scripts/figures")


def run(site: Site, script: str, *words: object) -> str:
    """Run one of the scripts beside this one in the site's environment; return what it printed."""
    environment = site.environment | {"DJANGO_SETTINGS_MODULE": "assetsite.settings", "LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", f"tests.figures.{script}", *map(str, words)]
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script}:\n{done.stderr}")
    return done.stdout


def tables(found: dict[str, Any], paths: int, releases: int, publications: int) -> str:
    """Return what was found as tables."""
    lines = [
        f"{datetime.now(tz=UTC):%Y-%m-%d}, {os.cpu_count()} cores, {WORKERS} workers, {paths:,} paths,"
        f" {releases:,} releases, {publications:,} publications.",
        "",
        "| step | s | CPU s | should be below |",
        "|---|---|---|---|",
    ]
    for name, seconds, busy in [*found["steps"], total_of(found["steps"], "10,000 changes")]:
        cpu = "" if busy is None else f"{busy:.2f}"
        lines.append(f"| {name} | {seconds:.2f} | {cpu} | {GOALS.get(name, '')} |")
    lines += ["", "| page | ms | CPU ms | ms, first time | queries |", "|---|---|---|---|---|"]
    lines += [
        f"| {page['page']} | {page['median'] * 1000:.0f} | {page['busy'] * 1000:.0f}"
        f" | {page['first'] * 1000:.0f} | {page['queries']} |"
        for page in found["pages"]
    ]
    slow = [page["page"] for page in found["pages"] if page["busy"] > PAGE_SECONDS]
    lines += ["", f"Above {PAGE_SECONDS * 1000:.0f} ms of CPU: {', '.join(slow) or 'none'}."]
    lines += ["", "| file | MB |", "|---|---|"]
    lines += [f"| {name} | {size / 1e6:.1f} |" for name, size in found["sizes"].items()]
    return "\n".join(lines)


def total_of(steps: list[Step], label: str) -> Step:
    """Return all that a release of this size takes, from its draft until it is live, as one step."""
    parts = [step for step in steps if step[0].startswith(f"{label}:") and "roll" not in step[0]]
    timed = [step for step in parts if not step[0].endswith(("upload", "before", "rebase"))]
    return f"{label}: from draft to live", sum(step[1] for step in timed), sum(step[2] or 0 for step in timed)


if __name__ == "__main__":
    main()
