"""What the servers serve: the same files for each, made alike on every machine."""

import os
import random
from pathlib import Path

from whitenoise import compress

from tests.serving import Published

type Files = dict[str, bytes]  # path → content

SMALL_BYTES, LARGE_BYTES = 10_240, 50_000_000
CONTENTS = 997  # of a large release, but for the one path in a hundred that has its own
FILES_IN_FOLDER = 1_000
CODINGS = {"br": ".br", "gzip": ".gz"}


def basic() -> Files:
    """A style sheet of 10 KB, and 50 MB that do not compress."""
    return {
        "small.css": _words(random.Random(1), SMALL_BYTES),
        "large.bin": random.Random(1).randbytes(LARGE_BYTES),
    }


def site() -> Files:
    """400 files in the types and sizes of an ordinary site."""
    rng = random.Random(2)
    files = {}
    for number in range(400):
        kind = rng.choices(("html", "css", "js", "svg", "png", "woff2"), (30, 10, 20, 15, 20, 5))[0]
        size = int(min(max(rng.lognormvariate(9.2, 1.1), 200), 300_000))
        path = f"page{number}/index.html" if kind == "html" else f"{kind}/item{number}.{kind}"
        files[path] = rng.randbytes(size) if kind in ("png", "woff2") else _words(rng, size)
    return files


def many(count: int, *, edition: int = 1) -> Files:
    """`count` small files; another edition has other content in one path of a hundred."""
    rng = random.Random(3)
    shared = [_words(rng, rng.randint(200, 2_000)) for _ in range(CONTENTS)]
    return {
        f"d{number // FILES_IN_FOLDER:04}/f{number:07}.css": shared[number % CONTENTS]
        if number % 100
        else b"/* %d */ p { order: %d }\n" % (edition, number)
        for number in range(count)
    }


def write_folder(folder: Path, files: Files) -> None:
    """Write files for servers that read a folder; equal contents are one file with several names."""
    written: dict[bytes, Path] = {}
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if content in written:
            os.link(written[content], file)
        else:
            file.write_bytes(content)
            written[content] = file


def add_codings(folder: Path) -> None:
    """Write `.br` and `.gz` beside each file of a folder that they make smaller."""
    compress.main(["--quiet", str(folder)])


def publish(published: Published, release: int, files: Files, *, codings_in: Path | None = None) -> None:
    """Publish files as a release, with the codings that `codings_in` has: no server gets better ones."""
    coded: dict[str, dict[str, bytes]] = {}
    for path in files if codings_in else ():
        for coding, suffix in CODINGS.items():
            file = Path(f"{codings_in}/{path}{suffix}")
            if file.exists():
                coded.setdefault(path, {})[coding] = file.read_bytes()
    published.publish(release, files, coded=coded)


def _words(rng: random.Random, size: int) -> bytes:
    """Return words that compress about as well as style sheets do."""
    words = [
        "".join(rng.choices("abcdefghijklmnopqrstuvwxyz-:;{}", k=rng.randint(2, 11))) for _ in range(400)
    ]
    return " ".join(rng.choices(words, k=size)).encode()[:size]
