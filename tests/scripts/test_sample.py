"""The sample is what a stranger sees first: whole, small, and with nothing fetched from elsewhere."""

import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from django.conf import settings

from apps.assets.paths import colliding, path_fault
from apps.caching.matching import is_fingerprinted

SAMPLE: Path = settings.BASE_DIR / "sample"
FILES = {file.relative_to(SAMPLE).as_posix(): file for file in sorted(SAMPLE.rglob("*")) if file.is_file()}
PAGES = [path for path in FILES if path.endswith(".html")]
SHEETS = [path for path in FILES if path.endswith(".css")]


class References(HTMLParser):
    """Collects what a page loads and where it leads, and the ids that can be led to."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.ids: set[str] = set()
        self.images_without_words = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.urls += [given[name] for name in ("href", "src") if name in given]
        self.urls += [part.split()[0] for part in given.get("srcset", "").split(",") if part.strip()]
        self.ids.add(given.get("id", ""))
        self.images_without_words += tag == "img" and "alt" not in given


def read(page: str) -> References:
    references = References()
    references.feed(FILES[page].read_text())
    return references


def urls_of(path: str) -> Iterator[str]:
    if path.endswith(".html"):
        yield from read(path).urls
    else:
        text = FILES[path].read_text()
        yield from re.findall(r"url\(\"?([^)\"]+)\"?\)", text)
        yield from re.findall(r"@import \"([^\"]+)\"", text)


@pytest.mark.parametrize("path", [*PAGES, *SHEETS])
def test_every_reference_leads_to_a_file_of_the_sample(path: str) -> None:
    for url in urls_of(path):
        target = urlsplit(urljoin(f"http://sample/{path}", url))
        assert target.netloc == "sample", f"{path} needs {url}, which is elsewhere"
        name = target.path.removeprefix("/")
        name += "index.html" if name == "" or name.endswith("/") else ""
        assert name in FILES, f"{path} leads to {url}, which is not there"
        if target.fragment:
            assert target.fragment in read(name).ids


def test_it_has_what_a_site_has() -> None:
    assert len(PAGES) >= 5
    assert {"404.html", "favicon.ico", "robots.txt", "fonts/OFL.txt"} <= FILES.keys()
    endings = {Path(path).suffix for path in FILES}
    assert {".html", ".css", ".js", ".webp", ".jpg", ".png", ".svg", ".woff2", ".pdf"} <= endings


def test_every_file_is_reached_from_a_page() -> None:
    reached = {"404.html", "robots.txt"}
    for path in [*PAGES, *SHEETS]:
        for url in urls_of(path):
            name = urlsplit(urljoin(f"http://sample/{path}", url)).path.removeprefix("/")
            reached.add(name + ("index.html" if name == "" or name.endswith("/") else ""))
    assert reached == FILES.keys()
    assert len(reached) > 20


@pytest.mark.parametrize("path", PAGES)
def test_every_picture_has_words_or_says_that_it_needs_none(path: str) -> None:
    assert read(path).images_without_words == 0


def test_names_with_a_hash_carry_that_of_their_content() -> None:
    hashed = [path for path in FILES if is_fingerprinted(path)]
    assert len(hashed) == 7
    for path in hashed:
        assert hashlib.sha256(FILES[path].read_bytes()).hexdigest()[:8] in path


def test_every_name_can_be_published() -> None:
    assert [path for path in FILES if path_fault(path)] == []
    assert list(colliding(FILES)) == []


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in FILES.values()) < 600_000
