"""Make the pictures of the documents anew: the sample site, changed a little, as its reviewer sees it.

scripts/pictures                # into docs/images
"""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from tests.acceptance.commands import run_script
from tests.acceptance.site import PROJECT, Site
from tests.acceptance.test_first_light import Staff

IMAGES = PROJECT / "docs/images"
SIZE: ViewportSize = {"width": 1280, "height": 1240}  # down to where two pictures stand side by side
TEAM = {"eva": ("editor", "Eva", "Lindholm"), "ben": ("manager", "Ben", "Okafor")}
BRIEF = (
    *("--expected-result", "The first image is lighter: the home page loads in under a second on a phone."),
    *("--rollback-note", "Roll back at once if the programme cannot be read; tell #festival."),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        work = Path(name)
        site = Site(data=work / "data")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        with site.running(str(PROJECT / "sample")):
            prepare(site, changed_sample(work / "spring"))
            take(browser, site, IMAGES / "release.png")
        browser.close()


def changed_sample(folder: Path) -> Path:
    """Return a copy of the sample site with a style of its own, another picture and one more page."""
    shutil.copytree(PROJECT / "sample", folder)
    with (folder / "css/tokens.css").open("a") as styles:
        styles.write("\n.hero { letter-spacing: .02em }\n")
    shutil.copy(next(folder.glob("img/dusk.*.jpg")), next(folder.glob("img/dawn.*.jpg")))
    (folder / "news").mkdir()
    (folder / "news/index.html").write_text("<!doctype html>\n<title>News</title>\n<h1>News</h1>\n")
    return folder


def prepare(site: Site, folder: Path) -> None:
    """Bring the folder into review as Eva's release, with a question of Ben's."""
    for name, (role, first, last) in TEAM.items():
        site.add_user(name, role)
        named = f"from apps.accounts.models import User; User.objects.filter(username={name!r})"
        named += f".update(first_name={first!r}, last_name={last!r})"
        run_script(["shell", "--no-imports", "-c", named], site.environment, PROJECT)
    number = site.manage("import", folder, "--title", "Spring campaign", "--as", "eva")["release"]
    site.manage("release", "edit", number, *BRIEF, "--as", "eva")
    site.manage("release", "submit", number, "--as", "eva")
    words = ("--path", "css/tokens.css", "--text", "Is this wide enough on a phone?")
    site.manage("release", "comment", number, *words, "--as", "ben")


def take(browser: Browser, site: Site, picture: Path) -> None:
    """Take a picture of the release as the person sees it who may approve it."""
    ben = Staff(browser, site, "ben")
    ben.page.set_viewport_size(SIZE)
    ben.open_release(2)
    ben.sees("Waiting for one approval; you may give it")
    ben.page.screenshot(path=picture)
    print(f"{picture.relative_to(PROJECT)}: {picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
