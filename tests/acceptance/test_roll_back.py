"""Undo that always works: seen beforehand, proved afterwards, undone, rehearsed; and never left half."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance import deeds
from tests.acceptance.desk import Desk
from tests.acceptance.folders import FIRST, SECOND, write_folder
from tests.acceptance.site import Refused, Site
from tests.acceptance.test_first_light import Staff, assert_serves

pytestmark = pytest.mark.acceptance

BRIEF = ("--expected-result", "Navy.", "--rollback-note", "Roll back if crimson.")
AGREE_WITHIN_SECONDS = 5.0  # of the next start
HOSTS = "production=localhost,127.0.0.1;staging=staging.localhost"


@pytest.fixture
def hosted(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose staging has a host as well."""
    monkeypatch.setenv("CHANNEL_HOSTS", HOSTS)
    return site


def until[T](look: Callable[[], T | None], what: str, *, seconds: float = 90) -> T:
    """Look again and again until there is something; the deadline is a failure and no pace."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"{what} does not come"
        time.sleep(0.05)
    return found


def approve(site: Site, folder: Path, title: str, *, channel: str = "production") -> int:
    """Import a folder and have it approved; return the release."""
    number: int = site.manage("import", folder, "--title", title, "--channel", channel)["release"]
    site.manage("release", "edit", number, *BRIEF)
    assert site.manage("release", "submit", number)["state"] == "approved"
    return number


def serves_staging(site: Site, path: str) -> bytes:
    return site.get(path, Host="staging.localhost").body


@pytest.mark.browser
def test_a_release_is_rehearsed_published_taken_back_and_that_is_undone(
    hosted: Site, first_folder: Path, second_folder: Path, tmp_path: Path, browser: Browser
) -> None:
    site = hosted
    with site.running(str(first_folder)):
        site.add_user("ben", "manager")
        site.manage("channel", "set", "production", "--required-approvals", 0)
        on_staging = approve(site, write_folder(tmp_path / "other", FIRST), "Staging", channel="staging")
        site.manage("release", "publish", on_staging)
        release = approve(site, second_folder, "Spring")
        ben = Staff(browser, site, "ben")

        # 1. Rehearse it, on staging, and see that staging is what it was.
        ben.open_release(release)
        ben.press("Rehearse the roll back on staging")
        ben.sees(f"Release {release} is being rehearsed on staging")
        until(lambda: drill_of(site, release)["outcome"], "the end of the drill")
        ben.open_release(release)
        ben.sees("Rehearsed on staging")
        assert serves_staging(site, "/css/site.css") == FIRST["css/site.css"]

        # 2. Publish it; its receipt names who followed, what changed and what was answered.
        ben.follow("Publish to production")
        ben.press("Publish to production")
        receipt = site.manage("release", "receipt", 2, "--wait")
        assert receipt["state"] == "verified", receipt
        ben.page.goto(f"{ben.door}/admin/releases/channel/")
        ben.follow("production")
        ben.sees("All 3 workers follow (")
        ben.page.get_by_role("link", name=re.compile("^Receipt of production-.*2$")).click()
        for words in ("Verified", "3 of 3 workers follow", "/css/site.css", "to be forgotten by caches"):
            ben.sees(words)

        # 3. Take it back: what that changes is shown first.
        ben.page.goto(f"{ben.door}/admin/releases/channel/")
        ben.follow("production")
        ben.follow("Roll back to production-")
        ben.sees("Nothing of it is final")
        ben.page.get_by_label("Reason").fill("Unreadable.")
        ben.press("Roll back to production-")
        back = site.manage("release", "receipt", 3, "--wait")
        assert (back["state"], back["reason"]) == ("verified", "Unreadable.")
        assert_serves(site, FIRST, release=1)

        # 4. Undo that, by the link in the message.
        ben.page.get_by_role("link", name=re.compile("^serve production-.*again$")).click()
        ben.page.get_by_label("Reason").fill("It was the screen.")
        ben.press("Roll back to production-")
        assert_serves(site, SECOND, release=release)
        again = site.manage("release", "receipt", 4, "--wait")
        assert (again["state"], again["digest"]) == ("verified", receipt["digest"])
        expect(ben.page.get_by_role("main")).to_contain_text("It was the screen.")


def drill_of(site: Site, release: int) -> dict[str, Any]:
    drill: dict[str, Any] = site.manage("release", "show", release)["drill"]
    return drill


def missed_of(site: Site, release: int) -> dict[str, Any] | None:
    """What became of the one time that a release was scheduled for, None while that waits."""
    (schedule,) = site.manage("release", "show", release)["schedules"]
    return None if schedule["state"] == "waiting" else schedule


def test_the_same_by_command_and_nothing_is_left_half_by_a_power_cut(
    hosted: Site, first_folder: Path, second_folder: Path, tmp_path: Path
) -> None:
    site = hosted
    with site.running(str(first_folder)):
        site.manage("channel", "set", "production", "--required-approvals", 0)
        on_staging = approve(site, write_folder(tmp_path / "other", FIRST), "Staging", channel="staging")
        before = site.manage("release", "publish", on_staging)
        release = approve(site, second_folder, "Spring")
        drill = site.manage("release", "drill", release, "--wait")
        assert (drill["outcome"], drill["returns_to"]) == ("passed", before["tag"]), drill
        published = site.manage("release", "publish", release)
        preview = site.manage("release", "rollback", "--dry-run")
        assert preview["paths"] | {"headers": 0} == {
            "added": 1, "changed": 2, "removed": 1, "headers": 0, "following": 0,
        }  # fmt: skip
        back = site.manage("release", "rollback", "--reason", "unreadable")
        assert back["digest"] == preview["digest"]
        urls = site.manage("release", "receipt", back["tag"], "--wait", "--urls")
        assert urls == ["/css/site.css", "/img/new.txt", "/index.html", "/", "/js/old.js"]
        undone = site.manage("release", "rollback", "--undo", "--reason", "it was the screen")
        assert undone["digest"] == published["digest"]
        with pytest.raises(Refused) as refusal:
            site.manage("release", "rollback", "--to", 99, "--reason", "x")
        assert refusal.value.error["code"] == "unknown_publication"
        third = approve(site, write_folder(tmp_path / "third", SECOND | {"third.txt": b"3"}), "Third")
        site.manage("channel", "create", "partners")
        missed = approve(site, write_folder(tmp_path / "partners", FIRST), "For partners", channel="partners")
        site.kill()

    # A power cut between what the database says and what storage says, twice, and a time that goes by.
    desk = Desk(site.data, site.database_url)
    desk.do(deeds.schedule_an_hour_ago, missed)
    desk.kill("apps.assets.store.replace", "before", "release", "drill", str(third), "--as", "admin")
    desk.kill("apps.assets.store.replace", "before", "release", "rollback", "--reason", "x", "--as", "admin")
    with site.running():
        for channel in ("production", "staging"):
            until_they_agree(site, channel)
        assert_serves(site, FIRST, release=1)
        # What was due meanwhile is done, and marked late.
        late = until(lambda: missed_of(site, missed), "what was missed")
        assert (late["state"], late["outcome"].endswith("late: nothing ran at its time.")) == ("late", True)
        until_they_agree(site, "partners")
        # What was being rehearsed is taken back by what runs now.
        until(lambda: drill_of(site, third)["outcome"], "the end of the interrupted drill")
        assert site.manage("channel", "show", "staging")["live"]["digest"] == before["digest"]
        assert serves_staging(site, "/third.txt") != b"3"
        assert site.manage("audit", "verify")["faults"] == []


def until_they_agree(site: Site, channel: str) -> None:
    what = f"the agreement of pointer and database on {channel}"
    until(lambda: agree(site, channel) or None, what, seconds=AGREE_WITHIN_SECONDS)


def agree(site: Site, channel: str) -> bool:
    """Whether storage points at what the database says is live."""
    live = site.manage("channel", "show", channel)["live"]
    pointer = json.loads((site.data / f"storage/channels/{channel}.json").read_text())
    return bool(pointer["sequence"] == live["publication"])
