"""The release that a new site begins with: a folder, imported and published in one go."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.assets import store
from apps.imports.progress import shown_on
from apps.imports.services import import_directory
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors import channel_named, live_publication
from apps.releases.services.drafts import edit_release
from apps.releases.services.publishing import publish
from apps.releases.services.review import submit
from assetsite.launch.exceptions import CannotStart

CHANNEL = "production"
SAMPLE = settings.BASE_DIR / "sample"

EXPECTED_RESULT = "{folder} is on line: every page of it answers, and loads all its parts."
ROLLBACK_NOTE = (
    "This is the first release, so there is none to roll back to: correct the folder and import it."
)


def publish_first_release(
    directory: Path | None, *, actor: User, say: Callable[[str], None]
) -> Publication | None:
    """Import and publish `directory` (or the sample) where production has no publication yet.

    In one transaction: a start that is killed meanwhile has done nothing that the next one would have
    to mend. Raises what the import refuses.
    """
    channel = channel_named(CHANNEL)
    live = live_publication(channel)
    if live:
        if directory:
            say(
                f"{CHANNEL} serves release {live.release_id} already, so {directory} was not imported. "
                f"As a new release: scripts/manage import {shlex.quote(str(directory))} --title TITLE"
            )
        return None
    say(f"Importing {directory or 'the sample site'} …")
    with transaction.atomic():
        release = _import(directory or SAMPLE, channel, actor)
        publication = publish(release=release, actor=actor)
    say(f"Published release {release.pk} on {CHANNEL}.")
    return publication


def _import(folder: Path, channel: Channel, actor: User) -> Release:
    """Return the folder as an approved release: the first one needs nobody else's word."""
    name = folder.resolve().name
    title = f"First release: {name}"
    with shown_on(sys.stderr) as progress:
        outcome = import_directory(
            source=folder, title=title, channel=channel, actor=actor, progress=progress
        )
    release = outcome.release
    if release is None:
        raise CannotStart(
            f"{folder} holds nothing to publish.", next_step="Name a folder that has the site's files in it."
        )
    if release.is_editable:
        briefed = edit_release(
            release=release,
            actor=actor,
            owner=actor,
            expected_result=EXPECTED_RESULT.format(folder=name),
            rollback_note=ROLLBACK_NOTE,
        )
        return submit(release=briefed, actor=actor)
    return release


def has_pointer() -> bool:
    """Say whether storage names something to serve, without asking the database."""
    return store.read(f"channels/{CHANNEL}.json") is not None
