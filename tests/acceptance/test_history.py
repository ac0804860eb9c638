"""What was published can be proved: in the admin, by a command, by an outsider; and forgery is not served."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.acceptance.folders import SECOND
from tests.acceptance.site import Site
from tests.acceptance.test_first_light import Staff

pytestmark = pytest.mark.acceptance

REASON = "The <b>checkout</b> is broken"


def publish_second(site: Site, folder: Path) -> None:
    """Bring the second folder live as release 2."""
    site.manage("channel", "set", "production", "--required-approvals", 0)
    number = site.manage("import", folder, "--title", "Spring *sale*")["release"]
    site.manage("release", "edit", number, "--expected-result", "Navy.", "--rollback-note", "Tell #shop.")
    site.manage("release", "submit", number)
    site.manage("release", "publish", number)
    site.wait_for_release(number)


def until(look: Callable[[], bool], what: str) -> None:
    """Look again and again until it is so; the deadline is a failure and no pace."""
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline, f"{what} does not come"
        time.sleep(0.05)


@pytest.mark.browser
def test_a_history_is_told_verified_and_handed_to_an_outsider(
    site: Site, first_folder: Path, second_folder: Path, tmp_path: Path, browser: Browser
) -> None:
    with site.running(str(first_folder)):
        publish_second(site, second_folder)
        site.manage("release", "rollback", "--reason", REASON)
        first, second, back = reversed(site.manage("tag", "list"))
        site.add_user("vera", "viewer")
        vera = Staff(browser, site, "vera")

        files = read_the_report(vera, second["tag"], back["tag"])
        told = look_up_tags(vera, first["tag"], second["tag"])

        # By commands: the same report, a tag, and what lies between two of them.
        report = site.manage("release", "report", 2)
        assert report == json.loads(files["JSON"])
        assert report["publications"][0]["tag"] == second["tag"]
        log = site.manage("changelog", "--from", first["tag"])["entries"]
        assert [entry["reason"] for entry in log] == [REASON, ""]
        assert log == told
        assert site.manage("tag", "show", back["tag"])["seal"]["fault"] is None
        assert site.manage("release", "verify")["channels"][0]["faults"] == []

        site.manage("release", "export", second["tag"], "--to", tmp_path / "proof")
        let_an_outsider_prove(tmp_path / "proof", second["digest"], site)


def read_the_report(vera: Staff, tag: str, newest: str) -> dict[str, str]:
    """The channel's history is verified, and the report tells of a release; return it in each form."""
    vera.page.goto(f"{vera.door}/admin/releases/channel/")
    vera.follow("production")
    vera.sees("History verified")
    vera.sees(newest)
    vera.open_release(2)
    vera.follow("Report")
    expect(vera.page.get_by_role("heading", name="Spring *sale*")).to_be_visible()
    vera.sees(tag)
    vera.sees("not measured")
    assert Axe().run(vera.page).response["violations"] == []
    files = {kind: taken_away(vera, kind) for kind in ("Markdown", "JSON", "HTML")}
    assert "Spring \\*sale\\*" in files["Markdown"]
    assert "Spring *sale*</h1>" in files["HTML"]
    return files


def look_up_tags(vera: Staff, first: str, second: str) -> list[dict[str, Any]]:
    """A tag leads to its release; what lies between two of them is compared, told and taken away."""
    vera.page.goto(f"{vera.door}/admin/releases/release/?q={second}")
    expect(vera.page.locator("#result_list tbody tr")).to_have_count(1)
    vera.sees("Spring *sale*")
    vera.page.goto(f"{vera.door}/admin/releases/release/compare/?old={first}&new={second}")
    vera.sees("1 added, 2 changed, 1 removed.")
    vera.page.goto(f"{vera.door}/admin/releases/channel/1/change/")
    vera.follow("Changelog")
    vera.page.get_by_label("After the tag").fill(first)
    vera.press("Tell it")
    vera.sees(f"2 publications after {first}, the newest first.")
    vera.sees(REASON)
    entries: list[dict[str, Any]] = json.loads(taken_away(vera, "JSON"))["entries"]
    return entries


def taken_away(vera: Staff, link: str) -> str:
    """Return the text of the file that a link gives."""
    with vera.page.expect_download() as download:
        vera.follow(link)
    return Path(download.value.path()).read_text()


def let_an_outsider_prove(folder: Path, digest: str, site: Site) -> None:
    """Who has the folder and nothing else computes the digest and the chain, by the commands in it."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (folder / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    said = [
        subprocess.run(["/bin/sh", "-c", block], cwd=folder, capture_output=True, text=True, check=True)
        for block in blocks
    ]
    whole, named, computed, *_ = (each.stdout.strip() for each in said)
    assert whole == "whole"
    assert f"sha256:{named}" == f"sha256:{computed}" == digest
    trusted = json.loads(site.get("/-/keys").body)["keys"]
    assert trusted[0]["pem"] == (folder / f"key-{trusted[0]['key']}.pem").read_text()


def test_a_forged_pointer_is_never_served_and_soon_replaced(
    site: Site, first_folder: Path, second_folder: Path
) -> None:
    pointer = site.data / "storage/channels/production.json"
    with site.running(str(first_folder)):
        forged = json.dumps(json.loads(pointer.read_bytes()) | {"sequence": 3, "tag": "forged"})
        publish_second(site, second_folder)
        pointer.write_text(forged)
        while pointer.read_text() == forged:
            assert site.get("/css/site.css").body == SECOND["css/site.css"]
        assert site.get("/css/site.css").body == SECOND["css/site.css"]

    # It is there again when the site starts, where what was followed last is served at once.
    pointer.write_text(forged)
    with site.running():
        assert site.get("/css/site.css").body == SECOND["css/site.css"]
        until(lambda: pointer.read_text() != forged, "the right pointer")
        assert site.manage("release", "verify")["channels"][0]["faults"] == []
