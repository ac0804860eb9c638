"""Print what signatures cost: of a pointer, each time that its bytes change, and of a start, once.

.venv/bin/python -m tests.bench.signatures
"""

import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

from apps.releases.history.signatures import sign, trusting, verify
from tests.serving import SIGNING_KEY

NAME = "channels/production.json"
TIMES = 2000
ROUNDS = 5
POINTER = {
    "format": 1,
    "channel": "production",
    "sequence": 12345,
    "kind": "publish",
    "release": 4711,
    "digest": "d" * 64,
    "manifest": {
        "name": f"manifests/dd/{'d' * 64}.{'e' * 16}.sqlite",
        "sha256": "e" * 64,
        "size": 87_000_000,
    },
    "retained": None,
    "tag": "production-2026-11-23.2",
    "published_at": "2026-11-23T14:02:11.000000+00:00",
    "released_at": 1_790_000_000,
    "options": {"clean_urls": True, "not_found_page": "404.html", "names_release": True},
}
IMPORT = """
import time
t = time.perf_counter()
import apps.releases.history.signatures
print(time.perf_counter() - t)
"""


def main() -> None:
    content, trusted = sign(POINTER, name=NAME, key=SIGNING_KEY), trusting(SIGNING_KEY.public)
    show("checking a pointer", _microseconds(lambda: verify(content, name=NAME, trusted=trusted)), "µs")
    show("signing a pointer", _microseconds(lambda: sign(POINTER, name=NAME, key=SIGNING_KEY)), "µs")
    show("loading the library, once a process", _milliseconds_of_import(), "ms")


def show(what: str, value: float, unit: str) -> None:
    print(f"{what:<40} {value:8.0f} {unit}")


def _microseconds(act: Callable[[], object]) -> float:
    """Return the median of several rounds, of one call each."""
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(TIMES):
            act()
        found.append((time.process_time() - begun) / TIMES * 1e6)
    return median(found)


def _milliseconds_of_import() -> float:
    runs = [
        subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True).stdout
        for _ in range(ROUNDS)
    ]
    return median(map(float, runs)) * 1e3


if __name__ == "__main__":
    main()
