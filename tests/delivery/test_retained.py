"""What a page that was loaded yesterday still finds: published by the services, asked at each door."""

import re
from collections.abc import Callable, Mapping

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.assets.intake import take_in
from apps.caching.services import ensure_default_rules
from apps.releases.contents import PutChange, RemoveChange
from apps.releases.models import Channel, Publication
from apps.releases.selectors import channel_named, live_publication, open_manifest
from apps.releases.services import channels, drafts, publishing, review
from tests.delivery.doors import Ask, Live

PAGE = '<!doctype html><link rel="stylesheet" href="/css/site.css"><script src="/js/app.js"></script>'
YESTERDAY = {
    "index.html": PAGE,
    "404.html": "<!doctype html><p>Nothing here.</p>",
    "css/site.css": "h1 { color: crimson }" * 40,
    "js/app.js": "console.log('yesterday')",
    "assets/vendor-BX3k9aQz.js": "console.log('bundled')",
}
TODAY = {
    "index.html": PAGE,
    "404.html": "<!doctype html><p>Nothing here.</p>",
    "css/site.css": "h1 { color: navy }" * 40,
    "assets/vendor-Cq7TzL2m.js": "console.log('bundled anew')",
}
KEPT_A_YEAR = "public, max-age=31536000, immutable"

Publish = Callable[[Mapping[str, str]], Publication]


@pytest.fixture
def site(empty_site: Live, settings: Settings) -> Live:
    """Let the services write to the storage that is read at the door."""
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(empty_site.folder), "base_url": None},
        },
    }
    return empty_site


@pytest.fixture
def channel(administrator: User) -> Channel:
    """The channel as a new site has it, but with fingerprinted names and without approvals."""
    ensure_default_rules(owner=administrator)
    channels.ensure_channels()
    production = channel_named("production")
    channels.set_required_approvals(channel=production, count=0, actor=administrator)
    return channels.set_options(channel=production, actor=administrator, fingerprints=True)


@pytest.fixture
def publish(
    site: Live,
    channel: Channel,
    administrator: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> Publish:
    """Return a function that makes a site what the channel serves, and waits until it is served."""

    def make(files: Mapping[str, str]) -> Publication:
        live = live_publication(channel)
        before = {entry.path for entry in open_manifest(live.manifest).entries()} if live else set()
        puts = [PutChange(take_in([text.encode()], path=path)) for path, text in files.items()]
        with django_capture_on_commit_callbacks(execute=True):
            release = drafts.create_release(
                title="Site",
                channel=channel,
                changes=[*puts, *map(RemoveChange, sorted(before - files.keys()))],
                actor=administrator,
                expected_result="Another site.",
                rollback_note="None.",
            )
            release = review.submit(release=release, actor=administrator)
            publication = publishing.publish(release=release, actor=administrator)
        site.follow(publication.tag)
        return publication

    return make


def names_in(page: bytes) -> list[str]:
    """Return what a page refers to, as it says it."""
    return re.findall(r'(?:href|src)="([^"]+)"', page.decode())


def test_a_page_of_yesterday_finds_all_its_parts_after_a_publication_and_after_a_roll_back(
    publish: Publish,
    site: Live,
    ask: Ask,
    channel: Channel,
    administrator: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    publish(YESTERDAY)
    style, script = names_in(ask("/").body)
    assert re.fullmatch(r"/css/site\.[0-9a-f]{12}\.css", style)
    parts = (style, script, "/assets/vendor-BX3k9aQz.js")
    yesterday = {part: ask(part) for part in parts}
    for reply in yesterday.values():
        assert (reply.status, reply.headers["cache-control"]) == (200, KEPT_A_YEAR)

    publish(TODAY)
    assert style not in names_in(ask("/").body)
    assert {part: ask(part) for part in parts} == yesterday
    assert ask("/js/app.js").status == 404  # only names that stand for one content are kept
    today = {part: ask(part) for part in (names_in(ask("/").body)[0], "/assets/vendor-Cq7TzL2m.js")}

    with django_capture_on_commit_callbacks(execute=True):
        back = publishing.roll_back(channel=channel, to=1, reason="crimson is better", actor=administrator)
    site.follow(back.tag)
    assert names_in(ask("/").body) == [style, script]
    assert {part: ask(part).body for part in parts} == {part: yesterday[part].body for part in parts}
    assert {part: ask(part) for part in today} == today
    assert ask(next(iter(today)), if_none_match=today[next(iter(today))].headers["etag"]).status == 304


@pytest.mark.parametrize(
    "name", ["css/site.0f2a9c1b0d4e.css", "js/app.0f2a9c1b0d4e.js", "assets/vendor-Zz3k9aQz.js"]
)
def test_a_name_that_never_was_is_no_page(publish: Publish, ask: Ask, name: str) -> None:
    publish(YESTERDAY)
    publish(TODAY)
    reply = ask(f"/{name}")
    assert (reply.status, reply.headers["cache-control"]) == (404, "no-store")
    assert b"<!doctype" not in reply.body
