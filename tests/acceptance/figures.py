"""Print how long the main steps take, on a site in processes of its own.

    scripts/figures                 # a small generated site, then 100,000 small files
    scripts/figures FOLDER          # with FOLDER as the small site
    scripts/figures --paths 1000    # another size for the large one

Seconds on this machine, with 3 workers; a figure "until the last worker" includes looking at all of them.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tests.acceptance.site import WORKERS, Site

BRIEF = ("--expected-result", "Figures.", "--rollback-note", "Roll back.")
FILES_IN_FOLDER = 500


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, help="a site to measure with")
    parser.add_argument(
        "--paths", type=int, default=100_000, help="files of the large site (default: 100,000)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        small = options.folder or write_files(work / "small", 200, size=20_000)
        count = sum(1 for file in small.rglob("*") if file.is_file())
        measure(work, small, f"{count} files" + (f" of {small.name}" if options.folder else ""))
        large = write_files(work / "large", options.paths, size=200)
        measure(work, large, f"{options.paths:,} small files")


def write_files(folder: Path, count: int, *, size: int) -> Path:
    """Write `count` different files of about `size` bytes each, a few hundred a folder."""
    for number in range(count):
        file = folder / f"{number // FILES_IN_FOLDER:04}" / f"{number:07}.css"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"/* {number} */ ".ljust(size, "x"))
    (folder / "index.html").write_text("<!doctype html><title>Figures</title>")
    return folder


def measure(work: Path, folder: Path, title: str) -> None:
    """Start a site with `folder`, change 10 files of it, publish, roll back; print what each took."""
    print(f"\n{title}, {WORKERS} workers")
    site = Site(data=work / f"data-{folder.name}", start_seconds=3600, is_measured=True)
    begun = time.monotonic()
    with site.running(str(folder)):
        show("first start until ready, with import and publication", time.monotonic() - begun)
    begun = time.monotonic()
    with site.running():
        show("second start until ready", time.monotonic() - begun)
        change = write_files(work / f"change-{folder.name}", 9, size=300)
        timed(
            "import of 10 changed files",
            lambda: site.manage("import", change, "--title", "T", "--prefix", "new"),
        )
        site.manage("release", "edit", 2, *BRIEF)
        site.manage("channel", "set", "production", "--required-approvals", 0)
        timed("submit (builds the manifest)", lambda: site.manage("release", "submit", 2))
        timed_switch(site, "publish", 2, lambda: site.manage("release", "publish", 2))
        timed_switch(site, "roll back", 1, lambda: site.manage("release", "rollback", "--reason", "figures"))
    manifests = [file.stat().st_size for file in (site.data / "storage/manifests").rglob("*.sqlite")]
    print(f"  {'largest manifest':<66}{max(manifests) / 1e6:8.2f} MB")


def timed(label: str, step: Callable[[], object]) -> None:
    begun = time.monotonic()
    step()
    show(f"{label}, command included", time.monotonic() - begun)


def timed_switch(site: Site, label: str, release: int, step: Callable[[], object]) -> None:
    """Time a command that switches, and how much later the last worker serves `release`."""
    begun = time.monotonic()
    step()
    done = time.monotonic()
    site.wait_for_release(release)
    show(f"{label}, command included", done - begun)
    seen = time.time()
    show(f"{label}: until the last worker serves it, after the command", time.monotonic() - done)
    live = site.manage("channel", "show", "production")["live"]
    recorded = datetime.fromisoformat(live["published_at"]).timestamp()
    show(f"{label}: from its record in the database to the last worker", seen - recorded)


def show(label: str, seconds: float) -> None:
    print(f"  {label:<66}{seconds:8.2f} s", flush=True)


if __name__ == "__main__":
    main()
