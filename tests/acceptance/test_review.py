"""A review, told through real doors: what is asked for and said, who may not approve, who decides that."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.site import Refused, Site
from tests.acceptance.test_first_light import Staff

pytestmark = pytest.mark.acceptance

BRIEF = ("--expected-result", "Headlines are navy.", "--rollback-note", "Roll back if crimson.")
TEAM = {"eva": "editor", "ben": "manager", "mona": "manager", "bo": "administrator"}
NOW = {
    "Route": "/",
    "Expected input": "Anybody's visit.",
    "Slow query or failing command": "curl -s localhost:8000/css/site.css | grep crimson",
    "Where a user notices it": "The headline of the first page.",
}


@pytest.fixture
def team(site: Site, first_folder: Path, second_folder: Path) -> Iterator[Site]:
    """A site with release 1 live, eva's release 2 a draft of it, and a manager and administrators around."""
    with site.running(str(first_folder)):
        for name, role in (
            ("eva", "editor"),
            ("ben", "manager"),
            ("mona", "manager"),
            ("bo", "administrator"),
        ):
            site.add_user(name, role)
        site.manage("import", second_folder, "--title", "Spring", "--as", "eva")
        yield site


@pytest.mark.browser
def test_a_release_is_talked_about_sent_back_and_approved_on_its_page(team: Site, browser: Browser) -> None:
    team.manage("channel", "set", "production", "--requires-baseline", "on", "--as", "bo")
    team.manage("release", "edit", 2, *BRIEF, "--as", "eva")
    eva = Staff(browser, team, "eva")
    eva.open_release(2)
    eva.sees("Draft: route, expected input, slow query or failing command and where a user notices it are")
    for label, text in NOW.items():
        eva.page.get_by_label(label).fill(text)
    eva.press("Save the brief")
    eva.press("Submit for review")
    eva.sees("Waiting for one approval")

    ben = Staff(browser, team, "ben")
    ben.open_release(2)
    for text in ("Headlines are navy.", "Roll back if crimson.", *NOW.values()):
        ben.sees(text)
    ben.page.get_by_label("Comment on css/site.css", exact=True).click()
    ben.page.get_by_label("Your comment on css/site.css").fill("Is navy ours?")
    ben.page.locator("details.change", has_text="css/site.css").get_by_role("button", name="Comment").click()
    ben.sees("Your comment on css/site.css is there.")
    ben.page.get_by_text("Ask for changes…").click()
    ben.page.get_by_label("Reason").first.fill("Take the blue of the brand.")
    ben.press("Send it back for changes")

    eva.open_release(2)
    eva.sees("“Take the blue of the brand.”")
    eva.sees("Back in draft: ben asked for changes; you may submit it again.")
    talk = eva.page.locator("#conversation")
    talk.get_by_label("Answer comment 1", exact=True).click()
    talk.get_by_label("Your answer to comment 1").fill("It is, since May.")
    talk.get_by_role("button", name="Answer", exact=True).first.click()
    eva.sees("Your answer to ben is there.")
    eva.page.locator("#conversation").get_by_role("button", name="Settle comment 1").click()
    eva.sees("1 comment is open.")
    eva.press("Submit for review")

    ben.open_release(2)
    expect(ben.page.locator("#asked")).to_have_count(0)
    ben.press("Approve")
    ben.sees("Approved by ben")
    ben.follow("Publish to production")
    ben.press("Publish to production")
    ben.page.goto(f"{ben.door}/admin/releases/channel/1/change/")
    ben.sees("eva: Headlines are navy.")


@pytest.mark.browser
def test_two_administrators_lower_what_a_channel_asks_for(team: Site, browser: Browser) -> None:
    admin, bo = Staff(browser, team, "admin"), Staff(browser, team, "bo")
    channel = f"{admin.door}/admin/releases/channel/1/change/"
    admin.page.goto(channel)
    admin.page.get_by_label("Before a release goes live, it is approved by").select_option("0")
    admin.press("Save what it asks for")
    admin.sees("Proposed, until bo confirms it: required approvals of production: 0, now: 1.")
    expect(admin.page.get_by_role("button", name="Confirm")).to_have_count(0)
    bo.page.goto(f"{bo.door}/admin/")
    bo.follow("Decide what production asks for")
    bo.press("Confirm")
    bo.sees("Confirmed: required approvals of production: 0")
    assert team.manage("channel", "show", "production")["required_approvals"] == 0


def test_the_same_by_command_and_at_the_same_time(team: Site) -> None:
    site = team
    site.manage("release", "edit", 2, *BRIEF, "--as", "eva")
    digest = site.manage("release", "submit", 2, "--as", "eva")["digest"]
    [said] = site.manage("release", "comment", 2, "--path", "js/old.js", "--text", "Unused?", "--as", "ben")
    site.manage("release", "comment", 2, "--answer", said["comment"], "--text", "Yes.", "--as", "eva")
    site.manage("release", "resolve", 2, said["comment"], "--as", "ben")
    back = site.manage("release", "request-changes", 2, "--reason", "Say so in the note.", "--as", "ben")
    assert (back["state"], back["changes_requested"]["by"]) == ("draft", "ben")
    site.manage("release", "edit", 2, "--rollback-note", "Put js/old.js back.", "--as", "mona")
    assert site.manage("release", "submit", 2, "--as", "eva")["digest"] == digest
    assert refusal_of(site, "release", "approve", 2, "--as", "mona") == "self_approval"

    # Only members of a group approve, and of two who do it at once one is counted.
    site.manage("user", "group", "ben", "approvers", "--as", "bo")
    site.manage("channel", "set", "production", "--approver-group", "approvers", "--as", "bo")
    assert refusal_of(site, "release", "approve", 2, "--as", "bo") == "not_an_approver"
    site.manage("user", "group", "bo", "approvers", "--as", "admin")
    assert at_once(site, *(("release", "approve", 2, "--as", name) for name in ("ben", "bo"))) == [
        "done",
        "wrong_state",
    ]

    # An approval and a request for changes: whichever comes first, the release is in one state.
    site.manage("release", "request-changes", 2, "--reason", "Once more.", "--as", "ben")
    assert site.manage("release", "submit", 2, "--as", "eva")["state"] == "approved", "the same digest"
    done = at_once(site, ("release", "reopen", 2, "--as", "eva"), ("release", "publish", 2, "--as", "ben"))
    assert done == ["done", "wrong_state"]
    assert site.manage("release", "show", 2)["state"] in ("draft", "published")

    # Fewer approvals take a second administrator.
    [proposed] = site.manage("channel", "set", "production", "--required-approvals", 0)["proposals"]
    assert refusal_of(site, "channel", "confirm", proposed["proposal"]) == "self_approval"
    assert site.manage("channel", "confirm", proposed["proposal"], "--as", "bo")["state"] == "applied"
    assert site.manage("audit", "verify")["faults"] == []


def refusal_of(site: Site, *words: object) -> str:
    with pytest.raises(Refused) as refusal:
        site.manage(*words)
    return str(refusal.value.error["code"])


def at_once(site: Site, *commands: tuple[object, ...]) -> list[str]:
    """Run commands at the same time; return what came of them, sorted."""
    racing = replace(site, is_measured=True)  # each starts by itself, so that they meet

    def outcome(words: tuple[object, ...]) -> str:
        try:
            racing.manage(*words)
        except Refused as refusal:
            return str(refusal.error["code"])
        return "done"

    with ThreadPoolExecutor(len(commands)) as pool:
        return sorted(pool.map(outcome, commands))
