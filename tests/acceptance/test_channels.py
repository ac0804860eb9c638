"""A channel of its own, a hold after a roll back, a freeze and an emergency: in a browser, and by command."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.folders import FIRST, SECOND, write_folder
from tests.acceptance.site import Refused, Site
from tests.acceptance.test_first_light import Staff

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

CHANNEL = "/admin/releases/channel/"


def prepare(site: Site, folder: Path, title: str, channel: str = "production") -> dict[str, Any]:
    """Bring a folder into review as eva's release; return what its submission said."""
    number = site.manage("import", folder, "--title", title, "--channel", channel, "--as", "eva")["release"]
    brief = ("--expected-result", "Navy.", "--rollback-note", "Roll back if crimson.")
    site.manage("release", "edit", number, *brief, "--as", "eva")
    submitted: dict[str, Any] = site.manage("release", "submit", number, "--as", "eva")
    return submitted


def refusal_of(site: Site, *words: object) -> dict[str, Any]:
    with pytest.raises(Refused) as refusal:
        site.manage(*words)
    return refusal.value.error


def say_why(person: Staff, label: str, reason: str, button: str) -> None:
    person.page.get_by_label(label).first.fill(reason)
    person.press(button)


def test_what_keeps_a_release_off_a_channel_and_who_lets_it_on(
    site: Site, first_folder: Path, second_folder: Path, tmp_path: Path, browser: Browser
) -> None:
    with site.running(str(first_folder)):
        for name, role in (("eva", "editor"), ("ben", "manager"), ("ann", "administrator")):
            site.add_user(name, role)
        site.add_user("amir", "administrator")
        ann, ben = Staff(browser, site, "ann"), Staff(browser, site, "ben")

        make_a_channel(site, ann, second_folder)
        put_on_hold_by_a_roll_back(site, ben, second_folder)
        publish_in_a_freeze(site, ann, ben, write_folder(tmp_path / "third", SECOND | {"n.txt": b"3"}))
        publish_in_an_emergency(site, browser, ann, write_folder(tmp_path / "fourth", FIRST))
        stop_all(site, ann, ben)
        assert site.manage("audit", "verify")["faults"] == []


def make_a_channel(site: Site, ann: Staff, folder: Path) -> None:
    """A new channel is served under its host without a restart, by every process."""
    ann.page.goto(f"{ann.door}{CHANNEL}new/")
    ann.page.get_by_label("Name").fill("beta")
    ann.page.get_by_label("Hosts").fill("Beta.example.com")
    ann.press("Make this channel")
    ann.sees("Channel beta is made.")
    assert site.get("/", Host="beta.example.com").status == 503
    submitted = prepare(site, folder, "Beta", "beta")
    site.manage("release", "publish", submitted["release"], "--as", "ben")
    for _ in range(600):
        if site.get("/", Host="beta.example.com").status == 200:
            break
    assert {site.get("/", Host="beta.example.com").body for _ in range(30)} == {SECOND["index.html"]}
    assert site.get("/", Host="localhost").body == FIRST["index.html"]


def put_on_hold_by_a_roll_back(site: Site, ben: Staff, folder: Path) -> None:
    """After a roll back nobody brings the release back by accident; going on has a name on it."""
    submitted = prepare(site, folder, "Spring")
    site.manage("release", "approve", submitted["release"], "--as", "ben")
    site.manage("release", "publish", submitted["release"], "--as", "ben")
    ben.roll_back("Checkout is broken.")
    ben.sees("On hold by ben since")
    again = prepare(site, folder, "Spring again")
    site.manage("release", "approve", again["release"], "--as", "ben")
    error = refusal_of(site, "release", "publish", again["release"], "--as", "ben")
    assert error["code"] == "channel_held"
    assert "by ben: “Checkout is broken”" in error["message"]
    ben.page.locator("summary", has_text="Let production go on").click()
    say_why(ben, "Reason", "It was the network.", "Let production go on")
    ben.sees("Hold: none.")
    site.manage("release", "publish", again["release"], "--as", "ben")
    site.wait_for_release(again["release"])


def publish_in_a_freeze(site: Site, ann: Staff, ben: Staff, folder: Path) -> None:
    """In a window the page says until when, and takes a reason that stays in the history."""
    site.manage("channel", "freeze", "production", "--from", "Mon 0:00", "--to", "Thu 0:00", "--as", "ann")
    ann.page.goto(f"{ann.door}{CHANNEL}1/change/")
    ann.page.get_by_label("From", exact=True).fill("Thu 0:00")
    ann.page.get_by_label("To", exact=True).fill("Mon 0:00")
    ann.press("Add this window")
    ann.sees("Thursday 00:00 to Monday 00:00, every week")
    submitted = prepare(site, folder, "Prices")
    number = submitted["release"]
    site.manage("release", "approve", number, "--as", "ben")
    assert refusal_of(site, "release", "publish", number, "--as", "ben")["code"] == "channel_frozen"
    ben.page.goto(f"{ben.door}/admin/releases/release/{number}/publish/")
    ben.sees("production is frozen")
    say_why(ben, "Why it cannot wait", "The prices are wrong.", "Publish to production although")
    ben.sees("Live on production")
    ben.page.goto(f"{ben.door}{CHANNEL}1/change/")
    ben.sees("although frozen")
    site.wait_for_release(number)


def publish_in_an_emergency(site: Site, browser: Browser, ann: Staff, folder: Path) -> None:
    """Two administrators take the place of a review; both names stay on it."""
    submitted = prepare(site, folder, "Half price")
    number = submitted["release"]
    ann.open_release(number)
    ann.page.locator("summary", has_text="Ask for an emergency publish").click()
    ann.page.locator("#reason-emergency").fill("The shop sells at half price.")
    ann.press("Ask another administrator")
    ann.sees("cannot confirm it as well")
    code = refusal_of(site, "release", "confirm-emergency", number, "--as", "ann")["code"]
    assert code == "same_person"
    amir = Staff(browser, site, "amir")
    amir.open_release(number)
    amir.page.locator("summary", has_text="Confirm the emergency publish").click()
    amir.press(f"Publish release {number} in an emergency")
    amir.sees("Published in an emergency: ann asked")
    site.wait_for_release(number)
    newest = site.manage("channel", "show", "production")["history"][0]
    assert (newest["emergency"]["asked_by"], newest["emergency"]["confirmed_by"]) == ("ann", "amir")
    assert "although" not in newest["reason"]
    assert newest["freeze_override"]["reason"] == "The shop sells at half price."


def stop_all(site: Site, ann: Staff, ben: Staff) -> None:
    """One page stops every channel; whoever comes to work sees it first."""
    ben.page.goto(f"{ben.door}{CHANNEL}stop/")
    say_why(ben, "Reason", "Somebody else has a password.", "Stop all channels")
    ann.page.goto(f"{ann.door}/admin/")
    expect(ann.page.get_by_role("main")).to_contain_text(re.compile("All channels are on hold by ben since"))
    holds = site.manage("channel", "show", "beta")["holds"]
    assert [(hold["channel"], hold["by"]) for hold in holds] == [(None, "ben")]
    lifted = site.manage("channel", "resume", "--all", "--reason", "It is changed.", "--as", "ann")
    assert lifted["lifted_by"] == "ann"
    assert site.manage("channel", "show", "beta")["holds"] == []
