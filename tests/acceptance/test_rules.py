"""A cache rule from its form to what visitors get, and an address back to its rule, in a browser.

The same by commands is `tests/releases/test_debugging_a_header.py`.
"""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.site import Site
from tests.acceptance.test_first_light import Staff

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

HOUR_AND_DAY = "public, max-age=3600, stale-while-revalidate=86400"


def test_a_rule_is_written_without_knowing_a_header_and_explained_from_an_address(
    site: Site, first_folder: Path, browser: Browser, tmp_path: Path
) -> None:
    with site.running(str(first_folder)):
        site.manage("channel", "set", "production", "--required-approvals", 0)
        site.add_user("ben", "manager")
        ben = Staff(browser, site, "ben")

        write_rule(ben)
        ship_rule(ben)
        site.wait_for_release(2)
        assert site.get("/data.bin").headers["cache-control"] == HOUR_AND_DAY
        trace_address(ben, f"http://127.0.0.1:{site.public_port}/data.bin?v=3", site)
        drag_rule(ben)
        keep_what_is_tagged(site, tmp_path)


def write_rule(ben: Staff) -> None:
    """What comes of it stands beside the form as ben types, in headers and in words."""
    page = ben.page
    page.goto(f"{ben.door}/admin/caching/cacherule/")
    ben.follow("New cache rule")
    outcome = page.locator("#outcome")
    page.get_by_label("Name", exact=True).fill(" Été: Downloads!")
    expect(page.get_by_label("Short name")).to_have_value("ete-downloads")
    page.get_by_label("Name", exact=True).fill("Downloads")
    page.get_by_label("Short name").fill("downloads")
    page.locator("#id_order").fill("300")
    words = page.get_by_role("toolbar", name="In use: Ends of names").get_by_role("button")
    words.first.focus()
    words.first.press("ArrowLeft")
    expect(words.last).to_be_focused()
    words.last.press("Tab")
    expect(page.locator("#id_is_fingerprinted")).to_be_focused()
    page.get_by_role("button", name="Add bin to Ends of names").click()
    expect(page.locator("#id_extensions")).to_have_value("bin")
    page.locator("#id_browser_ttl_seconds_0").fill("1")
    page.locator("#id_browser_ttl_seconds_1").select_option(label="hours")
    page.locator("#id_stale_while_revalidate_seconds_0").fill("1")
    page.locator("#id_stale_while_revalidate_seconds_1").select_option(label="days")
    expect(outcome).to_contain_text(f"Cache-Control: {HOUR_AND_DAY}")
    expect(outcome).to_contain_text(
        "may keep a copy for an hour. For a day after that they may show the old copy"
    )
    page.locator("#id_expected_result").fill("Downloads are asked for once an hour.")
    page.locator("#id_examples-0-url").fill("/data.bin")
    expect(page.locator("#outcome-said")).to_have_text("1 thing to correct. Examples: 1 of 1 hold.")
    say_what_is_of_before(ben)
    with page.expect_event("dialog") as asked:  # what is typed is not left behind unasked
        page.evaluate("setTimeout(() => { location.href = '/admin/' })")
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    ben.press("Save as version 1")
    expect(page.locator("#id_rollback_note_error")).to_be_visible()  # what is missing stands at its field
    expect(page.locator("#id_expected_result")).to_have_value("Downloads are asked for once an hour.")
    page.locator("#id_rollback_note").fill("Disable it.")
    ben.press("Save as version 1")
    ben.sees("1 of 1 hold")


def say_what_is_of_before(ben: Staff) -> None:
    """Where no answer comes, or a page to log in, what stands beside the form is not of what is typed now."""
    page = ben.page
    outcome, stale, words = (
        page.locator("#outcome"),
        page.locator("#outcome-stale"),
        page.locator("#id_description"),
    )
    page.route("**/outcome/", lambda route: route.abort())
    words.fill("No answer")
    expect(stale).to_contain_text("The site does not answer.")
    page.unroute("**/outcome/")
    cookies = page.context.cookies()
    page.context.clear_cookies(name="assetsite_session")
    words.fill("No session")
    expect(stale).to_contain_text("You are not logged in any more.")
    expect(outcome).to_contain_text(f"Cache-Control: {HOUR_AND_DAY}")
    page.context.add_cookies([{**cookie} for cookie in cookies])  # type: ignore[typeddict-item]
    words.fill("")
    expect(stale).to_be_hidden()


def ship_rule(ben: Staff) -> None:
    """A release without a file brings the rule to visitors."""
    ben.follow("Make a release with it")
    ben.press("Begin it for production")
    ben.page.get_by_label("Expected result").fill("Downloads for an hour.")
    ben.page.get_by_label("Rollback note").fill("Roll back.")
    ben.press("Save the brief")
    ben.press("Submit for review")
    ben.follow("Publish to production")
    ben.press("Publish to production")
    ben.sees("Live on production")


def trace_address(ben: Staff, address: str, site: Site) -> None:
    """An address from the address bar, and headers that somebody saw, lead to the rule and who saved it."""
    page = ben.page
    page.goto(f"{ben.door}/admin/caching/cacherule/")
    ben.follow("Trace an address")
    page.get_by_label("Address").fill(address)
    ben.press("Trace")
    rules = page.locator("#rules")
    expect(rules.get_by_role("row", name="300 downloads")).to_contain_text("✓ decides")
    expect(rules.get_by_role("row", name="900 everything")).to_contain_text("comes before it and has decided")
    head = site.get("/data.bin", method="HEAD")
    page.locator("#seen-headers").fill("\n".join(f"{name}: {value}" for name, value in head.headers.items()))
    ben.press("Explain")
    ben.sees("It is still right: it comes from release 2")


def drag_rule(ben: Staff) -> None:
    """A row is dragged to where its rule is to be tried, unless an example would not hold there."""
    page = ben.page

    def drag(name: str, onto: str, *, y: int) -> None:
        target = page.get_by_role("row", name=onto)
        page.get_by_role("row", name=name).drag_to(target, target_position={"x": 90, "y": y})
        page.wait_for_load_state()

    page.goto(f"{ben.door}/admin/caching/cacherule/")
    drag("Downloads", "Everything else", y=40)
    ben.sees("/data.bin")
    expect(page.locator("#result_list tbody tr").last).to_contain_text("Everything else")
    drag("Downloads", "Files with a content hash", y=3)
    expect(page.locator("#result_list tbody tr").nth(1)).to_contain_text("Downloads")
    page.goto(f"{ben.door}/admin/caching/cacherule/?q=d")
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    drag("Downloads", "Files with a content hash", y=50)  # behind it, not behind one that is not shown
    expect(page.locator("#result_list tbody tr").nth(2)).to_contain_text("Downloads")


def keep_what_is_tagged(site: Site, folder: Path) -> None:
    """A tag reaches visitors with the release that ships it, and leaves them with its roll back."""
    sale = {
        "rule": "sale",
        "name": "Sale",
        "order": 100,
        "match": {"tags": ["sale"]},
        "policy": {"browser_ttl_seconds": 7},
        "examples": [{"url": "/sale.js", "rule": "sale", "is_cached": True, "tags": ["sale"]}],
        "expected_result": "Prices change at once.",
        "rollback_note": "Take the tag away.",
    }
    (folder / "sale.json").write_text(json.dumps(sale))
    site.manage("rule", "save", folder / "sale.json", "--reason", "The sale begins.")
    site.manage("asset", "tag", "js/old.js", "--add", "sale")
    before = site.get("/js/old.js").headers["cache-control"]
    site.manage("rule", "release", "--title", "Sale")
    site.manage("release", "edit", 3, "--expected-result", "Prices.", "--rollback-note", "Roll back.")
    site.manage("release", "submit", 3)
    site.manage("release", "publish", 3)
    site.wait_for_release(3)
    assert site.get("/js/old.js").headers["cache-control"] == "public, max-age=7"
    site.manage("release", "rollback", "--reason", "Too early.")
    site.wait_for_release(2)
    assert site.get("/js/old.js").headers["cache-control"] == before != "public, max-age=7"
