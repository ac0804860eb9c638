"""A release before it goes live, told as one story: who has the link sees it, and nobody else."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.folders import FIRST, SECOND
from tests.acceptance.site import Answer, Site
from tests.acceptance.test_first_light import Staff

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

GUEST_PASSWORD = "for our friends at the agency"


def see(site: Site, address: str, path: str = "/index.html") -> Answer:
    """Ask the public door for a path of a preview."""
    return site.get(path.removesuffix("index.html"), host=urlsplit(address).netloc)


def assert_shows_second(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", name="Two")).to_be_visible()
    expect(page.get_by_role("heading")).to_have_css("color", "rgb(0, 0, 128)")


def make_guarded_preview(person: Staff, site: Site) -> str:
    """Make a preview with a password and a banner, on the page; return its address, as a command lists it."""
    person.page.get_by_text("Make a preview").click()
    person.page.get_by_label("Password").fill(GUEST_PASSWORD)
    person.page.get_by_label("Say on each page that it is a preview").check()
    person.press("Make the preview")
    person.sees("asks for its password")
    [guarded] = [each for each in site.manage("release", "preview", 2, "--list") if each["password"]]
    return str(guarded["url"])


def test_a_release_is_seen_before_it_goes_live_by_who_has_the_link(
    site: Site, first_folder: Path, second_folder: Path, browser: Browser
) -> None:
    with site.running(str(first_folder)):
        site.add_user("eva", "editor")
        site.add_user("ben", "manager")
        site.manage("import", second_folder, "--title", "Spring", "--as", "eva")
        site.manage(
            "release", "edit", 2, "--expected-result", "Navy.", "--rollback-note", "None.", "--as", "eva"
        )

        # 1. A draft, from its page: the link shows it, the public site does not.
        eva = Staff(browser, site, "eva")
        eva.open_release(2)
        eva.page.get_by_text("Make a preview").click()
        eva.press("Make the preview")
        eva.sees("The draft as of")
        draft = eva.page.get_by_role("link", name="Preview ↗").get_attribute("href")
        assert draft is not None
        visitor = browser.new_context().new_page()
        assert_shows_second(visitor, draft)
        assert site.get("/").body == FIRST["index.html"]
        assert "noindex" in see(site, draft).headers["x-robots-tag"]
        assert see(site, draft.replace("r2-", "r2-a")).status == 404

        # 2. In review: what reviewers see names the digest that they approve.
        submitted = site.manage("release", "submit", 2, "--as", "eva")
        candidate = submitted["preview_url"]
        ben = Staff(browser, site, "ben")
        ben.open_release(2)
        with ben.page.expect_popup() as opened:
            ben.page.get_by_role("link", name="Preview ↗").click()
        reviewed = opened.value
        expect(reviewed.get_by_role("heading", name="Two")).to_be_visible()
        assert reviewed.url == candidate
        assert see(site, candidate).headers["assetsite-digest"] == submitted["digest"]

        # 3. What was uploaded runs here in the browser of somebody who is logged in, and reaches nothing.
        assert_cannot_reach_the_staff(reviewed, f"{ben.door}/admin/")

        # 4. Somebody without an account, and without script, types the password and sees the banner.
        guarded = make_guarded_preview(ben, site)
        assert_guest_gets_in(browser, guarded)

        # 5. Revoked, it is gone, though it was open a moment ago.
        ben.page.locator(".preview", has_text="asks for its password").get_by_role(
            "button", name="Revoke"
        ).click()
        ben.sees("The preview is revoked")
        visitor.goto(guarded)
        expect(visitor.get_by_role("heading")).to_have_text("There is no preview here")

        # 6. What was looked at is what goes live; its previews have ended then.
        site.manage("release", "approve", 2, "--digest", submitted["digest"], "--as", "ben")
        assert site.manage("release", "publish", 2, "--as", "ben")["digest"] == submitted["digest"]
        site.wait_for_release(2)
        assert site.get("/").body == SECOND["index.html"]
        for address in (draft, candidate):
            visitor.goto(address)
            expect(visitor.get_by_role("heading")).to_have_text("There is no preview here")
        assert site.manage("release", "show", 2)["preview_url"] is None
        assert site.manage("audit", "verify")["faults"] == []


def assert_cannot_reach_the_staff(page: Page, staff: str) -> None:
    """An uploaded script gets no cookie and no answer of the staff door, which is shown in no frame."""
    asked = "url => fetch(url, {credentials: 'include'}).then(answer => answer.text(), () => 'nothing')"
    assert page.evaluate(asked, staff) == "nothing"
    assert page.evaluate("document.cookie") == ""
    framed = "url => { document.body.appendChild(document.createElement('iframe')).src = url }"
    with page.expect_event("requestfinished", lambda request: request.url.startswith(staff)) as finished:
        page.evaluate(framed, staff)
    assert "cookie" not in finished.value.all_headers()
    answer = finished.value.response()
    assert answer is not None
    assert answer.header_value("x-frame-options") == "DENY"


def assert_guest_gets_in(browser: Browser, address: str) -> None:
    page = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 700}).new_page()
    page.goto(f"{address}docs/")
    for password, words in (("wrong", "This is not the password"), (GUEST_PASSWORD, "")):
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Show the preview").click()
        if words:
            expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page).to_have_url(f"{address}docs/")
    expect(page).to_have_title("Docs")
    banner = page.get_by_role("note")
    expect(banner).to_have_text(
        re.compile("^Preview of release 2, not published. Digest [0-9a-f]{12}, expires ")
    )
    expect(banner).to_have_css("position", "fixed")
    form = browser.new_context(color_scheme="dark").new_page()
    form.goto(address)
    assert [found["id"] for found in Axe().run(form).response["violations"]] == []
