"""The commands with which a release is inspected, verified, repeated and undone, as they are to be typed."""

import shlex
from collections.abc import Iterator

from apps.releases.models import Publication, Release
from apps.releases.release_report.parts import CommandLine


def commands_for(
    release: Release, publications: list[Publication], live: Publication | None
) -> Iterator[CommandLine]:
    """Yield what can be typed about a release, given when it was live and what its channel serves now."""
    yield _command("Look at it", "release", "show", str(release.pk))
    if release.manifest_id and release.base_id:
        yield _command("See what it changes", "release", "diff", str(release.base_id), str(release.pk))
    if not publications:
        return
    channel, last = release.channel.name, publications[-1]
    yield _command("Verify the history", "release", "verify", "--channel", channel)
    yield _command("See its seal", "tag", "show", last.tag)
    yield _command("Hand it to an outsider", "release", "export", last.tag, "--to", f"export-{last.tag}")
    if live and live.release_id == release.pk:
        yield _command("Undo it", "release", "rollback", "--channel", channel, "--reason", "WHY")
    elif last.channel_id == release.channel_id:
        to = str(last.sequence)
        yield _command(
            "Serve it again", "release", "rollback", "--channel", channel, "--to", to, "--reason", "WHY"
        )
    yield _command("Undo only this, keep what came later", "release", "revert", str(release.pk))


def _command(purpose: str, *words: str) -> CommandLine:
    return CommandLine(purpose, shlex.join(["scripts/manage", *words]))
