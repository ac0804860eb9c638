"""A channel with a site on it, made through the services, as every story of a release begins."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.management.color import no_style
from django.db import connection

from apps.accounts.models import User
from apps.assets.intake import take_in
from apps.caching.services import ensure_default_rules
from apps.releases.contents import ChangeInput, PutChange, RemoveChange
from apps.releases.models import Channel, Release
from apps.releases.selectors import channel_named, manifest_reader_of
from apps.releases.selectors.checks import failed_checks
from apps.releases.services import channels, drafts, publishing, review
from apps.releases.services.overriding import override_check

BRIEF = {"expected_result": "The hero is lighter.", "rollback_note": "Tell #shop."}
FIRST_SITE = {"index.html": "<h1>One</h1>", "css/site.css": "a { color: red }", "js/old.js": "1"}


def put(path: str, content: str | bytes) -> PutChange:
    return PutChange(take_in([content.encode() if isinstance(content, str) else content], path=path))


def remove(path: str) -> RemoveChange:
    return RemoveChange(path)


@pytest.fixture
def production(administrator: User) -> Channel:
    """The channel as a new site has it: one approval required, nothing published, cache rules there."""
    begin_with_number_one()
    ensure_default_rules(owner=administrator)
    channels.ensure_channels()
    return channel_named("production")


def begin_with_number_one() -> None:
    """Let a test have release 1, where the numbers of PostgreSQL go on after what was rolled back."""
    models = apps.get_app_config("releases").get_models()
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(models)):
            cursor.execute(statement)


MakeRelease = Callable[..., Release]
Publish = Callable[..., Release]


@pytest.fixture
def make_release(production: Channel, editor: User) -> MakeRelease:
    """Return a function that makes a briefed draft of eva's out of changes."""

    def make(*changes: ChangeInput, title: str = "Spring", actor: User = editor, **brief: Any) -> Release:
        return drafts.create_release(
            title=title, channel=production, changes=changes, actor=actor, **{**BRIEF, **brief}
        )

    return make


@pytest.fixture
def live(make_release: MakeRelease, manager: User) -> Release:
    """Release 1, live on production."""
    release = make_release(*(put(path, text) for path, text in FIRST_SITE.items()), title="First")
    review.submit(release=release, actor=manager)
    publishing.publish(release=release, actor=manager)
    release.refresh_from_db()
    return release


@pytest.fixture
def spring(live: Release, make_release: MakeRelease) -> Release:
    """Release 2, a draft that adds, changes and removes a path."""
    return make_release(
        put("img/new.svg", "<svg/>"), put("css/site.css", "a { color: blue }"), remove("js/old.js")
    )


@pytest.fixture
def approved(spring: Release, editor: User, manager: User) -> Release:
    """Release 2, approved by ben."""
    submitted = review.submit(release=spring, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    spring.refresh_from_db()
    return spring


@pytest.fixture
def named(production: Channel, administrator: User) -> Channel:
    """production, whose releases are built with fingerprinted names."""
    return channels.set_options(channel=production, actor=administrator, fingerprints=True)


@pytest.fixture
def publish(make_release: MakeRelease, manager: User, editor: User) -> Publish:
    """Return a function that makes a release of changes, and publishes it, whatever checks find."""

    def release_of(*changes: ChangeInput) -> Release:
        release = make_release(*changes)
        submitted = review.submit(release=release, actor=editor)
        for failed in failed_checks(submitted):
            override_check(release=submitted, name=failed.result.name, reason="A test", actor=manager)
        if submitted.state == Release.State.IN_REVIEW:
            review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
        publishing.publish(release=release, actor=manager)
        release.refresh_from_db()
        return release

    return release_of


def served(release: Release) -> dict[str, str]:
    """Return path → blob of everything that a built release serves."""
    return {entry.path: entry.blob for entry in manifest_reader_of(release).entries()}
