from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets.intake import Content, take_in_many
from apps.assets.paths import path_fault
from apps.assets.services import enqueue_encoding
from apps.imports.comparison import Comparison, Progress, compare
from apps.imports.directory import Listing, list_directory
from apps.imports.exceptions import ChannelMoved, Fault, FileRefused, SourceRefused
from apps.refusals import Refusal
from apps.releases.contents import ChangeInput, PutChange, RemoveChange
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors import live_publication, open_manifest, open_release_with
from apps.releases.services.drafts import create_release

__all__ = ["ImportOutcome", "Progress", "Result", "import_directory"]


class Result(StrEnum):
    """What an import came to."""

    MADE = "made"
    """A release was made."""
    HELD = "held"
    """An open release held the same changes already; none was made."""
    LIVE = "live"
    """The channel serves the same already; none was made."""
    TRIED = "tried"
    """A dry run: nothing was written."""


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import came to, the release that holds what was imported, and how many files did what.

    `release` is None for a dry run only. Of a release that was there already nothing counts as added,
    changed or removed. `skipped` names what was passed over in the source.
    """

    result: Result
    release: Release | None
    added: int
    changed: int
    removed: int
    unchanged: int
    skipped: tuple[str, ...]

    @property
    def is_change(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def import_directory(
    *,
    source: Path,
    title: str,
    channel: Channel,
    actor: User,
    prefix: str = "",
    mirror: bool | None = None,
    is_dry_run: bool = False,
    progress: Progress = lambda step, done, total: None,
) -> ImportOutcome:
    """Make a draft for `channel` of what a directory holds and the channel does not serve.

    `prefix` is the folder of the site that it goes to. With `mirror`, the default where there is no
    prefix, paths that the source lacks are removed, below the prefix only. Where nothing differs, or an
    open release holds just these changes, none is made.

    Raises `Forbidden`, `SourceRefused`, `ChannelMoved` and what the store refuses: nothing is imported
    then, at most blobs that nothing refers to, and the same call again finishes it.
    """
    require(actor, "releases.add_release", to="import")
    prefix = _as_folder(prefix)
    listing = list_directory(source, prefix=prefix)
    live = live_publication(channel)
    base = open_manifest(live.manifest) if live else None
    is_mirror = not prefix if mirror is None else mirror
    compared = compare(listing, base, mirrored=prefix if is_mirror else None, progress=progress)
    _refuse(compared.faults)
    if is_dry_run:
        return _outcome(Result.TRIED, None, compared, listing)
    contents = _take_in(compared, progress)
    changes: list[ChangeInput] = [*map(PutChange, contents), *map(RemoveChange, compared.removed)]
    nothing = Comparison(unchanged_count=len(listing.files))
    if live and not changes:
        return _outcome(Result.LIVE, live.release, nothing, listing)
    if same := open_release_with(channel, live, _blobs(changes)):
        return _outcome(Result.HELD, same, nothing, listing)
    progress("Recording", 0, len(changes))
    with transaction.atomic():
        release = create_release(title=title, channel=channel, changes=changes, actor=actor)
        _refuse_other_base(release, live)
        enqueue_encoding(content.digest for content in contents)
    progress("Recording", len(changes), len(changes))
    return _outcome(Result.MADE, release, compared, listing)


def _as_folder(prefix: str) -> str:
    """Return `css/` for `/css`, and "" for the whole site."""
    name = prefix.strip("/")
    if name and (reason := path_fault(name)):
        raise SourceRefused([Fault(name, f"cannot be a prefix: it {reason}", "choose another prefix")])
    return f"{name}/" if name else ""


def _take_in(compared: Comparison, progress: Progress) -> list[Content]:
    """Store the bytes of what is new or changed. Raises `SourceRefused` naming all that could not be read."""
    files = {file.path: file for file in (*compared.new, *compared.changed)}
    faults: list[Fault] = []

    def note(path: str, refusal: Refusal) -> None:
        if not isinstance(refusal, FileRefused):
            raise refusal
        faults.append(refusal.fault)

    contents = []
    sources = ((file.path, file.chunks()) for file in files.values())
    for done, content in enumerate(take_in_many(sources, on_refusal=note), start=1):
        if compared.digests.get(content.path, content.digest) != content.digest:
            faults.append(files[content.path].changed().fault)
        contents.append(content)
        progress("Storing", done, len(files))
    _refuse(faults)
    return contents


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise SourceRefused(faults)


def _refuse_other_base(release: Release, live: Publication | None) -> None:
    """A release on another base than the source was compared with would not hold what differs from it."""
    if release.base_manifest_id != (live.manifest_id if live else None):
        raise ChannelMoved(
            f"Something was published on {release.channel} while the source was compared with it.",
            next_step="Run the same command again; nothing was imported.",
        )


def _blobs(changes: Iterable[ChangeInput]) -> Iterator[tuple[str, str | None]]:
    for change in changes:
        yield change.path, change.content.digest if isinstance(change, PutChange) else None


def _outcome(
    result: Result, release: Release | None, compared: Comparison, listing: Listing
) -> ImportOutcome:
    return ImportOutcome(
        result=result,
        release=release,
        added=len(compared.new),
        changed=len(compared.changed),
        removed=len(compared.removed),
        unchanged=compared.unchanged_count,
        skipped=listing.skipped,
    )
