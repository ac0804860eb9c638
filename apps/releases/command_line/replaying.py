from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.conflicts.reports import conflict_report, conflict_rows
from apps.releases.conflicts.standing import is_behind, standing_of
from apps.releases.models import Resolution
from apps.releases.reports import release_details
from apps.releases.selectors import channel_named, live_publication, release_numbered
from apps.releases.services import combining, promoting, rebasing, reverting, splitting

Choice = Resolution.Choice


class ReplayingSubcommands(ReleaseSubcommands):
    """Make releases out of others, and bring them onto what is live."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        self.with_number(add("conflicts", self.conflicts, help="list what it and its channel both changed"))
        rebase = self.with_number(add("rebase", self.rebase, help="replay a release on what is live"))
        for option, side in (("ours", "what the release has"), ("theirs", "what is live")):
            rebase.add_argument(
                f"--{option}", action="append", default=[], metavar="PATH", help=f"decide for {side}"
            )
        _add_merged(rebase)
        rest = rebase.add_mutually_exclusive_group()
        rest.add_argument("--all-ours", action="store_true", help="decide all others for what it has")
        rest.add_argument("--all-theirs", action="store_true", help="decide all others for what is live")
        self.with_number(add("revert", self.revert, help="make a draft that takes one release back"))
        self._add_promote(add)
        self._add_combine(add)
        self._add_split(add)
        super().add_subcommands(add)

    def conflicts(self, *, number: int, **options: Any) -> object:
        release = release_numbered(number)
        live = live_publication(release.channel)
        standing = standing_of(release, live)
        rows = conflict_rows(release, standing.conflicts)
        if not is_behind(release, live):
            self.say(f"Release {number} was begun on what {release.channel} serves now.")
        else:
            self.say(
                f"{standing.kept} changes do not clash, {len(standing.same)} are live already,"
                f" {len(rows)} were changed in both."
            )
        for row in rows:
            self.say(f"  {row.label}: {row.clash_in_words}; {row.state_in_words}")
        return {
            "release": number,
            "behind": is_behind(release, live),
            "kept": standing.kept,
            "already_live": len(standing.same),
            "conflicts": [conflict_report(row) for row in rows],
        }

    def rebase(
        self,
        *,
        number: int,
        ours: list[str],
        theirs: list[str],
        merged: list[str],
        all_ours: bool,
        all_theirs: bool,
        **options: Any,
    ) -> object:
        decisions = {name: rebasing.Decision(Choice.OURS) for name in ours}
        decisions |= {name: rebasing.Decision(Choice.THEIRS) for name in theirs}
        decisions |= {
            name: rebasing.Decision(Choice.MERGED, content) for name, content in _files(merged).items()
        }
        if len(decisions) < len(ours) + len(theirs) + len(merged):
            raise CommandError("A path is decided twice.", returncode=2)
        rest = Choice.OURS if all_ours else Choice.THEIRS if all_theirs else None
        rebased = rebasing.rebase(
            release=release_numbered(number), actor=self.actor(options), resolutions=decisions, rest=rest
        )
        base = f"release {rebased.base_id}" if rebased.base_id else "an empty channel"
        self.say(f"Release {number} is a draft on {base}, which {rebased.channel} serves.")
        return release_details(release_numbered(number))

    def revert(self, *, number: int, **options: Any) -> object:
        draft = reverting.revert(release=release_numbered(number), actor=self.actor(options))
        self.say(f"Release {draft.pk} is a draft that reverts release {number}.")
        if is_behind(draft, live_publication(draft.channel)):
            self.say(f"Some of it was changed again since: `scripts/manage release conflicts {draft.pk}`.")
        return release_details(release_numbered(draft.pk))

    def promote(self, *, source: str, target: str, digest: str | None, **options: Any) -> object:
        release = promoting.promote(
            source=channel_named(source),
            target=channel_named(target),
            actor=self.actor(options),
            digest=digest.removeprefix("sha256:") if digest else None,
        )
        served = release.origins.get().manifest_id
        self.say(f"Release {release.pk} is a draft for {target}, exactly what {source} serves: {served}.")
        return {**release_details(release_numbered(release.pk)), "promotes": f"sha256:{served}"}

    def combine(
        self,
        *,
        numbers: list[int],
        title: str,
        take: list[str],
        merged: list[str],
        rest: int | None,
        **options: Any,
    ) -> object:
        takes = {name: combining.Take(release=_number(value)) for name, value in _pairs(take)}
        takes |= {name: combining.Take(content=content) for name, content in _files(merged).items()}
        made = combining.combine(
            releases=[release_numbered(number) for number in numbers],
            title=title,
            actor=self.actor(options),
            takes=takes,
            rest=rest,
        )
        self.say(f"Release {made.pk} holds what releases {', '.join(map(str, numbers))} change.")
        return release_details(release_numbered(made.pk))

    def split(
        self, *, number: int, names: list[str], below: str, kind: str, title: str, **options: Any
    ) -> object:
        made = splitting.split(
            release=release_numbered(number),
            selection=splitting.Selection(names=names, below=below, kind=kind),
            title=title,
            actor=self.actor(options),
        )
        self.say(f"Release {made.pk} has what was chosen of release {number}, which keeps the rest.")
        return release_details(release_numbered(made.pk))

    def _add_promote(self, add: Callable[..., CommandParser]) -> None:
        promote = add("promote", self.promote, help="make a release that is exactly what a channel serves")
        promote.add_argument("--from", dest="source", default="staging", metavar="CHANNEL")
        promote.add_argument("--to", dest="target", default="production", metavar="CHANNEL")
        promote.add_argument("--digest", help="refuse unless the channel still serves this digest")

    def _add_combine(self, add: Callable[..., CommandParser]) -> None:
        combine = add("combine", self.combine, help="make one draft of several")
        combine.add_argument("numbers", type=int, nargs="+", metavar="N", help="the drafts' numbers")
        combine.add_argument("--title", default="", help="default: their titles")
        combine.add_argument(
            "--take", action="append", default=[], metavar="PATH=N", help="take what release N has of it"
        )
        _add_merged(combine)
        combine.add_argument("--rest", type=int, metavar="N", help="take what else clashes of release N")

    def _add_split(self, add: Callable[..., CommandParser]) -> None:
        split = self.with_number(add("split", self.split, help="move chosen changes to a new draft"))
        split.add_argument("names", nargs="*", metavar="PATH", help="paths, or sources such as /old")
        split.add_argument("--below", default="", metavar="FOLDER", help="only below this folder")
        split.add_argument("--kind", default="", choices=splitting.KINDS, help="only changes of this kind")
        split.add_argument("--title", default="", help="default: the draft's own, with “(part)”")


def _add_merged(parser: CommandParser) -> None:
    parser.add_argument(
        "--merged", action="append", default=[], metavar="PATH=FILE", help="serve what this file holds there"
    )


def _pairs(typed: Iterable[str]) -> list[tuple[str, str]]:
    """Return PATH=VALUE taken apart at its last equals sign."""
    pairs = [each.rpartition("=") for each in typed]
    if any(not name for name, _, _ in pairs):
        raise CommandError("Write PATH=VALUE.", returncode=2)
    return [(name, value) for name, _, value in pairs]


def _files(typed: Iterable[str]) -> dict[str, bytes]:
    try:
        return {name: Path(file).read_bytes() for name, file in _pairs(typed)}
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}.", returncode=2) from error


def _number(typed: str) -> int:
    if not typed.isdecimal():
        raise CommandError(f"{typed!r} is no number of a release.", returncode=2)
    return int(typed)
