"""The main job, told as one story: a folder becomes a release that one click takes back."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.folders import FIRST, SECOND
from tests.acceptance.site import PASSWORD, Refused, Site

pytestmark = pytest.mark.acceptance


@pytest.fixture
def running(site: Site, first_folder: Path) -> Iterator[Site]:
    """A site that serves the first folder as release 1, with eva and ben beside the administrator."""
    with site.running(str(first_folder)):
        site.add_user("eva", "editor")
        site.add_user("ben", "manager")
        yield site


def assert_serves(site: Site, files: dict[str, bytes], release: int) -> None:
    """Every worker serves every file of `files`, whole, and says that it is of `release`."""
    site.wait_for_release(release)
    for path, content in files.items():
        answer = site.get(
            f"/{path}" if not path.endswith("index.html") else f"/{path.removesuffix('index.html')}"
        )
        assert (answer.status, answer.body) == (200, content), path
        assert answer.headers["assetsite-release"] == str(release)


class Staff:
    """A person at the staff door, in a browser of their own."""

    def __init__(self, browser: Browser, site: Site, name: str) -> None:
        self.page = browser.new_context().new_page()
        self.door = f"http://127.0.0.1:{site.staff_port}"
        self.page.goto(f"{self.door}/admin/login/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Log in")
        expect(self.page.get_by_role("button", name="Log out")).to_be_visible()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=re.compile(f"^{name}")).first.click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=re.compile(f"^{name}")).first.click()

    def open_release(self, number: int) -> None:
        self.page.goto(f"{self.door}/admin/releases/release/{number}/change/")

    def sees(self, words: str) -> None:
        expect(self.page.locator("body")).to_contain_text(words)

    def fill_in_and_submit(self) -> None:
        """Step 4: the brief, the changes with old and new beside each other, submit for review."""
        self.open_release(2)
        self.page.get_by_label("Expected result").fill("Headlines are navy.")
        self.page.get_by_label("Rollback note").fill("Roll back if anything is crimson.")
        self.press("Save the brief")
        for path in ("img/new.txt", "js/old.js", "css/site.css"):
            self.sees(path)
        diff = self.page.get_by_role("table", name="Lines of css/site.css")
        expect(diff.locator("tr.line-removed", has_text="crimson")).to_be_visible()
        expect(diff.locator("tr.line-added", has_text="navy")).to_be_visible()
        self.press("Submit for review")
        self.sees("Waiting for one approval")
        expect(self.page.get_by_role("button", name=re.compile("^Approve"))).to_be_disabled()

    def approve_and_publish(self) -> None:
        """Step 5: approve what is in review, see what it changes for visitors, publish."""
        self.open_release(2)
        self.press("Approve")
        self.follow("Publish to production")
        self.sees("Visitors of production get release 2 instead of release 1")
        self.press("Publish to production")
        self.sees("Live on production")

    def roll_back(self, reason: str) -> None:
        """Step 6: from the channel's page, with what changes in view and a reason."""
        self.page.goto(f"{self.door}/admin/releases/channel/")
        self.follow("production")
        self.follow("Roll back to production-")
        self.page.get_by_label("Reason").fill(reason)
        self.press("Roll back to production-")
        self.sees(reason)


@pytest.mark.browser
def test_a_folder_becomes_a_release_that_one_click_takes_back(
    site: Site, first_folder: Path, second_folder: Path, browser: Browser
) -> None:
    # 1. One command: the folder is release 1, live on production, and it says where to go.
    with site.running(str(first_folder)) as said:
        for words in (f"http://localhost:{site.public_port}", f"http://127.0.0.1:{site.staff_port}", "admin"):
            assert words in said
        assert_serves(site, FIRST, release=1)

        # 2. The browser shows it; its answers carry a cache policy.
        assert_looks_right(browser, site)
        head = site.get("/css/site.css", method="HEAD")
        assert head.body == b""
        assert "max-age" in head.headers["cache-control"]
        assert head.headers["assetsite-rule"] == "everything"

        # 3. Another folder is a draft that holds only what differs; imported again it changes nothing.
        assert_imports_only_what_differs(site, second_folder)

        site.add_user("eva", "editor")
        site.add_user("ben", "manager")
        Staff(browser, site, "eva").fill_in_and_submit()
        with pytest.raises(Refused) as refusal:
            site.manage("release", "approve", 2, "--as", "admin")
        assert refusal.value.error["code"] == "self_approval", "the administrator imported it"

        ben = Staff(browser, site, "ben")
        ben.approve_and_publish()
        assert_serves(site, SECOND, release=2)
        assert site.get("/js/old.js").status == 404

        ben.roll_back("The headlines cannot be read.")
        assert_serves(site, FIRST, release=1)
        for words in ("ben", "Spring", "admin"):
            expect(ben.page.get_by_role("main")).to_contain_text(words)


def assert_looks_right(browser: Browser, site: Site) -> None:
    page = browser.new_page()
    page.goto(f"http://localhost:{site.public_port}/")
    heading = page.get_by_role("heading", name="One")
    assert heading.evaluate("h => getComputedStyle(h).color") == "rgb(220, 20, 60)", "its style sheet"
    expect(page).to_have_title("One!")  # its script
    assert page.context.cookies() == []


def assert_imports_only_what_differs(site: Site, folder: Path) -> None:
    differs = {"added": 1, "changed": 2, "removed": 1, "unchanged": len(SECOND) - 3, "refused": []}
    draft = {"release": 2, "state": "draft"}
    assert site.manage("import", folder, "--title", "Spring") == draft | differs
    same = {"added": 0, "changed": 0, "removed": 0, "unchanged": len(SECOND), "refused": []}
    assert site.manage("import", folder, "--title", "Spring") == draft | same
    assert len(site.manage("release", "list")) == 2
    assert_serves(site, FIRST, release=1)


def test_the_same_by_command_for_a_team_of_two(running: Site, second_folder: Path) -> None:
    site = running
    assert site.manage("import", second_folder, "--title", "Spring", "--as", "eva")["release"] == 2
    brief = ("--expected-result", "Navy.", "--rollback-note", "Roll back if crimson.")
    site.manage("release", "edit", 2, *brief, "--as", "eva")
    submitted = site.manage("release", "submit", 2, "--as", "eva")
    assert submitted["state"] == "in_review"
    with pytest.raises(Refused) as refusal:
        site.manage("release", "publish", 2, "--as", "ben")
    assert refusal.value.error["code"] == "wrong_state"
    site.manage("release", "approve", 2, "--digest", submitted["digest"], "--as", "ben")
    published = site.manage("release", "publish", 2, "--channel", "production", "--as", "ben")
    assert (published["publication"], published["kind"], published["digest"]) == (
        2,
        "publish",
        submitted["digest"],
    )
    assert_serves(site, SECOND, release=2)

    back = site.manage(
        "release", "rollback", "--channel", "production", "--reason", "unreadable", "--as", "ben"
    )
    assert (back["publication"], back["kind"], back["release"]) == (3, "rollback", 1)
    assert_serves(site, FIRST, release=1)
    history = site.manage("channel", "show", "production")["history"]
    assert [(line["kind"], line["actor"], line["reason"]) for line in history] == [
        ("rollback", "ben", "unreadable"),
        ("publish", "ben", ""),
        ("publish", "admin", ""),
    ]
    undone = site.manage("release", "rollback", "--to", 2, "--reason", "it was the network", "--as", "ben")
    assert undone["digest"] == submitted["digest"]
    assert_serves(site, SECOND, release=2)
    assert site.manage("audit", "verify")["faults"] == []


def test_a_team_of_one_needs_nobody(running: Site, second_folder: Path) -> None:
    site = running
    site.manage("import", second_folder, "--title", "Spring")
    site.manage("release", "edit", 2, "--expected-result", "Navy.", "--rollback-note", "None.")
    site.manage("channel", "set", "production", "--required-approvals", 0)
    assert site.manage("release", "submit", 2)["state"] == "approved"
    site.manage("release", "publish", 2)
    assert_serves(site, SECOND, release=2)


def test_a_second_start_does_nothing_twice(site: Site, first_folder: Path, second_folder: Path) -> None:
    with site.running(str(first_folder)):
        pass
    with site.running(str(second_folder)) as said:
        assert_serves(site, FIRST, release=1)
        assert PASSWORD not in said
        assert len(site.manage("release", "list")) == 1
        assert len(site.manage("user", "list")) == 1


def test_the_public_door_never_needs_the_database(tmp_path: Path, first_folder: Path) -> None:
    """Zero queries per visitor: with the database gone every answer is what it was."""
    site = Site(data=tmp_path / "data")
    with site.running(str(first_folder)):
        paths = [f"/{path}" for path in FIRST if not path.endswith("index.html")]
        before = {path: site.get(path).body for path in paths}
        for file in site.data.glob("assetsite.sqlite3*"):
            file.rename(file.with_name(f"{file.name}.gone"))
        (site.data / "assetsite.sqlite3").mkdir()
        for path, body in before.items():
            now = site.get(path)
            assert (now.status, now.body) == (200, body)
        ready = site.get("/-/readyz")
        assert ready.status == 200
        assert json.loads(ready.body)["database"].startswith("down")
