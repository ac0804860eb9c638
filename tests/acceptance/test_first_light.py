"""The main job, told as one story: a folder becomes a release that one click takes back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import FIRST, SECOND
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


def log_in(page: Page, site: Site, name: str) -> None:
    page.goto(f"http://127.0.0.1:{site.staff_port}/admin/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


@pytest.mark.browser
def test_a_folder_becomes_a_release_that_one_click_takes_back(
    site: Site, first_folder: Path, second_folder: Path, browser: Browser
) -> None:
    # 1. One command: the folder is release 1, live on production, and it says where to go.
    with site.running(str(first_folder)) as said:
        assert f"http://localhost:{site.public_port}" in said
        assert f"http://127.0.0.1:{site.staff_port}" in said
        assert "admin" in said
        assert_serves(site, FIRST, release=1)

        # 2. The browser shows it; its answers carry a cache policy.
        page = browser.new_page()
        page.goto(f"http://localhost:{site.public_port}/")
        expect(page.get_by_role("heading", name="One")).to_be_visible()
        assert page.title() == "One!", "the page's script runs"
        assert page.get_by_role("heading").evaluate("h => getComputedStyle(h).color") == "rgb(220, 20, 60)"
        head = site.get("/css/site.css", method="HEAD")
        assert head.body == b""
        assert "max-age" in head.headers["cache-control"]
        assert head.headers["assetsite-rule"]

        # 3. Another folder is a draft that holds only what differs; imported again it changes nothing.
        imported = site.manage("import", second_folder, "--title", "Spring")
        assert imported == {
            "release": 2,
            "state": "draft",
            "added": 1,
            "changed": 2,
            "removed": 1,
            "unchanged": 3,
            "refused": [],
        }
        again = site.manage("import", second_folder, "--title", "Spring")
        assert (again["release"], again["added"], again["changed"], again["removed"]) == (2, 0, 0, 0)
        assert len(site.manage("release", "list")) == 2
        assert_serves(site, FIRST, release=1)

        # 4. In the admin: the brief, the changes with old and new beside each other, submit.
        site.add_user("eva", "editor")
        site.add_user("ben", "manager")
        editor = browser.new_context().new_page()
        log_in(editor, site, "eva")
        editor.goto(f"http://127.0.0.1:{site.staff_port}/admin/releases/release/2/change/")
        editor.get_by_label("Expected result").fill("Headlines are navy.")
        editor.get_by_label("Rollback note").fill("Roll back if anything is crimson.")
        editor.get_by_role("button", name="Save").click()
        expect(editor.locator("body")).to_contain_text("img/new.txt")
        expect(editor.locator("del, .removed").filter(has_text="crimson").first).to_be_attached()
        expect(editor.locator("ins, .added").filter(has_text="navy").first).to_be_attached()
        editor.get_by_role("button", name=re.compile("Submit for review")).click()
        expect(editor.locator("body")).to_contain_text(re.compile("in review|Waiting for", re.I))

        # Nobody approves their own: the owner has no button, and the command refuses.
        expect(editor.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
        with pytest.raises(Refused) as refusal:
            site.manage("release", "approve", 2, "--as", "admin")
        assert refusal.value.error["code"] == "self_approval"

        # 5. Another person approves and publishes; every worker serves the whole new release.
        manager = browser.new_context().new_page()
        log_in(manager, site, "ben")
        manager.goto(f"http://127.0.0.1:{site.staff_port}/admin/releases/release/2/change/")
        manager.get_by_role("button", name=re.compile("^Approve")).click()
        manager.get_by_role("link", name=re.compile("Publish")).or_(
            manager.get_by_role("button", name=re.compile("Publish"))
        ).first.click()
        manager.get_by_role("button", name=re.compile("Publish")).click()
        expect(manager.locator("body")).to_contain_text(re.compile("live on production", re.I))
        assert_serves(site, SECOND, release=2)
        assert site.get("/js/old.js").status == 404

        # 6. One click takes it back, with a reason; the channel's page says who did what, when and why.
        manager.goto(f"http://127.0.0.1:{site.staff_port}/admin/releases/channel/")
        manager.get_by_role("link", name="production").first.click()
        manager.get_by_role("link", name=re.compile("^Roll back to")).first.click()
        manager.get_by_label("Reason").fill("The headlines cannot be read.")
        manager.get_by_role("button", name=re.compile("^Roll back")).click()
        expect(manager.locator("body")).to_contain_text("The headlines cannot be read.")
        assert_serves(site, FIRST, release=1)
        history = manager.get_by_role("table").first
        for words in ("ben", "Spring", "admin"):
            expect(history).to_contain_text(words)


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


def test_the_public_door_never_needs_the_database(running: Site) -> None:
    """Zero queries per visitor: with the database gone every answer is what it was."""
    site = running
    if connection.vendor != "sqlite":
        pytest.skip("moves a database file away")
    before = {path: site.get("/" + path) for path in FIRST if not path.endswith("index.html")}
    database = site.data / "assetsite.sqlite3"
    for file in site.data.glob("assetsite.sqlite3*"):
        file.rename(file.with_name(file.name + ".gone"))
    database.mkdir()
    for path, answer in before.items():
        now = site.get("/" + path)
        assert (now.status, now.body) == (200, answer.body)
    ready = site.get("/-/readyz")
    assert ready.status == 200
    assert b'"database": "down' in ready.body
