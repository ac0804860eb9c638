"""Several people change one site: releases are promoted, combined, split, rebased and reverted."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.folders import FIRST, write_folder
from tests.acceptance.site import Refused, Site
from tests.acceptance.test_first_light import Staff

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

BRIEF = ("--expected-result", "Other colours.", "--rollback-note", "Roll back.")
CSS = FIRST["css/site.css"]
NAVY = CSS.replace(b"crimson", b"navy")
TEAL = CSS.replace(b"crimson", b"teal")
NOTES = b"one\r\ntwo\r\nthree\r\n"  # as some editors write lines


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
    """Bring a draft live, and wait until every worker serves it; return its digest."""
    digest = stage(site, number)
    site.wait_for_release(number)
    return digest


def stage(site: Site, number: int) -> str:
    """Submit and publish on the release's channel; return the digest."""
    site.manage("release", "submit", number)
    digest: str = site.manage("release", "publish", number)["digest"]
    return digest


def publish_what_is_open(site: Site, ben: Staff) -> int:
    """Submit and publish the release whose page is open, from there; return its number."""
    number = int(ben.page.url.rstrip("/").split("/")[-2])
    ben.press("Submit for review")
    ben.follow("Publish to production")
    ben.press("Publish to production")
    ben.sees("Live on production")
    site.wait_for_release(number)
    return number


def test_releases_are_promoted_combined_split_rebased_and_reverted(
    site: Site, first_folder: Path, tmp_path: Path, browser: Browser
) -> None:
    with site.running(str(first_folder)):
        for channel in ("staging", "production"):
            site.manage("channel", "set", channel, "--required-approvals", 0)
        site.add_user("ben", "manager")
        ben = Staff(browser, site, "ben")

        promote_what_was_tested(site, ben, tmp_path)
        combine_two_drafts(site, ben, tmp_path)
        teal, part = split_a_folder_off(site, ben, tmp_path)
        merged = rebase_and_merge(site, ben, teal, part)
        revert(site, ben, merged)
        assert site.manage("audit", "verify")["faults"] == []


def promote_what_was_tested(site: Site, ben: Staff, tmp_path: Path) -> None:
    """What was tested is what goes live: the digest is the proof."""
    folder = write_folder(tmp_path / "s", FIRST | {"new.txt": b"new\n"})
    first = site.manage("import", folder, "--title", "Staged", "--channel", "staging")["release"]
    site.manage("release", "edit", first, *BRIEF)
    tested = stage(site, first)
    promoted = site.manage("release", "promote", "--from", "staging", "--to", "production")
    assert promoted["promotes"] == tested
    assert publish(site, promoted["release"]) == tested

    tested = stage(site, draft(site, tmp_path / "n", {"notes.txt": NOTES}, "Notes", channel="staging"))
    ben.page.goto(f"{ben.door}/admin/releases/channel/1/change/")
    ben.follow("Promote what another channel serves")
    ben.sees(tested.removeprefix("sha256:"))
    ben.press("Make the release for production")
    publish_what_is_open(site, ben)
    assert site.manage("channel", "show", "production")["live"]["digest"] == tested


def combine_two_drafts(site: Site, ben: Staff, tmp_path: Path) -> None:
    """What two drafts change differently is named, and decided; lines keep the ends that they had."""
    left = draft(site, tmp_path / "l", {"css/site.css": NAVY, "left.txt": b"left\n"}, "Left")
    right = draft(site, tmp_path / "r", {"css/site.css": TEAL, "right.txt": b"right\n"}, "Right")
    with pytest.raises(Refused, match=r"They change differently: css/site\.css"):
        site.manage("release", "combine", left, right)
    both = site.manage("release", "combine", left, right, "--take", f"css/site.css={right}")
    assert (both["added"], both["changed"]) == (2, 1)
    site.manage("release", "withdraw", both["release"])

    third_files = {"notes.txt": NOTES.replace(b"two", b"2"), "a/t.txt": b"t\n", "a/b/u.txt": b"u\n"}
    third = draft(site, tmp_path / "t", third_files, "Third")
    fourth = draft(site, tmp_path / "f", {"notes.txt": NOTES.replace(b"two", b"II")}, "Fourth")
    ben.open_release(third)
    ben.follow("Combine with other drafts")
    for number in (left, fourth):
        ben.page.get_by_role("checkbox", name=re.compile(f"^{number} ")).check()
    ben.press("See what they come to")
    ben.sees("5 changes in all; 1 to be decided.")
    ben.page.get_by_label("This text, without its markers").check()
    merged = ben.page.get_by_label("Merged text of notes.txt")
    expect(merged).to_have_value(re.compile("<<<<<<<.*2.*=======.*II.*>>>>>>>", re.DOTALL))
    ben.press("Combine into one draft")
    ben.sees("Markers of a conflict are left in notes.txt")
    merged.fill("one\n2, or II\nthree\n")
    ben.press("Combine into one draft")
    ben.sees("They are kept: withdraw this one to undo it.")


def split_a_folder_off(site: Site, ben: Staff, tmp_path: Path) -> tuple[int, int]:
    """A folder goes its own way, and the rest goes live without it.

    Return a draft that clashes with what is live now, and the one that was split off.
    """
    teal = draft(site, tmp_path / "c", {"css/site.css": TEAL, "teal.txt": b"teal\n"}, "Teal")
    whole = int(ben.page.url.rstrip("/").split("/")[-2])
    ben.follow("Split in two")
    ben.page.get_by_label("Below a folder").fill("a")
    ben.page.get_by_label("Title of the new draft").fill("Later")
    ben.press("Move it to a new draft")
    ben.sees("To undo it, combine the two.")
    part = int(ben.page.url.rstrip("/").split("/")[-2])
    deeper = site.manage("release", "split", part, "--below", "a/b", "--title", "Much later")["release"]
    part = site.manage("release", "combine", part, deeper)["release"]
    ben.open_release(whole)
    publish_what_is_open(site, ben)
    assert site.get("/notes.txt").body == b"one\r\n2, or II\r\nthree\r\n"
    assert b"navy" in site.get("/css/site.css").body
    assert site.get("/a/t.txt").status == 404
    return teal, part


def rebase_and_merge(site: Site, ben: Staff, teal: int, part: int) -> int:
    """What clashes with what is live now is merged by hand, or the release is rebased as it is."""
    ben.open_release(teal)
    ben.sees("Production has moved on")
    ben.follow("Decide conflicts, then rebase")
    ben.page.get_by_role("link", name="Merge css/site.css").click()
    merged = ben.page.get_by_label("1 place where lines clash stands between markers")
    expect(merged).to_have_value(re.compile("<<<<<<<.*teal.*=======.*navy.*>>>>>>>", re.DOTALL))
    merged.fill(CSS.replace(b"crimson", b"slateblue").decode())
    ben.press("Save the merged text")
    ben.press("Rebase onto what is live")
    ben.sees("is a draft on what production serves")
    publish_what_is_open(site, ben)
    assert site.get("/css/site.css").body == CSS.replace(b"crimson", b"slateblue")

    assert site.manage("release", "conflicts", part)["kept"] == 2
    site.manage("release", "rebase", part)
    publish(site, part)
    assert site.get("/a/t.txt").body == b"t\n"
    return teal


def revert(site: Site, ben: Staff, number: int) -> None:
    """One release is taken back and what came later stays; that is taken back as well."""
    ben.open_release(number)
    ben.follow("Revert this release")
    ben.sees("teal.txt")
    ben.press("Make the draft that reverts it")
    reverted = publish_what_is_open(site, ben)
    assert site.get("/css/site.css").body == NAVY
    assert site.get("/teal.txt").status == 404
    assert site.get("/a/t.txt").body == b"t\n"
    again = site.manage("release", "revert", reverted)["release"]
    publish(site, again)
    assert site.get("/teal.txt").body == b"teal\n"
    assert site.get("/css/site.css").body == CSS.replace(b"crimson", b"slateblue")
