import re
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django.utils.timezone import localtime

from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.exceptions import PreviewOver
from apps.releases.models import Preview, Release
from apps.releases.previews.reports import preview_report
from apps.releases.selectors import release_numbered
from apps.releases.selectors.previews import address_of, open_previews_of
from apps.releases.services import previews

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class PreviewingSubcommands(ReleaseSubcommands):
    """Show a release before it is published."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        preview = self.with_number(
            add("preview", self.preview, help="show a draft or a candidate on a host of its own")
        )
        preview.add_argument("--expires", type=_duration, metavar="TIME", help="30m, 12h or 7d (default: 7d)")
        preview.add_argument(
            "--password-from-stdin",
            action="store_true",
            help="ask visitors for the password on standard input",
        )
        preview.add_argument("--banner", action="store_true", help="say on each page that it is a preview")
        preview.add_argument("--list", action="store_true", help="list its previews instead")
        preview.add_argument(
            "--refresh", action="store_true", help="let those of a draft show what it holds now"
        )
        preview.add_argument("--revoke", action="store_true", help="end those that there are")
        super().add_subcommands(add)

    def preview(self, *, number: int, **options: Any) -> object:
        release = release_numbered(number)
        others = [name for name in ("list", "refresh", "revoke") if options[name]]
        settings = [
            name
            for name in ("expires", "password_from_stdin", "banner")
            if options[name] not in (None, False)
        ]
        if len(others) > 1 or (others and settings):
            raise CommandError(f"--{others[0]} goes with nothing else.", returncode=2)
        if options["list"]:
            return self._say_all(list(open_previews_of(release)))
        if others:
            return self._say_all(self._each(release, options, is_end=options["revoke"]))
        return self._say_new(
            previews.open_preview(
                release=release,
                actor=self.actor(options),
                expiry=previews.USUAL_EXPIRY if options["expires"] is None else options["expires"],
                password=sys.stdin.readline().rstrip("\n") if options["password_from_stdin"] else "",
                has_banner=options["banner"],
            )
        )

    def _each(self, release: Release, options: dict[str, Any], *, is_end: bool) -> list[Preview]:
        """Revoke, or refresh, every preview of a release that is open."""
        actor, found = self.actor(options), list(open_previews_of(release))
        if not is_end:
            found = [preview for preview in found if preview.is_of_draft]
        if not found:
            raise PreviewOver(
                f"Release {release.pk} has no preview {'' if is_end else 'of a draft '}that is open.",
                next_step=f"`scripts/manage release preview {release.pk}` makes one.",
            )
        change = previews.revoke_preview if is_end else previews.refresh_preview
        with transaction.atomic():  # all of them or none
            return [change(preview=preview, actor=actor) for preview in found]

    def _say_new(self, preview: Preview) -> object:
        self.say(address_of(preview))
        self.say(f"  {_words(preview)}")
        return preview_report(preview)

    def _say_all(self, found: list[Preview]) -> object:
        reports = [preview_report(preview) for preview in found]
        for preview, report in zip(found, reports, strict=True):
            self.say(f"{'' if report['open'] else 'revoked '}{report['url']}\n  {_words(preview)}")
        if not reports:
            self.say("No preview is open.")
        return reports


def _words(preview: Preview) -> str:
    what = f"digest {preview.manifest_id[:12]}" if preview.manifest_id else "being built"
    until = f"until {localtime(preview.expires_at):%Y-%m-%d %H:%M %Z}, made by {preview.created_by}"
    password = ", asks for its password" if preview.password else ""
    return f"Release {preview.release_id}, {what}, {until}{password}"


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is no time. Write 30m, 12h or 7d.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
