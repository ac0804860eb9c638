"""A site with fingerprinted names in a browser: everything loads, and keeps loading for who came earlier."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.acceptance.folders import write_folder
from tests.acceptance.site import PROJECT, Site

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

SAMPLE = PROJECT / "sample"
PICTURE = (SAMPLE / "img/lantern-180.png").read_bytes()
PAGE = b"""<!doctype html>
<html lang=en>
<head>
<title>loading</title>
<link rel=icon href="img/icon.svg">
<link rel=stylesheet href="css/app.css">
<script type=importmap>{"imports": {"words": "./js/words.js"}}</script>
<script type=module src="js/app.js"></script>
<script src="js/classic.js" defer></script>
</head>
<body>
<h1>Lanterns</h1>
<img src="img/small.png" srcset="img/small.png 1x, img/large.png 2x" alt="A lantern">
<p style="background: url('img/inline.png')">Text</p>
</body>
</html>
"""
FIRST = {
    "index.html": PAGE,
    "deep/er/index.html": PAGE.replace(b"<title>", b'<base href="../../"><title>'),
    "css/app.css": b"""@import url(base.css);
@font-face { font-family: Garamond; src: url("../fonts/garamond.woff2") format("woff2") }
body { font-family: Garamond }
h1 { color: crimson; background: image-set("../img/back.png" 1x) }
""",
    "css/base.css": b"body { background: white url(../img/base.png) }",
    "js/app.js": b"""import { left } from "./left.js";
import word from "words";
document.title = `${word} ${left()}`;
window.later = async () => (await import("./lazy.js")).default;
""",
    "js/left.js": b"""import { right } from "./right.js";
export const left = () => "left " + right();
export const name = "of the first";
""",
    "js/right.js": b"""import { name } from "./left.js";
export const right = () => "right " + name;
""",
    "js/words.js": b'export default "hello";',
    "js/lazy.js": b'import { name } from "./left.js"; export default "lazy " + name;',
    "js/classic.js": b"document.documentElement.dataset.classic = 'ran';",
    "fonts/garamond.woff2": (SAMPLE / "fonts/garamond.4cad6202.woff2").read_bytes(),
    "img/icon.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    **{f"img/{name}.png": PICTURE for name in ("small", "large", "inline", "back", "base")},
}
SECOND = {
    **FIRST,
    "css/app.css": FIRST["css/app.css"].replace(b"crimson", b"navy"),
    "js/left.js": FIRST["js/left.js"].replace(b"of the first", b"of the second"),
}
PATIENCE_MS = 30_000  # on a busy machine a page of many parts takes its time
CRIMSON, NAVY = "rgb(220, 20, 60)", "rgb(0, 0, 128)"
NAMED = re.compile(r".+\.[0-9a-f]{12}\.\w+")


@pytest.fixture
def named(site: Site, tmp_path: Path) -> Iterator[Site]:
    """A site that serves the first folder as release 2, with fingerprinted names."""
    folder = write_folder(tmp_path / "first", FIRST)
    with site.running(str(folder)):
        site.manage("channel", "set", "production", "--fingerprints", "on", "--required-approvals", 0)
        publish(site, folder, 2)
        yield site


def publish(site: Site, folder: Path, number: int) -> None:
    """Import a folder as release `number`, and let every worker serve it."""
    assert site.manage("import", folder, "--title", "Names")["release"] == number
    site.manage("release", "edit", number, "--expected-result", "Quick.", "--rollback-note", "If not.")
    assert site.manage("release", "submit", number)["findings"]["first"] == []
    site.manage("release", "publish", number)
    site.wait_for_release(number)


def roll_back(site: Site, publication: int, release: int) -> None:
    site.manage("release", "rollback", "--to", publication, "--reason", "looks odd")
    site.wait_for_release(release)


class Visitor:
    """Somebody who has loaded a page in a browser that knows nothing of the site yet, and keeps it open."""

    def __init__(self, browser: Browser, site: Site, path: str = "/") -> None:
        self.page: Page = browser.new_context(device_scale_factor=2).new_page()
        self.faults: list[str] = []
        self.loaded: dict[str, str] = {}
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("requestfailed", lambda request: self.faults.append(request.url))
        self.page.on(
            "response",
            lambda answer: self.loaded.update(
                {urlsplit(answer.url).path: f"{answer.status} {answer.headers.get('cache-control')}"}
            ),
        )
        self.page.goto(f"http://localhost:{site.public_port}{path}")

    def sees(self, colour: str, name: str) -> None:
        """The page is whole: styles, font, pictures, both kinds of script, modules in a circle."""
        expect(self.page).to_have_title(f"hello left right {name}", timeout=PATIENCE_MS)
        expect(self.page.locator("html")).to_have_attribute("data-classic", "ran")
        expect(self.page.locator("h1")).to_have_css("color", colour)
        self.page.wait_for_function("document.querySelector('img').naturalWidth > 0")
        fonts = "document.fonts.ready.then(() => [...document.fonts].map(font => font.status))"
        assert self.page.evaluate(fonts) == ["loaded"]
        assert self.faults == []

    def loads_its_lazy_module(self, words: str) -> None:
        """A part that is asked for only now is that of the page, whatever is live by now."""
        assert self.page.evaluate("later()") == words
        assert self.faults == []


def test_everything_loads_under_names_that_may_be_kept_for_ever_with_its_integrity_enforced(
    named: Site, browser: Browser
) -> None:
    for path in ("/", "/deep/er/"):
        visitor = Visitor(browser, named, path)
        visitor.sees(CRIMSON, "of the first")
        visitor.loads_its_lazy_module("lazy of the first")
        assert visitor.loaded.pop(path).startswith("200 ")
        assert [each for each in visitor.loaded if not NAMED.fullmatch(each)] == []
        kinds = {Path(each).stem.partition(".")[0] for each in visitor.loaded}
        assert kinds >= {"app", "base", "left", "right", "words", "lazy", "classic", "garamond", "large"}
        assert kinds >= {"inline", "back"}
        policies = set(visitor.loaded.values())
        assert len(policies) == 1
        assert "immutable" in policies.pop()
    assert_refuses_other_bytes(Visitor(browser, named))


def assert_refuses_other_bytes(visitor: Visitor) -> None:
    """The browser takes a style sheet with other bytes than the page says for none."""

    def turn(route: Route) -> None:
        route.fulfill(body="h1 { color: navy }", content_type="text/css")

    guarded = "[...document.querySelectorAll('[integrity]')].map(each => each.src ?? each.href)"
    names = [urlsplit(url).path for url in visitor.page.evaluate(guarded)]
    assert [name.partition(".")[0] for name in names] == ["/css/app", "/js/app", "/js/classic"]
    visitor.page.context.route(f"**{names[0]}", turn)
    visitor.page.reload()
    expect(visitor.page).to_have_title("hello left right of the first", timeout=PATIENCE_MS)
    expect(visitor.page.locator("h1")).to_have_css("color", "rgb(0, 0, 0)")
    assert any("integrity" in fault for fault in visitor.faults)


def test_a_page_of_before_keeps_loading_its_own_parts(named: Site, browser: Browser, tmp_path: Path) -> None:
    before = Visitor(browser, named)
    before.sees(CRIMSON, "of the first")
    publish(named, write_folder(tmp_path / "second", SECOND), 3)
    before.loads_its_lazy_module("lazy of the first")

    after = Visitor(browser, named)
    after.sees(NAVY, "of the second")
    roll_back(named, 2, 2)
    after.loads_its_lazy_module("lazy of the second")

    back = Visitor(browser, named)
    back.sees(CRIMSON, "of the first")
    roll_back(named, 3, 3)
    back.loads_its_lazy_module("lazy of the first")
    again = Visitor(browser, named)
    again.sees(NAVY, "of the second")
    again.loads_its_lazy_module("lazy of the second")

    gone = {name for name in before.loaded if NAMED.fullmatch(name)} - after.loaded.keys()
    assert {Path(name).stem.partition(".")[0] for name in gone} >= {"app", "left", "right", "lazy"}
    for name in gone:
        answer = named.get(name)
        assert answer.status == 200, name
        assert "immutable" in answer.headers["cache-control"]
    unknown = named.get("/js/app.000000000000.js")
    assert (unknown.status, unknown.headers["cache-control"]) == (404, "no-store")
