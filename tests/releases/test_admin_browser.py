"""The staff's pages in a browser: no violation of accessibility rules or of the content security policy."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles import finders
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, sync_playwright
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.models import CacheRule
from apps.caching.serialisation import as_json
from apps.caching.services import add_version
from apps.releases.models import Channel, Drift, Publication, ReceiptStep, Release
from apps.releases.services import publishing, review
from apps.releases.services.channels import set_options
from apps.releases.services.previews import open_preview, revoke_preview
from apps.releases.services.redirects import put_redirect
from tests.releases.conftest import MakeRelease, put
from tests.releases.test_release_redirects import bring_live
from tests.staff import staff_client

pytestmark = pytest.mark.browser


@dataclass(frozen=True, slots=True)
class Answer:
    """A page as Django gave it: the browser gets it without a server, which would need its own database."""

    address: str
    content: bytes
    headers: dict[str, str]


@pytest.fixture
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("REQUIRE_REAL_PARTS"):
            pytest.fail("Chromium is missing and REQUIRE_REAL_PARTS is set.")
        pytest.skip("Chromium is missing.")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])


@pytest.fixture
def answers(
    approved: Release,
    make_release: MakeRelease,
    editor: User,
    manager: User,
    other_manager: User,
    administrator: User,
    viewer: User,
    settings: Settings,
) -> list[Answer]:
    """Every page of releases and channels, in the states that have most on them."""
    publishing.publish(release=approved, actor=manager)
    redirected = make_release()
    put_redirect(release=redirected, source="/old/*", target="/css/site.css", actor=editor)
    put_redirect(release=redirected, source="/older", target=f"/{'long/' * 40}", actor=editor)
    bring_live(redirected, editor, manager)
    draft = make_release(put("css/site.css", "a {\n  color: red\n}\n"), expected_result="", title="x" * 120)
    put_redirect(release=draft, source="/old/*", target="https://new.example/:splat", actor=editor)
    put_redirect(release=draft, source="/css/site.css", target="/index.html", status=302, actor=editor)
    open_preview(release=draft, actor=editor, password="open sesame and so on", has_banner=True)
    revoke_preview(preview=open_preview(release=draft, actor=manager), actor=manager)
    set_options(channel=approved.channel, actor=administrator, fingerprints=True)
    lost = put("lost.html", f"<script integrity=x src=/js/new.js></script><img src=/{'long/' * 40}lost.png>")
    waiting = review.submit(release=make_release(put("js/new.js", "import '"), lost), actor=editor)
    ready = review.submit(release=make_release(put("a.html", "<p>")), actor=editor)
    review.approve(release=ready, digest=ready.manifest_id or "", actor=manager)
    finish_receipt(approved.publications.get())
    note_drift(approved.channel)
    settings.PUBLIC_URLS = {"production": "https://www.example.com"}
    change_rule(manager)
    release, channel = "/admin/releases/release/", f"/admin/releases/channel/{approved.channel_id}/"
    rule = f"/admin/caching/cacherule/{CacheRule.objects.get(slug='everything').pk}/"
    pages = {
        other_manager: [
            "/admin/",
            release,
            f"{release}{waiting.pk}/change/",
            f"{release}{waiting.pk}/findings/",
            f"{release}{ready.pk}/publish/",
            f"{release}{ready.pk}/history/",
            "/admin/releases/channel/",
            f"{channel}change/",
            f"{channel}roll-back/1/",
            f"{channel}receipt/1/",
            f"{channel}receipt/2/",
            f"{channel}changelog/",
            "/admin/caching/cacherule/",
            f"{rule}change/",
            f"{rule}edit/",
            f"{rule}compare/",
            f"{rule}restore/1/",
        ],
        viewer: [
            f"{release}compare/",
            f"{release}compare/?old=1&new=production",
            f"{release}trace/",
            f"{release}trace/?url=/css/site.css&headers=Cookie:+a&drafts=1&since=",
            f"{release}trace/?url=/{'long/' * 40}&channel=production",
            f"{release}compare/?old=production&new={draft.pk}",
            f"{release}compare/file/?old=1&new=2&path=css/site.css",
        ],
        administrator: [f"{channel}change/?as=administrator"],
        editor: [f"{release}{draft.pk}/change/", f"{release}{draft.pk}/changes/{draft.changes.get().pk}/"],
    }
    found = [answer_of(user, address) for user, addresses in pages.items() for address in addresses]
    return [
        *found,
        answer_of(manager, f"{rule}edit/?with=faults", {"step": "save", "name": "x" * 120}),
        answer_of(manager, "/admin/caching/cacherule/import/", {"text": "Cache-Control: x" * 40}),
    ]


def note_drift(channel: Channel) -> None:
    """Note that visitors get something else, at an address that is long."""
    finding = {"address": f"/{'long/' * 40}", "header": "cache-control", "expected": "x, " * 40, "seen": ""}
    Drift.objects.create(
        channel=channel,
        url="https://www.example.com",
        outcome="drifted",
        asked=1,
        words="1 address.",
        findings=[finding | {"where": "Via: 1.1 proxy"}],
        began_at=timezone.now(),
        looked_at=timezone.now(),
    )


def change_rule(actor: User) -> None:
    """Give the rule for everything a second version, with a long name, whose examples fail for others."""
    content = as_json(DEFAULT_RULES["everything"]) | {"name": "x" * 120, "order": 1}
    content["examples"] = [{"url": "/a.css", "is_cached": True, "rule": "everything"}]
    add_version(rule_slug="everything", content=content, reason="y" * 200, actor=actor)


def finish_receipt(publication: Publication) -> None:
    """Close a receipt that has something of everything in it."""
    receipt, now = publication.receipt, timezone.now()
    seen = [
        (ReceiptStep.Kind.NODE, "web-1-0123456789ab", True, "3 of 3 workers follow"),
        (ReceiptStep.Kind.NODE, "web-2-0123456789ab", False, "did not follow within 60 s"),
        (ReceiptStep.Kind.FETCH, f"/{'long/' * 40}", False, f"leads to /{'long/' * 40}, expected /"),
    ]
    for number, (kind, subject, is_good, words) in enumerate(seen):
        receipt.steps.create(kind=kind, number=number, subject=subject, at=now, is_good=is_good, words=words)
    receipt.pointer_at = receipt.followed_at = receipt.finished_at = now
    receipt.verdict, receipt.words = receipt.Verdict.FAILED, f"/{'long/' * 40} leads elsewhere"
    receipt.save()
    address = "https://www.example.com"
    said = [(address, "1 fail"), (f"/{'long/' * 40} expires", "x" * 500)]
    for number, (subject, words) in [*enumerate(said), *enumerate(said, start=1000)]:
        receipt.steps.create(kind="front", number=number, subject=subject, at=now, is_good=False, words=words)


def answer_of(user: User, address: str, sent: dict[str, str] | None = None) -> Answer:
    """Return the page that comes of asking for it, or of sending it something that is refused."""
    client = staff_client(user)
    response = client.get(address) if sent is None else client.post(address, sent)
    assert response.status_code == (200 if sent is None else 400), address
    return Answer(address, response.content, dict(response.headers))


class Door:
    """Answers the browser: with the pages, and with the static files that they name."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = {answer.address: answer for answer in answers}

    def __call__(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        path = parts.path
        if answer := self.answers.get(f"{path}?{parts.query}" if parts.query else path):
            route.fulfill(body=answer.content, headers=answer.headers)
        elif found := finders.find(path.removeprefix("/static/")):
            route.fulfill(path=Path(str(found)))
        else:
            route.fulfill(status=404)


def faults_of(page: Page, address: str) -> list[str]:
    """Open a page; return what is wrong with it, in words."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(f"http://localhost{address}")
    size = page.viewport_size
    assert size
    for width in {size["width"], min(size["width"], 768)}:
        page.set_viewport_size({**size, "width": width})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            said.append(f"it scrolls sideways at {width}")
    page.set_viewport_size(size)
    said += [
        f"{found['id']} {found['nodes'][0]['target']}" for found in Axe().run(page).response["violations"]
    ]
    return said


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_every_page_can_be_used_by_everybody_and_obeys_its_policy(
    answers: list[Answer], browser: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.route("**/*", Door(answers))

    faults = {answer.address: faults_of(context.new_page(), answer.address) for answer in answers}

    assert {address: said for address, said in faults.items() if said} == {}
