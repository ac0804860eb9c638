import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.timezone import localtime

from apps.accounts.command_line import SubcommandsCommand
from apps.assets.exceptions import UnknownPath
from apps.assets.models import Asset, AssetTag, AssetVersion, Tagging
from apps.assets.selectors import (
    asset_at,
    counts_of_taggings,
    found_assets,
    last_changes_of,
    tag_history,
    tagging_numbered,
    tags_ever,
    with_contents,
)
from apps.assets.services import planned_tagging, tag_assets, undo_tagging
from apps.assets.tag_words import files_in_words
from apps.typed_arguments import text

_SHIPS = "Nothing has changed for visitors yet: a release ships it with its cache rules."
_STANDARD_INPUT = "-"


class Command(SubcommandsCommand):
    help = "Shows files and their tags, gives tags and takes them away. Visitors get it with a release."
    reads = "assets.view_asset"

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        listing = add("list", self.list_assets, help="list files with their tags")
        _add_search(listing, "--tag")
        listing.add_argument(
            "--limit", type=int, default=50, metavar="N", help="how many at most (default 50)"
        )
        showing = add("show", self.show, help="show a file: its versions, its tags, and who gave them when")
        showing.add_argument("path", metavar="PATH", type=_path)
        showing.add_argument(
            "--limit", type=int, default=20, metavar="N", help="newest versions and tags shown (default 20)"
        )
        tagging = add("tag", self.tag, help="give tags to files, and take others away, in one act")
        tagging.add_argument(
            "paths", nargs="*", metavar="PATH", type=_path, help="files; - reads them from what is piped in"
        )
        _add_search(tagging, "--tagged")
        for name, what in (("--add", "give them this tag"), ("--remove", "take this one away")):
            tagging.add_argument(
                name, action="append", default=[], metavar="T", help=f"{what}; may be repeated"
            )
        tagging.add_argument("--reason", default="", metavar="TEXT", help="it stands in the history")
        tagging.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        add("tags", self.tags, help="list all tags: how many files carry each, and who changed that last")
        undoing = add(
            "undo", self.undo, help="take back what one act of tagging has changed, and nothing else"
        )
        undoing.add_argument("number", metavar="N", type=int)
        undoing.add_argument("--reason", default="", metavar="TEXT", help="it stands in the history")

    def list_assets(self, *, tagged: str, below: str | None, limit: int, **options: Any) -> object:
        found = found_assets(tag=tagged, prefix=_prefix(below))
        count, shown = found.count(), list(with_contents(found)[: max(limit, 0)])
        for asset in shown:
            tags = ", ".join(_tags(asset))
            self.say(f"{asset.path:<48} {_media_type(asset):<24} {tags}".rstrip())
        if not count:
            self.say(_nothing_found(tagged, below) + _first_step(tagged, below))
        elif count > len(shown):
            self.say(f"{len(shown):,} of {count:,}. --limit {count} shows all.")
        return {"found": count, "assets": [_as_json(asset) for asset in shown]}

    def show(self, *, path: str, limit: int, **options: Any) -> object:
        asset = with_contents(Asset.objects.all(), versions=max(limit, 0)).get(pk=asset_at(path).pk)
        versions: list[AssetVersion] = vars(asset)["newest_versions"]
        history, tags = tag_history(asset)[: max(limit, 0)], _tags(asset)
        self.say(asset.path)
        self.say(f"  Tags: {', '.join(tags) or 'none'}")
        for tag in history:
            for line in _history_lines(tag):
                self.say(f"    {line}")
        for version in versions:
            by = f"{_when(version.created_at)} by {version.created_by}"
            self.say(f"  {by}: {version.blob.size_bytes:,} bytes, {version.media_type}, {version.blob}")
        return {
            "path": asset.path,
            "description": asset.description,
            "tags": tags,
            "versions": [_version_as_json(version) for version in versions],
            "history": [
                {"tag": tag.name, "given": _act_as_json(tag.since), "taken": _act_as_json(tag.until)}
                for tag in history
            ],
        }

    def tag(
        self, *, paths: list[str], add: list[str], remove: list[str], reason: str, **options: Any
    ) -> object:
        if not (add or remove):
            raise CommandError("Say which tag: --add summer-sale, or --remove.", returncode=2)
        actor, chosen = self.actor(options), _chosen(paths, options["tagged"], options["below"])
        if options["dry_run"]:
            plan = planned_tagging(paths=chosen, add=add, remove=remove, actor=actor)
            self.say(f"{plan.words_before} Nothing was done (--dry-run).")
            return {"tagging": None, "is_dry_run": True, **plan.as_json()}
        made = tag_assets(paths=chosen, add=add, remove=remove, reason=reason, actor=actor)
        if made is None:
            self.say("Nothing changes: their tags are like that already.")
            return {"tagging": None, "given": {}, "taken": {}}
        return self._done(made)

    def tags(self, **options: Any) -> object:
        rows = last_changes_of(tags_ever())
        for row in rows:
            files = files_in_words(row.files) if row.files else "no file now"
            self.say(f"{row.name:<32} {files:<16} {_act_words(row.act)}")
        if not rows:
            self.say("No tag yet: `scripts/manage asset tag PATH --add summer-sale` gives a file its first.")
        return {
            "tags": [{"tag": row.name, "files": row.files, "changed": _act_as_json(row.act)} for row in rows]
        }

    def undo(self, *, number: int, reason: str, **options: Any) -> object:
        undone = undo_tagging(tagging=tagging_numbered(number), reason=reason, actor=self.actor(options))
        return self._done(undone) | {"undoes": number}

    def _done(self, tagging: Tagging) -> dict[str, object]:
        counts = counts_of_taggings([tagging.pk])[tagging.pk]
        self.say(counts.words)
        self.say(f"{_SHIPS} `scripts/manage asset undo {tagging.pk}` takes it back.")
        return {"tagging": tagging.pk, **counts.as_json()}


def _add_search(parser: CommandParser, name: str) -> None:
    parser.add_argument(name, dest="tagged", default="", metavar="T", help="files that carry this tag")
    parser.add_argument("--below", metavar="FOLDER", help="files in this folder, however deep; / is all")


def _path(typed: str) -> str:
    """Return a path as assets have it, however it is typed."""
    return text(typed).removeprefix("/")


def _prefix(below: str | None) -> str:
    folder = (below or "").strip("/")
    return f"{folder}/" if folder else ""


def _chosen(paths: list[str], tag: str, below: str | None) -> list[str]:
    """Return the paths that were named, and those that were searched for. Raises `UnknownPath` for none."""
    named = [each for path in paths for each in (_piped() if path == _STANDARD_INPUT else [path])]
    if not (paths or tag or below is not None):
        raise CommandError(
            "Say which files: PATH, --below FOLDER, --tagged T, or - for a list.", returncode=2
        )
    if not (tag or below is not None):
        return named
    found = list(found_assets(tag=tag, prefix=_prefix(below)).values_list("path", flat=True))
    if not found:
        raise UnknownPath(
            _nothing_found(tag, below),
            next_step="`scripts/manage asset list` lists files, `asset tags` tags.",
        )
    return named + found


def _piped() -> Iterator[str]:
    """Yield the paths on standard input, one a line."""
    try:
        lines = sys.stdin.buffer.read().decode().splitlines()
    except UnicodeDecodeError as error:
        raise CommandError(f"What is piped in is no UTF-8: {error}.", returncode=2) from error
    return (line.removeprefix("/") for line in lines if line)


def _nothing_found(tag: str, below: str | None) -> str:
    where = f" below {_prefix(below)}" if _prefix(below) else ""
    return f"No file{where} carries {tag}." if tag else f"There is no file{where}."


def _first_step(tag: str, below: str | None) -> str:
    if tag:
        return " `scripts/manage asset tags` lists the tags that there are."
    return "" if _prefix(below) else " `scripts/manage import FOLDER --title T` brings some."


def _tags(asset: Asset) -> list[str]:
    return [tag.name for tag in vars(asset)["carried_tags"]]


def _newest(asset: Asset) -> AssetVersion | None:
    return next(iter(vars(asset)["newest_versions"]), None)


def _media_type(asset: Asset) -> str:
    version = _newest(asset)
    return version.media_type if version else "no version"


def _as_json(asset: Asset) -> dict[str, object]:
    version = _newest(asset)
    return {
        "path": asset.path,
        "tags": _tags(asset),
        "size_bytes": version.blob.size_bytes if version else None,
        "media_type": version.media_type if version else None,
        "digest": f"sha256:{version.blob_id}" if version else None,
    }


def _version_as_json(version: AssetVersion) -> dict[str, object]:
    return {
        "at": version.created_at.isoformat(),
        "by": str(version.created_by),
        "size_bytes": version.blob.size_bytes,
        "media_type": version.media_type,
        "digest": f"sha256:{version.blob_id}",
    }


def _act_as_json(act: Tagging | None) -> dict[str, object] | None:
    if act is None:
        return None
    return {
        "tagging": act.pk,
        "at": act.created_at.isoformat(),
        "by": act.created_by.username,
        "reason": act.reason,
    }


def _history_lines(tag: AssetTag) -> Iterable[str]:
    yield f"{tag.name} was given {_act_words(tag.since)}"
    if tag.until:
        yield f"{tag.name} was taken away {_act_words(tag.until)}"


def _act_words(act: Tagging) -> str:
    reason = f": {act.reason}" if act.reason else ""
    return f"{_when(act.created_at)} by {act.created_by}, tagging {act.pk}{reason}"


def _when(at: datetime) -> str:
    return f"{localtime(at):%Y-%m-%d %H:%M:%S}"
