"""A release goes live and ends at its times, and people and programs hear of it: through real processes."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.acceptance.folders import SECOND
from tests.acceptance.site import Site
from tests.acceptance.test_first_light import Staff
from tests.notifications.receivers import MailServer, Receiver, http_receiver, mail_server

pytestmark = pytest.mark.acceptance

BRIEF = ("--expected-result", "Navy.", "--rollback-note", "Roll back.")
SECRET = SECOND["img/new.txt"]


@pytest.fixture
def smtp(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{server.port}")
        monkeypatch.setenv("WEBHOOK_NETWORKS", "127.0.0.0/8")
        yield server


@pytest.fixture
def running(site: Site, first_folder: Path, second_folder: Path, smtp: MailServer) -> Iterator[Site]:
    """A site with release 1 live and release 2 a draft of eva's; ben and olga may approve and publish it."""
    with site.running(str(first_folder)):
        site.add_user("eva", "editor")
        site.add_user("ben", "manager")
        site.manage("user", "add", "olga", "--role", "manager", "--email", "olga@example.com")
        site.manage("import", second_folder, "--title", "Spring", "--as", "eva")
        site.manage("release", "edit", 2, *BRIEF, "--as", "eva")
        yield site


def wait_for(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)


def wait_quietly(event: threading.Event) -> None:
    event.wait(60)


def soon() -> str:
    """Return a time, with seconds, that a command which is typed now is still before."""
    return f"{datetime.now(UTC) + timedelta(seconds=30):%Y-%m-%d %H:%M:%S}"


def told_of(receiver: Receiver, event: str) -> list[dict[str, Any]]:
    bodies = [json.loads(posted.body) for posted in receiver.posted]
    return [body for body in bodies if body["event"] == event]


def assert_embargoed(site: Site) -> None:
    """Nothing of release 2 has a public address: not its path, nor its blob's name, nor its pointer's."""
    digest = hashlib.sha256(SECRET).hexdigest()
    addresses = (
        "/img/new.txt",
        f"/img/new.{digest[:8]}.txt",
        f"/blobs/sha256/{digest[:2]}/{digest[2:4]}/{digest}",
        f"/storage/blobs/sha256/{digest[:2]}/{digest[2:4]}/{digest}",
        f"/{digest}",
        "/channels/production.json",
    )
    for address in addresses:
        answer = site.get(address)
        assert (answer.status, SECRET in answer.body) == (404, False), address
    assert b"navy" not in site.get("/css/site.css").body


def test_a_release_is_embargoed_goes_live_and_ends_at_its_times(
    running: Site, smtp: MailServer, browser: Browser
) -> None:
    with http_receiver() as receiver, http_receiver() as hanging:
        secret = add_webhook(Staff(browser, running, "admin"), receiver)
        submit(Staff(browser, running, "eva"))
        wait_for(lambda: smtp.mails, "the mail that asks for a review")
        wait_for(lambda: told_of(receiver, "review_asked"), "the webhook that tells of it")
        running.manage("release", "approve", 2, "--as", "olga")
        schedule_and_call_off(running, Staff(browser, running, "ben"))

        goes_on = threading.Event()
        hanging.answer = lambda _: wait_quietly(goes_on)
        running.manage("webhook", "add", "hangs", hanging.url)
        made = running.manage("release", "schedule", 2, "--at", soon(), "--as", "ben")
        assert made[0]["state"] == "waiting"
        assert_embargoed(running)
        wait_for(lambda: running.get("/img/new.txt").body == SECRET, "release 2")
        running.wait_for_release(2)
        wait_for(lambda: told_of(receiver, "published"), "the webhook of the publication")
        assert hanging.posted
        assert_signed(receiver, secret)

        running.manage("release", "schedule", 2, "--end", soon(), "--as", "ben")
        wait_for(lambda: running.get("/img/new.txt").status == 404, "the end of release 2")
        running.wait_for_release(1)
        wait_for(lambda: told_of(receiver, "rolled_back"), "the webhook of the end")
        goes_on.set()
    assert running.get("/img/new.txt").status == 404
    ended, published, called_off = running.manage("release", "show", 2)["schedules"]
    assert [each["state"] for each in (ended, published, called_off)] == ["done", "done", "cancelled"]
    channel = running.manage("channel", "show", "production")
    assert [line["kind"] for line in channel["history"]] == ["rollback", "publish", "publish"]
    subjects = [str(mail["Subject"]) for mail in smtp.mails]
    assert subjects[0] == "[Assetsite] Review asked: Spring (release 2)"
    wait_for(lambda: any("Rolled back" in str(mail["Subject"]) for mail in smtp.mails), "the mail of the end")
    assert {mail["To"] for mail in smtp.mails} == {"olga@example.com"}


def add_webhook(admin: Staff, receiver: Receiver) -> str:
    """Add a webhook on its page; return its secret, which is shown once."""
    admin.page.goto(f"{admin.door}/admin/notifications/webhook/add/")
    admin.page.get_by_label("Name").fill("chat")
    admin.page.get_by_label("Address").fill(receiver.url)
    admin.press("Add the webhook")
    return admin.page.locator("code.secret").inner_text()


def submit(eva: Staff) -> None:
    eva.open_release(2)
    eva.press("Submit for review")
    eva.sees("Waiting for one approval")


def schedule_and_call_off(site: Site, ben: Staff) -> None:
    """A far day is chosen, in a zone, and given up; meanwhile nothing of it is public."""
    ben.open_release(2)
    ben.follow("Schedule")
    ben.page.get_by_label("Publish to production").fill("2035-12-01T09:00")
    ben.page.get_by_label("Time zone").select_option("Europe/Berlin")
    ben.press("Schedule release 2")
    ben.sees("Approved by olga, scheduled for 2035-12-01 09:00 Europe/Berlin")
    ben.page.goto(f"{ben.door}/admin/")
    ben.sees("Publish release 2 Spring")
    assert_embargoed(site)
    ben.open_release(2)
    ben.press("Call off: publish")
    ben.sees("Nothing is scheduled.")


def assert_signed(receiver: Receiver, secret: str) -> None:
    for posted in receiver.posted:
        at, mac = posted.headers["Assetsite-Signature"].removeprefix("t=").split(",v1=")
        wanted = hmac.new(secret.encode(), f"{at}.".encode() + posted.body, hashlib.sha256).hexdigest()
        assert mac == wanted
