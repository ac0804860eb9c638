"""Folders to import, a channel to import them for, and the way from a draft to what is live."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import User
from apps.caching.services import ensure_default_rules
from apps.imports.services import ImportOutcome, import_directory
from apps.releases.models import Channel, Release
from apps.releases.selectors import channel_named, live_publication, open_manifest, release_numbered
from apps.releases.services import channels, drafts, publishing, review

FIRST = {"index.html": b"<h1>One</h1>", "css/site.css": b"a { color: red }" * 100, "js/old.js": b"1"}
SECOND = {"index.html": b"<h1>Two</h1>", "css/site.css": FIRST["css/site.css"], "img/new.svg": b"<svg/>"}


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write `files` (path → content) below `folder` and return it."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An empty folder to import."""
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def first_folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "first", FIRST)


@pytest.fixture
def second_folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "second", SECOND)


@pytest.fixture
def production(administrator: User) -> Channel:
    """The channel as a new site has it: nothing published, cache rules there."""
    ensure_default_rules(owner=administrator)
    channels.ensure_channels()
    return channel_named("production")


Import = Callable[..., ImportOutcome]


@pytest.fixture
def import_folder(production: Channel, editor: User) -> Import:
    """Return a function that imports a folder for production as eva."""

    def run(folder: Path, **options: Any) -> ImportOutcome:
        given = {"title": "Spring", "channel": production, "actor": editor, **options}
        return import_directory(source=folder, **given)

    return run


Publish = Callable[[Release | None], Release]


@pytest.fixture
def publish(editor: User, manager: User) -> Publish:
    """Return a function that brings a draft of eva's through review to production."""

    def run(release: Release | None) -> Release:
        assert release
        drafts.edit_release(release=release, actor=editor, expected_result="Lighter.", rollback_note="None.")
        submitted = review.submit(release=release_numbered(release.pk), actor=editor)
        if submitted.state == Release.State.IN_REVIEW:
            review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
        publishing.publish(release=release_numbered(release.pk), actor=manager)
        return release_numbered(release.pk)

    return run


@pytest.fixture
def live(import_folder: Import, first_folder: Path, publish: Publish) -> Release:
    """Release 1, imported from the first folder and live on production."""
    return publish(import_folder(first_folder, title="First").release)


def changes_in(release: Release | None) -> dict[str, str]:
    """Return path → "added", "changed" or "removed" of everything that a release holds."""
    assert release
    words = {("put", False): "added", ("put", True): "changed", ("remove", True): "removed"}
    return {
        change.asset.path: words[change.kind, change.replaced_blob_id is not None]
        for change in release.changes.select_related("asset")
    }


def served_paths(channel: Channel) -> list[str]:
    """Return what a channel serves, in order."""
    live = live_publication(channel)
    assert live
    return [entry.path for entry in open_manifest(live.manifest).entries()]
