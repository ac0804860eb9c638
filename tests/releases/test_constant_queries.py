"""Each page of releases takes as many queries on a site with many of everything as on one with few."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse as reverse_of
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.notifications.models import Webhook
from apps.releases.contents import ChangeInput, PutChange
from apps.releases.models import Channel, Release
from apps.releases.selectors import changes_of, live_publication
from apps.releases.services import (
    conversation,
    drafts,
    freezes,
    holding,
    hosts,
    making_channels,
    previews,
    publishing,
    redirects,
    review,
    scheduling,
)
from tests.conftest import MakeUser
from tests.releases.conftest import put, remove
from tests.staff import staff_client

FEW, MANY = 1, 4
# Pages that answer with a file or a redirection, and the admin's own that are closed here.
NOT_SHOWN = {"add", "delete", "picture", "compare_picture", "changed_urls", "remove"}


@dataclass(frozen=True)
class Site:
    """What pages are shown of: as many of everything in each as the site was made with."""

    channel: Channel
    draft: Release
    behind: Release
    approved: Release
    published: Release


@pytest.fixture
def grow(named: Channel, make_user: MakeUser, administrator: User, editor: User) -> "Grow":
    return Grow(named, make_user, administrator, editor)


class Grow:
    """Makes a site larger by some of everything that its pages list."""

    def __init__(self, channel: Channel, make_user: MakeUser, administrator: User, editor: User) -> None:
        self.channel, self.administrator, self.editor = channel, administrator, editor
        self.make_user, self.made = make_user, 0

    def by(self, count: int) -> Site:
        self.made += 1
        people = [self.make_user(f"person-{self.made}-{n}", Role.MANAGER) for n in range(count)]
        first = self.release("First", *(put(f"{n}/both.css", f"a {{ order: {n} }}") for n in range(count)))
        self.publish(first, people)
        behind = self.release("Behind", *(put(f"{n}/both.css", "ours") for n in range(count)))
        for number, person in enumerate(people):
            self.publish(self.release(f"Small {number}", put(f"{number}/both.css", "theirs")), [person])
        published = self.release("Wide", *self.wide(count, "published"))
        self.publish(published, people)
        approved = self.release("Approved", *self.wide(count, "approved"))
        self.approve(approved, people)
        draft = self.release("Draft", *self.wide(count, "draft"), remove("0/both.css"))
        for each in (draft, approved, published):
            self.talk(each, people)
        for place, person in enumerate(people):
            redirects.put_redirect(
                release=draft, source=f"/old-{place}", target="/", status=301, actor=self.editor
            )
            previews.open_preview(release=draft, actor=person)
            when = timezone.now() + timedelta(days=1)
            made = scheduling.schedule(
                release=approved, publish_at=when, zone=ZoneInfo("Europe/Berlin"), actor=person
            )
            scheduling.unschedule(release=approved, actor=person, action=made[0].action)
            self.widen(place, person)
        return Site(self.channel, draft, behind, approved, published)

    def wide(self, count: int, text: str) -> Iterator[PutChange]:
        for number in range(count):
            page = f'<p>{text} {self.made}</p><link rel="stylesheet" href="/missing/{text}/{number}.css">'
            yield put(f"pages/{text}-{number}.html", page)

    def release(self, title: str, *changes: ChangeInput) -> Release:
        return drafts.create_release(
            title=title,
            channel=self.channel,
            changes=changes,
            actor=self.editor,
            expected_result="More of everything.",
            rollback_note="None.",
        )

    def approve(self, release: Release, people: list[User]) -> None:
        submitted = review.submit(release=release, actor=self.editor)
        if submitted.state == Release.State.IN_REVIEW:
            review.approve(release=submitted, digest=submitted.manifest_id or "", actor=people[0])
        release.refresh_from_db()

    def publish(self, release: Release, people: list[User]) -> None:
        self.approve(release, people)
        publishing.publish(release=release, actor=people[-1])
        release.refresh_from_db()

    def talk(self, release: Release, people: list[User]) -> None:
        path = changes_of(release)[0].asset.path
        for person in people:
            said = conversation.comment(release=release, text="Really?", actor=person)
            conversation.answer(release=release, to=said.pk, text="Yes.", actor=person)
            conversation.comment(release=release, text="Here?", path=path, actor=person)

    def widen(self, place: int, person: User) -> None:
        """Give the channel a host, a window and a hold of the past, and the site one more held channel."""
        number, year = f"{self.made}-{place}", 2_000 + 100 * self.made + place
        hosts.add_host(channel=self.channel, host=f"host-{number}.example", actor=self.administrator)
        freezes.add_window(
            channel=self.channel,
            starts=f"{year}-12-23 16:00",
            ends=f"{year}-12-27 16:00",
            actor=self.administrator,
        )
        holding.hold(channel=self.channel, reason="wait", actor=person)
        holding.resume(channel=self.channel, reason="go on", actor=person)
        other = making_channels.create_channel(
            name=f"other-{number}", hosts=[f"other-{number}.example"], actor=self.administrator
        )
        holding.hold(channel=other, reason="wait", actor=person)
        Webhook.objects.create(name=f"hook-{number}", url="https://example.org/", created_by=person)


def reverse(name: str, args: Sequence[object] = ()) -> str:
    return reverse_of(name, settings.STAFF_URLCONF, args)


def pages(site: Site) -> dict[str, str]:
    """Return the address of each page by the name that the table has for it."""
    live = live_publication(site.channel)
    assert live
    changelist = {
        name: reverse(f"admin:{name}_changelist")
        for name in ("releases_release", "releases_channel", "audit_auditentry", "notifications_webhook")
    }
    compared = {"old": f"{site.published.pk}/base", "new": str(site.published.pk)}
    releases = {
        f"releases_release_{name} of a {of}": reverse(f"admin:releases_release_{name}", args=[release.pk])
        for of, release in vars(site).items()
        if isinstance(release, Release)
        for name in ("change", "history", "publish", "conflicts", "revert", "combine", "split", "report",
                     "schedule", "findings")
    }  # fmt: skip
    channel = {
        f"releases_channel_{name}": reverse(f"admin:releases_channel_{name}", args=[site.channel.pk])
        for name in ("change", "history", "promote", "changelog")
    }
    change = changes_of(site.draft)[0]
    return {
        "start": reverse("admin:index"),
        **{f"{name}_changelist": address for name, address in changelist.items()},
        **{
            f"releases_release_changelist?{query}": f"{changelist['releases_release']}?{query}"
            for query in ("state__exact=superseded", "q=Small")
        },
        **releases,
        "releases_release_combine with others": reverse(
            "admin:releases_release_combine", args=[site.draft.pk]
        ) + f"?with={site.behind.pk}",
        "releases_release_conflict": reverse("admin:releases_release_conflict", args=[site.behind.pk])
        + "?" + urlencode({"name": "0/both.css"}),
        "releases_release_comparison": reverse(
            "admin:releases_release_comparison", args=[site.draft.pk, change.pk]
        ),
        "releases_release_compare": f"{reverse('admin:releases_release_compare')}?{urlencode(compared)}",
        "releases_release_trace": reverse("admin:releases_release_trace")
        + "?url=/0/both.css&drafts=1&since=",
        "releases_release_compare of a draft": reverse("admin:releases_release_compare")
        + f"?old={site.channel}&new={site.draft.pk}",
        "releases_release_compare_file": reverse("admin:releases_release_compare_file")
        + "?" + urlencode(compared | {"path": changes_of(site.published)[0].asset.path}),
        **channel,
        "releases_channel_roll_back": reverse(
            "admin:releases_channel_roll_back", args=[site.channel.pk, live.sequence - 1]
        ),
        "releases_channel_receipt": reverse(
            "admin:releases_channel_receipt", args=[site.channel.pk, live.sequence]
        ),
        "releases_release_with_rules": reverse("admin:releases_release_with_rules"),
        "releases_channel_stop": reverse("admin:releases_channel_stop"),
        "releases_channel_create": reverse("admin:releases_channel_create"),
    }  # fmt: skip


def counted(client: Client, addresses: dict[str, str]) -> dict[str, list[str]]:
    """Return the queries of each page, seen for the second time: what is remembered is no query."""
    found = {}
    for name, address in addresses.items():
        assert client.get(address).status_code == 200, name
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        found[name] = [query["sql"] for query in queries.captured_queries]
    return found


def test_each_page_takes_as_many_queries_for_many_as_for_few(grow: Grow, administrator: User) -> None:
    client = staff_client(administrator)
    few = counted(client, pages(grow.by(FEW)))
    many = counted(client, pages(grow.by(MANY)))
    table = "\n".join(f"{len(few[name]):3} {len(many[name]):3}  {name}" for name in few)
    print(table)
    grown = {name for name in few if len(few[name]) != len(many[name])}
    assert not grown, "\n".join([table, *(f"\n{name}\n" + "\n".join(many[name]) for name in sorted(grown))])


def test_no_page_of_a_release_asks_the_same_twice(grow: Grow, administrator: User) -> None:
    names = {name: address for name, address in pages(grow.by(FEW)).items() if " of a " in name}
    asked = {
        name: [sql for sql, times in Counter(queries).items() if times > 1]
        for name, queries in counted(staff_client(administrator), names).items()
        if not name.startswith("releases_release_compare")
    }
    assert {name: twice for name, twice in asked.items() if twice} == {}


def test_no_page_is_left_out(grow: Grow) -> None:
    seen = " ".join(pages(grow.by(1)))
    names = {
        pattern.name or ""
        for model in (Release, Channel)
        for pattern in admin.site._registry[model].get_urls()
        if pattern.name
    }
    ours = {name for name in names if name.split("_", 2)[2] not in NOT_SHOWN}
    assert {name for name in ours if name not in seen} == set()
