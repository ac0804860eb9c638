"""What the shipped rules' headers do in a real browser (docs/adr/0010)."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser

from apps.caching.defaults import DEFAULT_RULES
from apps.caching.evaluation import evaluate
from apps.caching.examples import guess_media_type
from apps.caching.rules import Rule

pytestmark = pytest.mark.browser

RULES = tuple(Rule(slug, 1, content.match, content.policy) for slug, content in DEFAULT_RULES.items())
MARK = "document.documentElement.setAttribute('data-ran', self.origin)"
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<<>>>>endobj
4 0 obj<</Length 30>>stream
0 0 1 rg 0 0 300 200 re f
endstream endobj
trailer<</Root 1 0 R>>
"""
FILES = {
    "/page.html": f"<!doctype html><script>{MARK}; localStorage.setItem('a', 'b')</script>".encode(),
    "/image.svg": (
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9'/>"
        f"<script>{MARK}</script></svg>"
    ).encode(),
    "/feed.xml": f"<a xmlns:h='http://www.w3.org/1999/xhtml'><h:script>{MARK}</h:script></a>".encode(),
    "/manual.pdf": PDF,
    "/with-image.html": b"<!doctype html><img src='/image.svg'>",
    "/with-pdf.html": b"<!doctype html><iframe src='/manual.pdf' width=300 height=200></iframe>",
}


class _Site(BaseHTTPRequestHandler):
    """Serves FILES with the headers that the shipped rules give them."""

    def do_GET(self) -> None:
        body = FILES.get(self.path)
        self.send_response(200 if body else 404)
        if body:
            outcome = evaluate(RULES, self.path, media_type=guess_media_type(self.path))
            for name, value in outcome.headers:
                self.send_header(name, value)
        self.send_header("content-length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def ran_as(browser: Browser, address: str) -> str | None:
    """Return the origin that the file's script ran with, or None if it did not run."""
    page = browser.new_page()
    page.goto(address)
    origin: str | None = page.evaluate("document.documentElement.getAttribute('data-ran')")
    page.close()
    return origin


def test_a_page_runs_its_scripts_and_has_its_storage(browser: Browser, site: str) -> None:
    assert ran_as(browser, f"{site}/page.html") == site


@pytest.mark.parametrize("path", ["/image.svg", "/feed.xml"])
def test_an_image_or_a_feed_that_is_opened_runs_no_script(browser: Browser, site: str, path: str) -> None:
    assert ran_as(browser, f"{site}{path}") is None


def test_an_image_is_shown_in_a_page_all_the_same(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.goto(f"{site}/with-image.html")
    assert page.evaluate("document.images[0].naturalWidth") == 9
    page.close()


def test_a_pdf_in_a_page_is_not_refused(browser: Browser, site: str) -> None:
    """Chromium reports a plugin that a sandbox keeps from loading on the console."""
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{site}/with-pdf.html")
    page.goto(f"{site}/manual.pdf")
    assert [text for text in complaints if "sandbox" in text] == []
    page.close()
