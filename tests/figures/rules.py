"""Print how long cache rules take to be compiled into the headers of every path.

    scripts/figures --rules                   # 200 rules, a million paths
    scripts/figures --rules --paths 100000
    scripts/figures --rules --write           # and put it into docs/performance.md

One process, no database: what a build does for each path, before anything is written. How long the trace of
an address takes on a large site is among the figures of `scripts/figures --releases`.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import batched

from apps.caching.choosing import RuleChooser
from apps.caching.headers import HeaderCompiler
from apps.caching.matching import Subject, Tags
from apps.caching.rules import Combination, Match, Policy, Rule
from tests.acceptance.site import PROJECT
from tests.bench.tables import fill

DOCUMENT = PROJECT / "docs/performance.md"
RULES, PATHS, GOAL_SECONDS = 200, 1_000_000, 10
_KINDS = (("css", "text/css"), ("js", "text/javascript"), ("png", "image/png"), ("html", "text/html"),
          ("woff2", "font/woff2"), ("json", "application/json"), ("svg", "image/svg+xml"))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rules", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--paths", type=int, default=PATHS, help="default: 1,000,000")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    block = table(options.paths)
    print(block)
    if options.write:
        fill(DOCUMENT, "rules", block, by="scripts/figures")


def table(paths: int) -> str:
    """Return what was measured as a table."""
    lines = [
        f"{datetime.now(tz=UTC):%Y-%m-%d}, {os.cpu_count()} cores, {RULES} rules, {paths:,} paths.",
        "",
        "| step | s | CPU s | should be below |",
        "|---|---|---|---|",
    ]
    rules, tags = rules_of_a_site(), tagged(paths)
    for combination in Combination:
        sets, seconds, busy = compiled(rules, combination, tags, paths)
        how = "the first that matches" if combination is Combination.FIRST else "all that match, merged"
        lines.append(
            f"| compile, {how}: {sets} sets of headers | {seconds:.1f} | {busy:.1f} | {GOAL_SECONDS} |"
        )
    changed = [rules[24], replace(rules[24], version=2)]
    found, seconds, busy = matched(changed, paths)
    lines.append(
        f"| one rule changed: find the {found:,} paths that it may match | {seconds:.1f} | {busy:.1f} | |"
    )
    return "\n".join(lines)


def compiled(
    rules: list[Rule], combination: Combination, tags: dict[str, Tags], paths: int
) -> tuple[int, float, float]:
    """Return how many sets of headers come of all files, and the seconds, and those of the CPU, of it."""
    sets: set[str] = set()

    def begin() -> Callable[[Subject], object]:
        compiler = HeaderCompiler(rules, combination, tags)
        return lambda one: sets.add(compiler.header_set(one.path, one.media_type, one.size_bytes).digest)

    seconds, busy = timed(begin, paths)
    return len(sets), seconds, busy


def matched(rules: list[Rule], paths: int) -> tuple[int, float, float]:
    """Return how many files `rules` match, and the seconds, and those of the CPU, of finding it out."""
    found: list[bool] = []

    def begin() -> Callable[[Subject], object]:
        chooser = RuleChooser(rules, is_first_enough=True)
        return lambda one: found.append(bool(chooser.chosen(one)))

    seconds, busy = timed(begin, paths)
    return sum(found), seconds, busy


def timed(begin: Callable[[], Callable[[Subject], object]], paths: int) -> tuple[float, float]:
    """Return what `begin`, and what it returns for each file, take; not what inventing the files takes."""
    before, busy_before = time.perf_counter(), time.process_time()
    work = begin()
    seconds, busy = time.perf_counter() - before, time.process_time() - busy_before
    for some in batched(subjects(paths), 10_000):
        before, busy_before = time.perf_counter(), time.process_time()
        for one in some:
            work(one)
        seconds += time.perf_counter() - before
        busy += time.process_time() - busy_before
    return seconds, busy


def rules_of_a_site() -> list[Rule]:
    """Return rules of every kind of match, as many as a large site has."""

    def rule(number: int, match: Match) -> Rule:
        return Rule(f"rule-{number}", 1, match, Policy(browser_ttl_seconds=60 + number))

    kinds = (
        lambda number: Match(folders=(f"app{number}",), is_fingerprinted=True),
        lambda number: Match(paths=(f"app{number}/**/*.min.js", f"app{number}/*.css")),
        lambda number: Match(folders=(f"app{number}/img", f"shared/{number}")),
        lambda number: Match(expressions=(rf"app{number}/v[0-9]+/.*",), extensions=("json",)),
        lambda number: Match(paths=(f"**/part{number}*.svg",), media_types=("image/*",)),
        lambda number: Match(tags=(f"team-{number}",)),
    )
    specific = [rule(number, kinds[number % len(kinds)](number)) for number in range(RULES - 4)]
    general = [
        Match(media_types=("text/html",)),
        Match(is_fingerprinted=True),
        Match(extensions=("woff2",)),
        Match(),
    ]
    return [*specific, *(rule(RULES - 4 + place, match) for place, match in enumerate(general))]


def tagged(paths: int) -> dict[str, Tags]:
    """Return the tags of the files of a site: each tenth has one that a rule asks for."""
    tags = [frozenset({f"team-{number}"}) for number in range(RULES)]
    found = enumerate(subjects(paths))
    return {subject.path: tags[number // 10 % RULES] for number, subject in found if number % 10 == 0}


def subjects(paths: int) -> Iterator[Subject]:
    """Yield the files of a site: three hundred folders with all kinds of files."""
    for number in range(paths):
        ending, media_type = _KINDS[number % len(_KINDS)]
        folder = f"app{number % 300}/{('img', 'v2', 'js/lib', 'part')[number % 4]}"
        mark = f".{number * 2654435761 % 2**32:08x}" if number % 3 == 0 else ""
        yield Subject(f"{folder}/part{number}{mark}.{ending}", media_type, 1000 + number % 5000)


if __name__ == "__main__":
    main()
