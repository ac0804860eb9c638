"""Two people change one site: rebase, revert, promote, combine and split, in a browser and by command."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.conftest import FIRST, write_folder
from tests.acceptance.site import Refused, Site
from tests.acceptance.test_first_light import Staff

pytestmark = pytest.mark.acceptance

BRIEF = ("--expected-result", "Other colours.", "--rollback-note", "Roll back.")
CSS = FIRST["css/site.css"]
NAVY = CSS.replace(b"crimson", b"navy")
TEAL = CSS.replace(b"crimson", b"teal")
GREY = CSS.replace(b"background: white", b"background: grey")


def draft(
    site: Site, folder: Path, files: dict[str, bytes], title: str, *, channel: str = "production"
) -> int:
    """Import a few files that stand in for those of the site; return the draft's number."""
    write_folder(folder, files)
    words = ["import", folder, "--title", title, "--no-mirror", "--channel", channel]
    number: int = site.manage(*words)["release"]
    site.manage("release", "edit", number, *BRIEF)
    return number


def publish(site: Site, number: int) -> str:
    """Submit and publish; return the digest that is live."""
    site.manage("release", "submit", number)
    digest: str = site.manage("release", "publish", number)["digest"]
    return digest


@pytest.mark.browser
def test_what_two_people_change_is_brought_together_in_a_browser(
    site: Site, first_folder: Path, tmp_path: Path, browser: Browser
) -> None:
    with site.running(str(first_folder)):
        site.add_user("eva", "editor")
        site.manage("channel", "set", "production", "--required-approvals", 0)
        navy = draft(site, tmp_path / "navy", {"css/site.css": NAVY, "mine.txt": b"mine\n"}, "Navy")
        grey = draft(site, tmp_path / "grey", {"css/site.css": GREY}, "Grey")
        teal = draft(site, tmp_path / "teal", {"css/site.css": TEAL}, "Teal")
        publish(site, grey)
        eva = Staff(browser, site, "eva")

        # 1. The lines do not clash: one click replays the release on what is live.
        eva.open_release(navy)
        eva.sees("Production has moved on")
        eva.sees("1 change does not clash, 1 was changed in both.")
        eva.press("Rebase onto what is live")
        eva.sees(f"Release {navy} is a draft on release {grey}.")
        publish(site, navy)
        served = site.get("/css/site.css").body
        assert b"navy" in served
        assert b"background: grey" in served

        # 2. They clash: the text is edited between its markers, saved, and the release rebased.
        eva.open_release(teal)
        eva.follow("Decide conflicts, then rebase")
        eva.follow("css/site.css")
        area = eva.page.get_by_role("textbox")
        expect(area).to_have_value(NAVY_AND_TEAL)
        eva.press("Save the merged text")
        eva.sees("Markers of a conflict are left in css/site.css")
        area.fill(served.decode().replace("navy", "teal"))
        eva.press("Save the merged text")
        eva.sees("1 was changed in both, 1 decided")
        eva.press("Rebase onto what is live")
        eva.sees("Submit it when ready")
        publish(site, teal)
        assert b"teal" in site.get("/css/site.css").body

        # 3. The one in the middle is reverted, and what came after it stays.
        eva.open_release(navy)
        eva.follow("Revert this release")
        eva.press("Make the draft that reverts it")
        eva.sees("has moved on")
        eva.follow("Decide conflicts, then rebase")
        eva.press("Take what is live")
        eva.press("Rebase onto what is live")
        eva.press("Submit for review")
        revert = int(eva.page.url.split("/")[-3])
        site.manage("release", "publish", revert)
        assert site.get("/mine.txt").status == 404
        assert b"teal" in site.get("/css/site.css").body


NAVY_AND_TEAL = (CSS.decode().replace("background: white", "background: grey")).replace(
    "h1 { color: crimson }\n",
    "<<<<<<< release 4\nh1 { color: teal }\n||||||| release 1\nh1 { color: crimson }\n=======\n"
    "h1 { color: navy }\n>>>>>>> production, release 2\n",
)


def test_staging_is_promoted_and_drafts_are_combined_and_split_by_command(
    site: Site, first_folder: Path, tmp_path: Path
) -> None:
    with site.running(str(first_folder)):
        for channel in ("staging", "production"):
            site.manage("channel", "set", channel, "--required-approvals", 0)

        # 1. What was tested is what goes live: the digest is the proof.
        words = ("import", first_folder, "--title", "Staged", "--channel", "staging")
        first = site.manage(*words)["release"]
        site.manage("release", "edit", first, *BRIEF)
        publish(site, first)
        tested = publish(site, draft(site, tmp_path / "s", {"new.txt": b"new\n"}, "New", channel="staging"))
        promoted = site.manage("release", "promote", "--from", "staging", "--to", "production")
        assert promoted["promotes"] == tested
        assert publish(site, promoted["release"]) == tested
        assert site.get("/new.txt").body == b"new\n"

        # 2. Two drafts become one; what they change differently is named, and decided.
        left = draft(site, tmp_path / "l", {"css/site.css": NAVY, "a/left.txt": b"left\n"}, "Left")
        right = draft(site, tmp_path / "r", {"css/site.css": TEAL, "right.txt": b"right\n"}, "Right")
        with pytest.raises(Refused, match=r"They change differently: css/site\.css"):
            site.manage("release", "combine", left, right)
        both = site.manage("release", "combine", left, right, "--take", f"css/site.css={right}")
        assert (both["added"], both["changed"]) == (2, 1)

        # 3. A folder of it goes its own way, and the rest goes live without it.
        part = site.manage("release", "split", both["release"], "--below", "a", "--title", "Later")
        publish(site, both["release"])
        assert b"teal" in site.get("/css/site.css").body
        assert site.get("/a/left.txt").status == 404
        assert site.manage("release", "conflicts", part["release"])["kept"] == 1
        site.manage("release", "rebase", part["release"])
        publish(site, part["release"])
        assert site.get("/a/left.txt").body == b"left\n"
