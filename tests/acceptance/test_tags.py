"""Files are tagged in a browser, a rule asks for the tag, and visitors get it with a release."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.site import Site
from tests.acceptance.test_first_light import Staff

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

SALE = {
    "rule": "sale",
    "name": "Sale",
    "order": 50,
    "match": {"tags": ["summer-sale"]},
    "policy": {"browser_ttl_seconds": 60},
    "examples": [
        {
            "url": "/sale.bin",
            "rule": "sale",
            "is_cached": True,
            "browser_ttl_seconds": 60,
            "tags": ["summer-sale"],
        }
    ],
    "expected_result": "A price is wrong for a minute at most.",
    "rollback_note": "Disable it.",
}
SHIPS = "Nothing has changed for visitors yet: a release ships it with its cache rules."


def test_what_is_tagged_reaches_visitors_with_a_release_and_is_taken_back(
    site: Site, first_folder: Path, browser: Browser, tmp_path: Path
) -> None:
    with site.running(str(first_folder)):
        site.manage("channel", "set", "production", "--required-approvals", 0)
        site.add_user("eva", "editor")
        eva = Staff(browser, site, "eva")

        tag_by_keyboard(eva)
        assert policy(site) != "public, max-age=60"

        ship_rule(site, tmp_path / "sale.json")
        assert policy(site) == "public, max-age=60"

        take_back(eva)
        assert policy(site) == "public, max-age=60"
        site.manage("rule", "release", "--title", "The sale is over")
        publish(site, 3)
        assert policy(site) != "public, max-age=60"


def policy(site: Site) -> str:
    return site.get("/data.bin").headers["cache-control"]


def tag_by_keyboard(eva: Staff) -> None:
    """Search, tick what is found, choose the action, and name the tag, without a mouse."""
    page, press = eva.page, eva.page.keyboard.press
    page.goto(f"{eva.door}/admin/assets/asset/")
    page.locator("#searchbar").focus()
    page.keyboard.type("data")
    press("Enter")
    eva.sees("1 result")
    box = page.locator("input.action-select").first
    box.focus()
    press("Space")
    expect(box).to_be_checked()
    page.locator("select[name=action]").focus()
    page.keyboard.type("Tag")
    press("Tab")
    press("Enter")
    page.get_by_label("Give").focus()
    page.keyboard.type("Summer sale")
    press("Tab")
    page.keyboard.type("Prices change at night.")
    press("Enter")
    eva.sees(f"The tag summer-sale was given to one file. {SHIPS}")
    expect(page.locator("#searchbar")).to_have_value("data")
    expect(page.locator("#result_list .tag-chip")).to_have_text(["summer-sale"])


def ship_rule(site: Site, file: Path) -> None:
    file.write_text(json.dumps(SALE))
    site.manage("rule", "save", file, "--reason", "The sale begins.")
    site.manage("rule", "release", "--title", "The sale")
    publish(site, 2)


def publish(site: Site, number: int) -> None:
    site.manage(
        "release", "edit", number, "--expected-result", "Right prices.", "--rollback-note", "Roll back."
    )
    site.manage("release", "submit", number)
    site.manage("release", "publish", number)
    site.wait_for_release(number)


def take_back(eva: Staff) -> None:
    """From the file's own page to the act that tagged it, and back."""
    page = eva.page
    page.get_by_role("link", name="data.bin").click()
    eva.sees("Prices change at night.")
    page.locator("#history").get_by_role("link").click()
    eva.press("Take it back")
    eva.sees(f"The tag summer-sale was taken from one file. {SHIPS}")
    page.goto(f"{eva.door}/admin/assets/asset/?tag=summer-sale")
    eva.sees("Nothing fits.")
