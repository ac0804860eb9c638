from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.accounts.selectors import user_named
from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.redirects.values import STATUSES, USUAL_STATUS
from apps.releases.reports import release_details
from apps.releases.selectors import release_numbered
from apps.releases.services import drafts, redirects

_TEXT_FIELDS = tuple(name for name in drafts.BRIEF_FIELDS if name != "owner")


class DraftingSubcommands(ReleaseSubcommands):
    """Change what a draft says and does."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        edit = self.with_number(add("edit", self.edit, help="fill in or change a draft's brief"))
        edit.add_argument("--owner", metavar="USER", help="who answers for it")
        for name in _TEXT_FIELDS:
            edit.add_argument(f"--{name.replace('_', '-')}", metavar="TEXT")
        redirect = self.with_number(
            add("redirect", self.redirect, help="let a path of a draft lead elsewhere")
        )
        redirect.add_argument("source", help="/old, or /old/* for everything below")
        redirect.add_argument("target", nargs="?", help="/new, /new/:splat or https://…")
        redirect.add_argument("--status", type=int, choices=STATUSES, help=f"default: {USUAL_STATUS}")
        redirect.add_argument("--remove", action="store_true", help="let it lead nowhere any more")
        super().add_subcommands(add)

    def edit(self, *, number: int, owner: str | None, **options: Any) -> object:
        fields: dict[str, object] = {
            name: options[name] for name in _TEXT_FIELDS if options.get(name) is not None
        }
        if owner is not None:
            fields["owner"] = user_named(owner)
        release = release_numbered(number)
        drafts.edit_release(release=release, actor=self.actor(options), **fields)
        self.say(f"Release {number}: {', '.join(fields).replace('_', ' ') or 'nothing'} saved.")
        return release_details(release_numbered(number))

    def redirect(
        self,
        *,
        number: int,
        source: str,
        target: str | None,
        status: int | None,
        remove: bool,
        **options: Any,
    ) -> object:
        if remove == (target is not None) or (remove and status is not None):
            raise CommandError("Name a target, or --remove and nothing else.", returncode=2)
        release, actor = release_numbered(number), self.actor(options)
        if target is None:
            redirects.remove_redirect(release=release, source=source, actor=actor)
            self.say(f"{source} leads nowhere with release {number}.")
        else:
            put = redirects.put_redirect(
                release=release, source=source, target=target, status=status or USUAL_STATUS, actor=actor
            )
            self.say(f"{source} leads to {put.target} ({put.status}) with release {number}.")
        return release_details(release_numbered(number))
